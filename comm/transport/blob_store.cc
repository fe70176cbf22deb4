#include "comm/transport/blob_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "comm/base/descriptor.h"
#include "comm/base/file.h"
#include "comm/base/log.h"

namespace consilium::transport {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPartSuffix = ".part";
constexpr char kBootFile[] = ".boot";

std::size_t ChunkSize(const wire::BlobManifest& manifest, std::size_t index) {
  return static_cast<std::size_t>(
      std::min<std::uint64_t>(wire::kChunkBytes, manifest.bytes - std::uint64_t{index} * wire::kChunkBytes));
}

// The digest in "<hex>" or "<hex>.part"; another name is not ours.
StatusOr<Digest> DigestInName(const fs::path& file) {
  std::string name = file.filename().string();
  if (name.ends_with(kPartSuffix)) name.resize(name.size() - kPartSuffix.size());
  return Digest::FromHex(name);
}

fs::path WithSuffix(const fs::path& path) { return path.string() + std::string(kPartSuffix); }

Status RemoveFile(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  return error ? ErrnoStatus(error.value(), "removing " + path.string()) : Status();
}

std::string BootId() {
  const StatusOr<std::string> id = ReadFile("/proc/sys/kernel/random/boot_id");
  return id.ok() ? *id : std::string("unknown");
}

// Blobs are not fsynced, so a machine that went down may have left names without their bytes.
Status RemoveDamaged(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator file(folder, error), end; !error && file != end; file.increment(error)) {
    const StatusOr<Digest> digest = Digest::FromHex(file->path().filename().string());
    if (!digest.ok()) continue;
    ASSIGN_OR_RETURN(const wire::BlobManifest actual, wire::ManifestOfFile(file->path()));
    if (actual.digest == *digest) continue;
    Log(LogLevel::kWarning, "damaged_blob_removed", {{"file", file->path().string()}});
    RETURN_IF_ERROR(RemoveFile(file->path()));
  }
  return error ? ErrnoStatus(error.value(), "listing " + folder.string()) : Status();
}

}  // namespace

struct BlobStore::Receiver::Impl {
  BlobStore* store = nullptr;
  wire::BlobManifest manifest;
  fs::path part;
  int descriptor = -1;
  std::size_t chunks_done = 0;
  // Of the chunk that is coming: written, and not verified yet.
  std::optional<Sha256> chunk;
  std::size_t chunk_bytes = 0;

  ~Impl() {
    if (descriptor >= 0) ::close(descriptor);
    store->Release(manifest.digest);
  }

  // Keeps the leading chunks that are what the manifest says: a file that a crash of the machine left with holes, or
  // that came with another manifest, costs a new transfer and nothing else.
  Status Resume() {
    descriptor = ::open(part.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) return ErrnoStatus(errno, "opening " + part.string());
    Bytes buffer(wire::kChunkBytes);
    while (chunks_done < manifest.chunks.size()) {
      const std::span<std::uint8_t> chunk(buffer.data(), ChunkSize(manifest, chunks_done));
      ASSIGN_OR_RETURN(const std::size_t size, ReadAt(descriptor, std::uint64_t{chunks_done} * wire::kChunkBytes, chunk,
                                                      "reading " + part.string()));
      if (size < chunk.size() || Sha256Of(chunk) != manifest.chunks[chunks_done]) break;
      ++chunks_done;
    }
    return CutTo(std::min(manifest.bytes, ChunkOffset()));
  }

  std::uint64_t ChunkOffset() const { return std::uint64_t{chunks_done} * wire::kChunkBytes; }
  Status DropChunk() {
    chunk.reset(), chunk_bytes = 0;
    return CutTo(ChunkOffset());
  }

  Status CutTo(std::uint64_t bytes) {
    if (::ftruncate(descriptor, static_cast<off_t>(bytes)) != 0)
      return ErrnoStatus(errno, "truncating " + part.string());
    return Status();
  }
};

BlobStore::Receiver::Receiver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BlobStore::Receiver::~Receiver() = default;

std::size_t BlobStore::Receiver::chunks_done() const { return impl_->chunks_done; }
std::uint64_t BlobStore::Receiver::bytes_done() const {
  return std::min(impl_->manifest.bytes, impl_->ChunkOffset() + impl_->chunk_bytes);
}

Status BlobStore::Receiver::Append(ByteSpan bytes) {
  Impl& impl = *impl_;
  const std::size_t number = impl.chunks_done + 1, count = impl.manifest.chunks.size();
  if (number > count) return DataLoss("chunk ", number, " of a blob of ", count, " chunks");
  const std::size_t missing = ChunkSize(impl.manifest, impl.chunks_done) - impl.chunk_bytes;
  if (bytes.empty() || bytes.size() > missing)
    return DataLoss(bytes.size(), " bytes came for chunk ", number, " of ", count, ", of which ", missing,
                    " are missing");
  if (Status status = WriteAt(impl.descriptor, bytes_done(), bytes, "writing " + impl.part.string()); !status.ok()) {
    (void)impl.DropChunk();  // the chunk counts as not received either way
    return status;
  }
  if (!impl.chunk) impl.chunk.emplace();
  impl.chunk->Update(bytes);
  impl.chunk_bytes += bytes.size();
  if (bytes.size() < missing) return Status();
  if (impl.chunk->Finish() != impl.manifest.chunks[impl.chunks_done]) {
    RETURN_IF_ERROR(impl.DropChunk());
    return DataLoss("chunk ", number, " of ", count, " does not have the digest that its manifest announced");
  }
  impl.chunk.reset(), impl.chunk_bytes = 0;
  ++impl.chunks_done;
  return Status();
}

Status BlobStore::Receiver::Finish() {
  const wire::BlobManifest& manifest = impl_->manifest;
  if (impl_->chunks_done != manifest.chunks.size())
    return FailedPrecondition("only ", impl_->chunks_done, " of ", manifest.chunks.size(), " chunks are there");
  const fs::path whole = impl_->store->PathOf(manifest.digest);
  if (::rename(impl_->part.c_str(), whole.c_str()) != 0) return ErrnoStatus(errno, "renaming onto " + whole.string());
  return Status();
}

StatusOr<std::unique_ptr<BlobStore>> BlobStore::Open(fs::path folder) {
  RETURN_IF_ERROR(MakeDirectories(folder));
  if (::chmod(folder.c_str(), 0700) != 0) return ErrnoStatus(errno, "chmod 700 " + folder.string());
  const std::string boot = BootId();
  const StatusOr<std::string> last_boot = ReadFile(folder / kBootFile);
  if (!last_boot.ok() || *last_boot != boot) {
    RETURN_IF_ERROR(RemoveDamaged(folder));
    RETURN_IF_ERROR(WriteFileAtomic(folder / kBootFile, boot));
  }
  return std::unique_ptr<BlobStore>(new BlobStore(std::move(folder)));
}

bool BlobStore::Has(const Digest& digest) const {
  std::error_code error;
  return fs::is_regular_file(PathOf(digest), error);
}

fs::path BlobStore::PathOf(const Digest& digest) const { return folder_ / digest.ToHex(); }

StatusOr<wire::BlobManifest> BlobStore::Import(const fs::path& file) {
  ASSIGN_OR_RETURN(wire::BlobManifest manifest, wire::ManifestOfFile(file));
  RETURN_IF_ERROR(wire::CheckManifest(manifest));
  const fs::path whole = PathOf(manifest.digest);
  if (Has(manifest.digest) || ::link(file.c_str(), whole.c_str()) == 0 || errno == EEXIST) return manifest;
  // Another file system, or one without links.  The copy goes through Receive, so that a file that changes under us is
  // noticed.
  ASSIGN_OR_RETURN(const std::unique_ptr<Receiver> receiver, Receive(manifest));
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return ErrnoStatus(errno, "opening " + file.string());
  Status status;
  Bytes buffer(wire::kChunkBytes);
  for (std::size_t i = receiver->chunks_done(); status.ok() && i < manifest.chunks.size(); ++i) {
    const StatusOr<std::size_t> size = ReadAt(descriptor, std::uint64_t{i} * wire::kChunkBytes, buffer, "reading");
    status = size.ok() ? receiver->Append({buffer.data(), *size}) : size.status();
  }
  ::close(descriptor);
  if (status.ok()) status = receiver->Finish();
  if (!status.ok()) return Annotate(status, "copying ", file.string(), " into ", folder_.string());
  return manifest;
}

StatusOr<std::unique_ptr<BlobStore::Receiver>> BlobStore::Receive(const wire::BlobManifest& manifest) {
  RETURN_IF_ERROR(wire::CheckManifest(manifest));
  if (wire::DigestOfChunks(manifest) != manifest.digest)
    return DataLoss("the chunks do not add up to the blob ", manifest.digest, ": its manifest is wrong");
  {
    const std::lock_guard lock(mutex_);
    if (Has(manifest.digest)) return AlreadyExists("blob ", manifest.digest, " is already there");
    if (!receiving_.insert(manifest.digest).second)
      return Unavailable("blob ", manifest.digest, " is being received already");
  }
  auto impl = std::make_unique<Receiver::Impl>();  // its destructor releases the digest
  impl->store = this;
  impl->manifest = manifest;
  impl->part = WithSuffix(PathOf(manifest.digest));
  RETURN_IF_ERROR(impl->Resume());
  return std::unique_ptr<Receiver>(new Receiver(std::move(impl)));
}

void BlobStore::Release(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  receiving_.erase(digest);
}

Status BlobStore::Remove(const Digest& digest) {
  RETURN_IF_ERROR(RemoveFile(PathOf(digest)));
  return RemoveFile(WithSuffix(PathOf(digest)));
}

Status BlobStore::RetainOnly(const std::set<Digest>& keep) {
  std::error_code error;
  for (fs::directory_iterator file(folder_, error), end; !error && file != end; file.increment(error)) {
    const StatusOr<Digest> digest = DigestInName(file->path());
    if (!digest.ok() || keep.contains(*digest)) continue;
    const std::lock_guard lock(mutex_);
    if (!receiving_.contains(*digest)) RETURN_IF_ERROR(RemoveFile(file->path()));
  }
  return error ? ErrnoStatus(error.value(), "listing " + folder_.string()) : Status();
}

std::uint64_t BlobStore::BytesUsed() const {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::directory_iterator file(folder_, error), end; !error && file != end; file.increment(error)) {
    std::error_code gone;  // files come and go meanwhile
    const std::uint64_t size = file->file_size(gone);
    if (!gone && DigestInName(file->path()).ok()) bytes += size;
  }
  return bytes;
}

}  // namespace consilium::transport
