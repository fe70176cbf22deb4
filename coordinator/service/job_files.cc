#include "coordinator/service/job_files.h"

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "comm/base/file.h"

namespace consilium::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr Duration kPinIdleMax = std::chrono::hours(1);
constexpr std::size_t kLogPartBytes = 256u << 10;
static_assert(kLogPartBytes <= wire::kDocumentBytesMax);

bool Exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// What `name` means now; empty: nothing yet.
StatusOr<fs::path> Resolve(const JobFolder& job, const std::string& name, const std::optional<fs::path>& in_force) {
  const std::map<std::string, std::vector<fs::path>> known = {
      {"model", {job.final_model()}},
      {"model_latest", {in_force.value_or(job.final_model()), job.final_model(), job.latest_model()}},
      {"model_best", {job.root() / "model_best.safetensors"}},
      {"result.json", {job.result()}},
      {"metrics.jsonl", {job.metrics()}},
      {"events.jsonl", {job.events()}},
      {"job.yaml", {job.job_yaml()}}};
  const auto found = known.find(name);
  if (found != known.end())
    for (const fs::path& path : found->second)
      if (Exists(path)) return path;
  std::string there;
  for (const auto& [other, paths] : known)
    if (std::any_of(paths.begin(), paths.end(), Exists)) there += (there.empty() ? "" : ", ") + other;
  return NotFound(found == known.end() ? "no file is called '" + name + "'" : "there is no " + name + " of it yet",
                  there.empty() ? std::string("; nothing is there yet") : "; there is: " + there);
}

}  // namespace

StatusOr<std::unique_ptr<JobFiles>> JobFiles::Open(fs::path folder) {
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  RETURN_IF_ERROR(MakeDirectories(folder));
  return std::unique_ptr<JobFiles>(new JobFiles(std::move(folder)));
}

StatusOr<wire::FileOffer> JobFiles::Offer(const JobFolder& job, const std::string& name,
                                          const std::optional<fs::path>& in_force) {
  DropOldPins();
  ASSIGN_OR_RETURN(const fs::path file, Resolve(job, name, in_force));
  ASSIGN_OR_RETURN(const fs::path pin, Pin(file));
  StatusOr<wire::BlobManifest> manifest = wire::ManifestOfFile(pin);
  std::error_code error;
  if (manifest.ok()) {
    const std::lock_guard lock(mutex_);
    fs::rename(pin, folder_ / manifest->digest.ToHex(), error);
    pins_[manifest->digest] = SystemClock().Now();
  }
  if (!manifest.ok() || error) {
    std::error_code ignored;
    fs::remove(pin, ignored);
    return manifest.ok() ? ErrnoStatus(error.value(), "pinning " + file.string()) : manifest.status();
  }
  const std::string called = file.parent_path() == job.root() ? file.filename().string() : "model_latest.safetensors";
  return wire::FileOffer{called, *std::move(manifest)};
}

// A link of a model, which is never written to again; a copy of what grows.
StatusOr<fs::path> JobFiles::Pin(const fs::path& file) {
  fs::path pin;
  {
    const std::lock_guard lock(mutex_);
    pin = folder_ / Concat("new-", ++pins_made_);
  }
  const std::string extension = file.extension().string();
  std::error_code error = std::make_error_code(std::errc::cross_device_link);
  if (extension != ".jsonl") fs::create_hard_link(file, pin, error);
  if (error) fs::copy_file(file, pin, fs::copy_options::overwrite_existing, error);
  if (error) return ErrnoStatus(error.value(), "pinning " + file.string());
  return pin;
}

void JobFiles::DropOldPins() {
  const std::lock_guard lock(mutex_);
  const Instant now = SystemClock().Now();
  std::erase_if(pins_, [&](const auto& pin) {
    if (now - pin.second < kPinIdleMax) return false;
    std::error_code ignored;
    fs::remove(folder_ / pin.first.ToHex(), ignored);
    return true;
  });
}

StatusOr<wire::FileChunk> JobFiles::Read(const Digest& digest, std::uint32_t index) {
  {
    const std::lock_guard lock(mutex_);
    const auto pin = pins_.find(digest);
    if (pin == pins_.end()) return NotFound("the file is not offered any more; ask for it again");
    pin->second = SystemClock().Now();
  }
  std::ifstream in(folder_ / digest.ToHex(), std::ios::binary);
  if (!in) return ErrnoStatus(errno, "opening the file for a download");
  in.seekg(static_cast<std::streamoff>(std::uint64_t{index} * wire::kChunkBytes));
  wire::FileChunk chunk{std::string(wire::kChunkBytes, '\0')};
  in.read(chunk.data.data(), static_cast<std::streamsize>(chunk.data.size()));
  chunk.data.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  if (chunk.data.empty()) return FailedPrecondition("the file has no chunk ", index + 1);
  return chunk;
}

StatusOr<wire::LogPart> ReadLogPart(const fs::path& events, std::uint64_t position) {
  wire::LogPart part{"", position, false};
  std::ifstream in(events, std::ios::binary | std::ios::ate);
  if (!in) return part;
  const auto size = static_cast<std::uint64_t>(std::max<std::streamoff>(in.tellg(), 0));
  if (position >= size) {
    part.position = size;
    return part;
  }
  part.lines.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kLogPartBytes, size - position)));
  in.seekg(static_cast<std::streamoff>(position));
  in.read(part.lines.data(), static_cast<std::streamsize>(part.lines.size()));
  part.lines.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  const std::size_t end = part.lines.rfind('\n');
  // A line of more than a part is none of ours: passed over.
  if (end == std::string::npos && part.lines.size() == kLogPartBytes) {
    part.position += part.lines.size();
    part.lines.clear();
    return part;
  }
  part.lines.resize(end == std::string::npos ? 0 : end + 1);
  part.position += part.lines.size();
  return part;
}

}  // namespace consilium::coordinator
