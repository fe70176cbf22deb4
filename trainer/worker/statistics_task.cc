#include "trainer/worker/statistics_task.h"

#include <torch/torch.h>

#include "comm/base/file.h"
#include "comm/base/time.h"
#include "datasets/raw/raw_dataset.h"
#include "datasets/statistics/compute_statistics.h"

namespace consilium::trainer {
namespace {

// Ranks that wait for rank 0 hear of every case, so that none of them takes a long measurement for a dead peer.
Status TellOthers(collective::Communicator& gang, bool* more) {
  torch::Tensor word = torch::tensor({*more ? 1 : 0}, torch::kInt64);
  RETURN_IF_ERROR(gang.Broadcast(word, /*root=*/0, "measuring the data set"));
  *more = word[0].item<std::int64_t>() != 0;
  return {};
}

StatusOr<std::size_t> Measure(const StatisticsTask& task, TaskMonitor& monitor) {
  namespace fs = std::filesystem;
  ASSIGN_OR_RETURN(const fs::path folder, datasets::FindDataset(task.job.data.dataset, task.data_dir));
  ASSIGN_OR_RETURN(const datasets::RawDataset dataset, datasets::OpenRawDataset(folder));
  datasets::StatisticsOptions options;
  options.cases_min = task.cases_min;
  options.loop.threads = task.job.train.threads;
  options.loop.is_cancelled = [&] { return monitor.cancelled(); };
  options.loop.on_case = [&](const std::string&, std::int64_t done, std::int64_t total) {
    monitor.Report(static_cast<double>(done) / static_cast<double>(total), {{"cases", static_cast<double>(done)}});
    bool more = true;
    static_cast<void>(TellOthers(task.gang, &more));  // a broken gang shows in the next operation as well
  };
  ASSIGN_OR_RETURN(const datasets::SiteStatistics statistics, datasets::ComputeSiteStatistics(dataset, options));
  RETURN_IF_ERROR(MakeDirectories(task.output.parent_path()));
  RETURN_IF_ERROR(WriteFileAtomic(task.output, datasets::EncodeStatistics(statistics)));
  return dataset.cases.size();
}

}  // namespace

StatusOr<TaskResult> RunStatistics(const StatisticsTask& task, TaskMonitor& monitor) {
  const Instant begin = SystemClock().Now();
  TaskResult result;
  Status mine;
  bool more = false;
  if (task.gang.rank() == 0) {
    const StatusOr<std::size_t> cases = Measure(task, monitor);
    mine = cases.status();
    if (cases.ok()) result.metrics["cases"] = static_cast<double>(*cases);
    RETURN_IF_ERROR(TellOthers(task.gang, &more));
  } else {
    do RETURN_IF_ERROR(TellOthers(task.gang, &more));
    while (more);
  }
  RETURN_IF_ERROR(task.gang.Agree(mine));
  result.metrics["seconds"] = Seconds(SystemClock().Now() - begin);
  return result;
}

}  // namespace consilium::trainer
