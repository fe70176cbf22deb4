#include "trainer/worker/initial_task.h"

#include "comm/base/file.h"
#include "comm/base/time.h"
#include "comm/tensor/safetensors.h"
#include "datasets/raw/raw_dataset.h"
#include "trainer/worker/evaluation_task.h"

namespace consilium::trainer {
namespace {

Status Write(const InitialTask& task) {
  ASSIGN_OR_RETURN(const std::filesystem::path folder, datasets::FindDataset(task.job.data.dataset, task.data_dir));
  ASSIGN_OR_RETURN(const datasets::RawDataset dataset, datasets::OpenRawDataset(folder));
  ASSIGN_OR_RETURN(const tensor::ParameterVector weights, SeededWeights(task.job, dataset));
  RETURN_IF_ERROR(MakeDirectories(task.output.parent_path()));
  // "pt" is what Python's readers expect of a file of PyTorch tensors.
  return tensor::WriteParameters(task.output, weights, {{"format", "pt"}});
}

}  // namespace

StatusOr<TaskResult> MakeInitialModel(const InitialTask& task) {
  const Instant begin = SystemClock().Now();
  RETURN_IF_ERROR(task.gang.Agree(task.gang.rank() == 0 ? Write(task) : Status()));
  TaskResult result;
  result.metrics["seconds"] = Seconds(SystemClock().Now() - begin);
  return result;
}

}  // namespace consilium::trainer
