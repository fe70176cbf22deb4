#include <cstdlib>
#include <fstream>
#include <iostream>

#include "comm/base/file.h"
#include "comm/base/subprocess.h"
#include "comm/wire/apply_plan.h"
#include "coordinator/operator/operator_link.h"
#include "coordinator/operator/operator_verbs.h"
#include "coordinator/operator/progress_line.h"

namespace consilium::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr auto kInitTimeout = std::chrono::minutes(10);

struct SubmitFlags {
  LinkFlags link;
  std::string job_file, initial_model, data;
  std::int64_t channels = 0, classes = 0, priority = 0;
  std::vector<std::string> assignments;
};

// Removed with what is in it.
class TemporaryFolder {
 public:
  static StatusOr<TemporaryFolder> Make() {
    std::string pattern = (fs::temp_directory_path() / "consilium-submit-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) return ErrnoStatus(errno, "making a folder in " + pattern);
    return TemporaryFolder(pattern);
  }
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  fs::path operator/(const char* name) const { return path_ / name; }

 private:
  explicit TemporaryFolder(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

// The job's own seeded weights, made by the trainer here.
Status MakeModel(const SubmitFlags& flags, const fs::path& output, const fs::path& log) {
  std::vector<std::string> words = {"consilium-trainer", "init", flags.job_file, "--output", output.string()};
  if (!flags.data.empty()) words.insert(words.end(), {"--data", flags.data});
  if (flags.channels > 0)
    words.insert(words.end(),
                 {"--channels", std::to_string(flags.channels), "--classes", std::to_string(flags.classes)});
  for (const std::string& assignment : flags.assignments) words.insert(words.end(), {"--set", assignment});
  const StatusOr<fs::path> program = FindProgram("consilium-trainer");
  if (!program.ok())
    return InvalidArgument("no --initial-model is given, and there is no trainer here to make one (",
                           program.status().message(), "); make it where a trainer is with consilium init");
  words.front() = program->string();
  ASSIGN_OR_RETURN(Subprocess child, Subprocess::Start({.arguments = words, .output = log}));
  ASSIGN_OR_RETURN(const ExitResult result, child.Wait(kInitTimeout));
  if (result.ok()) return Status();
  const StatusOr<std::string> said = ReadFile(log);
  return InvalidArgument("the initial model could not be made (consilium init ended with ", result.ToString(), "):\n",
                         said.ok() ? said->substr(said->size() > 2000 ? said->size() - 2000 : 0) : "");
}

Status PutModel(OperatorLink* link, const fs::path& path, const wire::BlobManifest& manifest, std::uint32_t done) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return ErrnoStatus(errno, "opening " + path.string());
  const auto bytes_at = [&](std::uint32_t chunks) {
    return std::min<std::uint64_t>(manifest.bytes, std::uint64_t{chunks} * wire::kChunkBytes);
  };
  ProgressLine progress("sending the model", manifest.bytes, bytes_at(done));
  while (done < manifest.chunks.size()) {
    wire::PutChunk put{manifest.digest, done, std::string(wire::kChunkBytes, '\0')};
    in.seekg(static_cast<std::streamoff>(bytes_at(done)));
    in.read(put.data.data(), static_cast<std::streamsize>(put.data.size()));
    put.data.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
    in.clear();
    ASSIGN_OR_RETURN(const wire::ChunkTaken taken, link->AskAgain<wire::ChunkTaken>(put));
    if (taken.chunks_done > manifest.chunks.size()) return DataLoss("the coordinator counts chunks that there are not");
    done = taken.chunks_done;
    progress.Update(bytes_at(done));
  }
  return Status();
}

// Says it until the coordinator has the model and has promised.  A coordinator that was started again meanwhile has
// forgotten the announcement: then it is made again.
StatusOr<wire::SubmitReply> Submit(OperatorLink* link, const wire::SubmitJob& submit, const fs::path& model) {
  for (int tries = 0;; ++tries) {
    ASSIGN_OR_RETURN(const wire::SubmitReply reply, link->AskAgain<wire::SubmitReply>(submit));
    if (reply.state != wire::SubmitState::kModelWanted) return reply;
    const Status put = PutModel(link, model, submit.model, reply.chunks_done);
    if (put.ok()) continue;
    if (put.code() != StatusCode::kFailedPrecondition || tries >= 3) return put;
  }
}

Status Run(const SubmitFlags& flags, const Command& command) {
  ASSIGN_OR_RETURN(const wire::JobSpec job, wire::ReadJobToSubmit(flags.job_file, flags.assignments));
  if (!job.has_federation)
    return InvalidArgument(flags.job_file, " has no 'federation' part; add one, e.g. federation: {rounds: 10}");
  // Before the model is made, which may take long.
  ASSIGN_OR_RETURN(OperatorLink link, OperatorLink::Open(flags.link));
  ASSIGN_OR_RETURN(const TemporaryFolder scratch, TemporaryFolder::Make());
  fs::path model = flags.initial_model;
  const bool planned_by_sites = wire::NeedsPlan(job);
  if (planned_by_sites && (!model.empty() || !flags.data.empty() || flags.channels > 0))
    return InvalidArgument(flags.job_file,
                           ": model.architecture is plan, and there is no model.plans: the sites plan the "
                           "network and make its first weights; leave --initial-model, --data and --channels away");
  if (model.empty() && !planned_by_sites) {
    if (flags.data.empty() && (flags.channels < 1 || flags.classes < 1))
      return InvalidArgument("the model that round 0 starts from is needed: --initial-model FILE, or --data DIR (or ",
                             "--channels N --classes N) to make one from the job's seed");
    model = scratch / "model.safetensors";
    RETURN_IF_ERROR(MakeModel(flags, model, scratch / "log"));
  }
  wire::SubmitJob submit{.job_json = wire::JobToJson(job).dump(),
                         .priority = static_cast<std::int32_t>(flags.priority)};
  if (submit.job_json.size() > wire::kJobJsonBytesMax) return InvalidArgument(flags.job_file, " is too large a job");
  if (!planned_by_sites) {
    ASSIGN_OR_RETURN(submit.model, wire::ManifestOfFile(model));
  }
  ASSIGN_OR_RETURN(const wire::SubmitReply reply, Submit(&link, submit, model));
  const bool accepted = reply.state == wire::SubmitState::kAccepted;
  if (command.json())
    Command::PrintJson({{"job", job.name},
                        {"accepted", accepted ? "now" : "before"},
                        {"message", reply.message},
                        {"model", planned_by_sites ? Json(nullptr) : Json(submit.model.digest.ToHex())}});
  std::cerr << job.name << (accepted ? " is accepted: " : ": ") << reply.message << "\n"
            << "  consilium status " << job.name << " --watch      consilium why " << job.name << "\n";
  return Status();
}

}  // namespace

int SubmitVerb(const Arguments& arguments) {
  SubmitFlags flags;
  Command command(
      "consilium submit",
      "Hands a job to the coordinator.  Everything that can be wrong with it is refused at once: keys, sites, "
      "the model, the space on the coordinator's disk.  Once accepted it runs, whatever happens to this "
      "machine or the coordinator's.  The same job submitted again is the same job.",
      "consilium submit job.yaml --initial-model model.safetensors --kit kits/ann");
  AddLinkFlags(&command, &flags.link);
  command.Positional("JOB", &flags.job_file, "the job file, with a federation part");
  command.Option("--initial-model", &flags.initial_model, "weights that round 0 starts from, in safetensors");
  command.Option("--data", &flags.data,
                 "without --initial-model: folder of a data set with the job's channels and labels");
  command.Option("--channels", &flags.channels, "without --initial-model and --data: input channels of the model");
  command.Option("--classes", &flags.classes, "and its classes, background included");
  command.Option("--priority", &flags.priority, "jobs with a higher one leave the queue first");
  command.Option("--set", &flags.assignments, "key=value that changes the job file; may be repeated");
  return command.Run(arguments, [&]() -> Status {
    if (flags.priority < -1000 || flags.priority > 1000)
      return InvalidArgument("--priority ", flags.priority, " is not between -1000 and 1000");
    return Run(flags, command);
  });
}

}  // namespace consilium::coordinator
