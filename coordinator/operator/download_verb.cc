#include <iostream>

#include "comm/base/file.h"
#include "comm/transport/blob_store.h"
#include "coordinator/operator/operator_link.h"
#include "coordinator/operator/operator_verbs.h"
#include "coordinator/operator/progress_line.h"

namespace consilium::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr char kPartial[] = ".partial";
constexpr int kOffersMax = 5;

// A plain file name, which comes from a peer and becomes a path here.
bool IsFileName(const std::string& name) {
  return !name.empty() && name.size() <= 100 && name.front() != '.' && name.find('/') == std::string::npos;
}

// Chunk by chunk, each checked as it comes, after those that a former try has left.
Status Receive(OperatorLink* link, const wire::GetChunk& get, const wire::BlobManifest& manifest,
               transport::BlobStore* blobs, std::uint64_t* bytes_received) {
  StatusOr<std::unique_ptr<transport::BlobStore::Receiver>> receiver = blobs->Receive(manifest);
  if (receiver.code() == StatusCode::kAlreadyExists) return Status();
  if (!receiver.ok()) return receiver.status();
  const auto bytes_at = [&](std::size_t chunks) {
    return std::min<std::uint64_t>(manifest.bytes, std::uint64_t{chunks} * wire::kChunkBytes);
  };
  ProgressLine progress(get.name, manifest.bytes, bytes_at((*receiver)->chunks_done()));
  while ((*receiver)->chunks_done() < manifest.chunks.size()) {
    wire::GetChunk next = get;
    next.index = static_cast<std::uint32_t>((*receiver)->chunks_done());
    ASSIGN_OR_RETURN(const wire::FileChunk chunk, link->AskAgain<wire::FileChunk>(next));
    RETURN_IF_ERROR((*receiver)->Append(AsBytes(chunk.data)));
    *bytes_received += chunk.data.size();
    progress.Update(bytes_at((*receiver)->chunks_done()));
  }
  return (*receiver)->Finish();
}

StatusOr<fs::path> DownloadFile(OperatorLink* link, const JobId& job, const std::string& name, const fs::path& folder,
                                transport::BlobStore* blobs, std::uint64_t* bytes_received) {
  for (int offers = 1;; ++offers) {
    ASSIGN_OR_RETURN(const wire::FileOffer offer, link->AskAgain<wire::FileOffer>(wire::OfferFile{job, name}));
    if (!IsFileName(offer.file_name)) return DataLoss("the coordinator calls a file '", offer.file_name, "'");
    const Status received = Receive(link, {.job = job, .name = name, .digest = offer.manifest.digest}, offer.manifest,
                                    blobs, bytes_received);
    // The coordinator was started again, or we took too long: what has come stays.
    if (received.code() == StatusCode::kNotFound && offers < kOffersMax) continue;
    if (!received.ok()) return Annotate(received, "downloading ", name);
    const fs::path target = folder / offer.file_name;
    std::error_code error;
    fs::rename(blobs->PathOf(offer.manifest.digest), target, error);
    if (error) return ErrnoStatus(error.value(), "writing " + target.string());
    RETURN_IF_ERROR(SyncDirectory(folder));
    return target;
  }
}

}  // namespace

int DownloadVerb(const Arguments& arguments) {
  LinkFlags flags;
  std::string job, output;
  bool latest = false, best = false;
  std::vector<std::string> files;
  Command command(
      "consilium download",
      "Fetches a job's model, result.json and metrics.jsonl.  Every chunk is checked; a download that was cut "
      "goes on where it stopped when it is started again.",
      "consilium download hippocampus --output results --kit kits/ann");
  AddLinkFlags(&command, &flags);
  command.Positional("JOB", &job, "the job's name");
  command.Option("--output,-o", &output, "folder to write into (default: one with the job's name)");
  command.Flag("--latest", &latest, "the newest model of a job that is not over, or has failed");
  command.Flag("--best", &best, "the model of the round that validated best, where the job chose one");
  command.Option("--file", &files,
                 "only this one: model, model_latest, result.json, metrics.jsonl, events.jsonl, job.yaml");
  return command.Run(arguments, [&]() -> Status {
    if (latest && best) return InvalidArgument("--latest and --best are two different models; give one of them");
    std::vector<std::string> wanted = files;
    if (wanted.empty()) {
      wanted = {best ? "model_best" : latest ? "model_latest" : "model", "metrics.jsonl"};
      if (!latest) wanted.push_back("result.json");
    }
    ASSIGN_OR_RETURN(OperatorLink link, OperatorLink::Open(flags));
    const fs::path folder = output.empty() ? fs::path(job) : fs::path(output);
    if (output.empty() && !IsValidName(job)) return InvalidArgument("'", job, "' is not a job's name");
    RETURN_IF_ERROR(MakeDirectories(folder));
    ASSIGN_OR_RETURN(const std::unique_ptr<transport::BlobStore> blobs, transport::BlobStore::Open(folder / kPartial));
    Json written = Json::array();
    std::uint64_t bytes_received = 0;
    const auto fetch_all = [&]() -> Status {
      for (const std::string& name : wanted) {
        ASSIGN_OR_RETURN(const fs::path file,
                         DownloadFile(&link, JobId(job), name, folder, blobs.get(), &bytes_received));
        written.push_back(file.string());
        if (!command.json()) std::cerr << file.string() << "\n";
      }
      return Status();
    };
    const Status fetched = fetch_all();
    // What came of a file stays for the next try; nothing that came is nothing to keep.
    std::error_code ignored;
    if (blobs->BytesUsed() == 0) fs::remove_all(folder / kPartial, ignored);
    RETURN_IF_ERROR(fetched);
    if (command.json()) Command::PrintJson({{"job", job}, {"files", written}, {"bytes_received", bytes_received}});
    return Status();
  });
}

}  // namespace consilium::coordinator
