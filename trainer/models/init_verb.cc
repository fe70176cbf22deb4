#include "trainer/models/init_verb.h"

#include <iostream>

#include "comm/tensor/safetensors.h"
#include "comm/wire/job.h"
#include "datasets/raw/raw_dataset.h"
#include "trainer/models/parameters.h"
#include "trainer/models/registry.h"

namespace consilium::trainer {
namespace {

struct InitOptions {
  std::string job, data, output;
  std::vector<std::string> assignments;
  std::int64_t channels = 0, classes = 0;
};

// From --channels and --classes, or from the data set that the job names.
StatusOr<ModelInput> FindInput(const InitOptions& options, const wire::JobSpec& job) {
  if (options.channels > 0 && options.classes > 0)
    return ModelInput{.channels = options.channels, .classes = options.classes};
  if (options.channels != 0 || options.classes != 0)
    return InvalidArgument("--channels and --classes go together and are positive, e.g. --channels 1 --classes 3");
  ASSIGN_OR_RETURN(const std::filesystem::path folder, datasets::FindDataset(job.data.dataset, options.data));
  ASSIGN_OR_RETURN(const datasets::RawDataset dataset, datasets::OpenRawDataset(folder));
  return ModelInput{.channels = dataset.description.num_channels(), .classes = dataset.description.num_classes()};
}

Status Init(const InitOptions& options, bool json_wanted) {
  ASSIGN_OR_RETURN(const wire::JobSpec job, wire::ReadJob(options.job, options.assignments));
  ASSIGN_OR_RETURN(const ModelInput input, FindInput(options, job));
  ASSIGN_OR_RETURN(const auto model, MakeModel(job.model, input, static_cast<std::uint64_t>(job.train.seed)));
  const tensor::ParameterVector parameters = ExportParameters(*model);
  // "pt" is what Python's readers expect of a file of PyTorch tensors.
  const tensor::Metadata metadata = {{"format", "pt"},
                                     {"consilium.job", job.name},
                                     {"consilium.job_digest", wire::JobDigest(job).ToHex()},
                                     {"consilium.architecture", job.model.architecture},
                                     {"consilium.seed", std::to_string(job.train.seed)}};
  RETURN_IF_ERROR(tensor::WriteParameters(options.output, parameters, metadata));
  std::cerr << "Wrote " << options.output << ": " << parameters.schema().tensors().size() << " tensors, "
            << parameters.schema().elements() << " parameters, seed " << job.train.seed << "\n";
  if (json_wanted)
    Command::PrintJson({{"model", options.output},
                        {"digest", parameters.digest().ToHex()},
                        {"parameters", parameters.schema().elements()},
                        {"channels", input.channels},
                        {"classes", input.classes}});
  return Status();
}

}  // namespace

int InitVerb(const Arguments& arguments) {
  InitOptions options;
  Command command("consilium init",
                  "Writes a job's seeded starting weights as safetensors.  The same job and seed give the same bytes.",
                  "consilium init hippocampus.yaml --channels 1 --classes 3 -o initial.safetensors");
  command.Positional("JOB", &options.job, "the job file");
  command.Option("--data", &options.data, "folder that holds the job's data set (for its channels and labels)");
  command.Option("--channels", &options.channels, "input channels, in place of a data set");
  command.Option("--classes", &options.classes, "classes with background, in place of a data set");
  command.Option("--set", &options.assignments, "key=value in the job, e.g. train.seed=2; may be repeated");
  command.Option("--output,-o", &options.output, "file to write", /*required=*/true);
  return command.Run(arguments, [&] { return Init(options, command.json()); });
}

}  // namespace consilium::trainer
