#include "coordinator/service/archive.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

#include "comm/base/digest.h"
#include "comm/base/entropy.h"
#include "comm/base/file.h"
#include "comm/base/time.h"

namespace consilium::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlock = 512;
constexpr std::size_t kPiece = 1 << 20;
constexpr char kManifest[] = "MANIFEST.json";
constexpr std::uint64_t kManifestBytesMax = 64u << 20;
constexpr std::uint64_t kOctalMax = (std::uint64_t{1} << 33) - 1;  // 11 octal digits

struct Header {
  char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6], version[2],
      user[32], group[32], device_major[8], device_minor[8], prefix[155], padding[12];
};
static_assert(sizeof(Header) == kBlock);

std::uint32_t ChecksumOf(const Header& header) {
  Header blank = header;
  std::memset(blank.checksum, ' ', sizeof blank.checksum);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) sum += reinterpret_cast<const unsigned char*>(&blank)[i];
  return sum;
}

StatusOr<Header> MakeHeader(const std::string& name, std::uint64_t bytes) {
  Header header{};
  if (name.size() >= sizeof header.name) return Failed(name, " is too long a name for a backup");
  std::memcpy(header.name, name.data(), name.size());
  std::memcpy(header.mode, "0000600", 8);
  std::memcpy(header.uid, "0000000", 8);
  std::memcpy(header.gid, "0000000", 8);
  std::memcpy(header.mtime, "00000000000", 12);
  if (bytes <= kOctalMax) {
    std::snprintf(header.size, sizeof header.size, "%011llo", static_cast<unsigned long long>(bytes));
  } else {
    header.size[0] = '\x80';
    for (std::size_t i = 0; i < 8; ++i) header.size[11 - i] = static_cast<char>(bytes >> (8 * i));
  }
  header.type = '0';
  std::memcpy(header.magic, "ustar", 6);
  std::memcpy(header.version, "00", 2);
  std::snprintf(header.checksum, sizeof header.checksum, "%06o", ChecksumOf(header));
  header.checksum[7] = ' ';
  return header;
}

StatusOr<std::uint64_t> SizeIn(const Header& header) {
  if (header.size[0] == '\x80') {
    std::uint64_t bytes = 0;
    for (std::size_t i = 4; i < 12; ++i) bytes = bytes << 8 | static_cast<unsigned char>(header.size[i]);
    return bytes;
  }
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < 11; ++i) {
    if (header.size[i] < '0' || header.size[i] > '7') return DataLoss("a file's size is damaged");
    bytes = bytes * 8 + static_cast<std::uint64_t>(header.size[i] - '0');
  }
  return bytes;
}

std::size_t PaddingAfter(std::uint64_t bytes) { return (kBlock - bytes % kBlock) % kBlock; }

Status PackFile(AtomicFile* out, const fs::path& file, const std::string& name, Json* files) {
  std::error_code error;
  const std::uint64_t bytes = fs::file_size(file, error);
  if (error) return ErrnoStatus(error.value(), "packing " + file.string());
  ASSIGN_OR_RETURN(const Header header, MakeHeader(name, bytes));
  RETURN_IF_ERROR(out->Write(ByteSpan(reinterpret_cast<const std::uint8_t*>(&header), kBlock)));
  std::ifstream in(file, std::ios::binary);
  Sha256 digest;
  Bytes piece(kPiece);
  for (std::uint64_t done = 0; done < bytes;) {
    in.read(reinterpret_cast<char*>(piece.data()),
            static_cast<std::streamsize>(std::min<std::uint64_t>(piece.size(), bytes - done)));
    const auto size = static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0));
    if (size == 0) return Storage("reading ", file.string(), " ended at byte ", done, " of ", bytes);
    digest.Update(ByteSpan(piece).first(size));
    RETURN_IF_ERROR(out->Write(ByteSpan(piece).first(size)));
    done += size;
  }
  (*files)[name] = {{"bytes", bytes}, {"sha256", digest.Finish().ToHex()}};
  return out->Write(Bytes(PaddingAfter(bytes)));
}

// jobs/<name>/<file> or blobs/<digest>: nothing that could lead out of the folder.
bool IsPlainName(const std::string& name) {
  if (name.empty() || name.front() == '/' || name.back() == '/') return false;
  for (const fs::path& part : fs::path(name))
    if (part == ".." || part == "." || part.empty()) return false;
  return name.starts_with("jobs/") || name.starts_with("blobs/");
}

class Unpacker {
 public:
  Unpacker(const fs::path& archive, const fs::path& folder)
      : archive_(archive), folder_(folder), in_(archive, std::ios::binary) {}

  StatusOr<Json> Run() {
    if (!in_) return ErrnoStatus(errno, "opening " + archive_.string());
    for (;;) {
      Header header{};
      RETURN_IF_ERROR(Read(reinterpret_cast<char*>(&header), kBlock));
      if (header.name[0] == '\0') return DataLoss("it ends without ", kManifest, ": it is not a whole backup");
      unsigned int checksum = 0;
      if (std::sscanf(header.checksum, "%6o", &checksum) != 1 || checksum != ChecksumOf(header) || header.type != '0')
        return DataLoss("it is damaged, or not a backup of a coordinator");
      const std::string name(header.name, strnlen(header.name, sizeof header.name));
      ASSIGN_OR_RETURN(const std::uint64_t bytes, SizeIn(header));
      if (name == kManifest) return CheckManifest(bytes);
      RETURN_IF_ERROR(UnpackFile(name, bytes));
    }
  }

 private:
  Status Read(char* data, std::size_t size) {
    in_.read(data, static_cast<std::streamsize>(size));
    return static_cast<std::size_t>(in_.gcount()) == size ? Status() : DataLoss("it is cut short");
  }
  Status Skip(std::size_t size) {
    std::array<char, kBlock> padding;
    return Read(padding.data(), size);
  }

  Status UnpackFile(const std::string& name, std::uint64_t bytes) {
    if (!IsPlainName(name) || found_.contains(name)) return DataLoss("it holds '", name, "', which no backup does");
    RETURN_IF_ERROR(MakeDirectories((folder_ / name).parent_path()));
    ASSIGN_OR_RETURN(AtomicFile out, AtomicFile::Create(folder_ / name, 0600));
    Sha256 digest;
    Bytes piece(kPiece);
    for (std::uint64_t done = 0; done < bytes;) {
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), bytes - done));
      RETURN_IF_ERROR(Read(reinterpret_cast<char*>(piece.data()), size));
      digest.Update(ByteSpan(piece).first(size));
      RETURN_IF_ERROR(out.Write(ByteSpan(piece).first(size)));
      done += size;
    }
    RETURN_IF_ERROR(out.Commit());
    found_[name] = {{"bytes", bytes}, {"sha256", digest.Finish().ToHex()}};
    return Skip(PaddingAfter(bytes));
  }

  StatusOr<Json> CheckManifest(std::uint64_t bytes) {
    if (bytes > kManifestBytesMax) return DataLoss("its manifest is damaged");
    std::string text(static_cast<std::size_t>(bytes), '\0');
    RETURN_IF_ERROR(Read(text.data(), text.size()));
    ASSIGN_OR_RETURN(Json manifest, ParseJson(text, kManifest));
    if (!manifest.is_object() || manifest.value("version", Json()) != 1 || !manifest.contains("files") ||
        !manifest["files"].is_object())
      return DataLoss("its manifest is not of version 1");
    for (const auto& [name, said] : manifest["files"].items()) {
      if (!found_.contains(name)) return DataLoss("it lacks ", name);
      if (found_[name] != said) return DataLoss(name, " is not as it was packed: its SHA-256 is another");
    }
    if (found_.size() != manifest["files"].size()) return DataLoss("it holds files that its manifest does not name");
    return manifest;
  }

  const fs::path archive_, folder_;
  std::ifstream in_;
  Json found_ = Json::object();
};

}  // namespace

StatusOr<Json> PackArchive(const fs::path& folder, const fs::path& output) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (entry->is_regular_file()) names.push_back(fs::relative(entry->path(), folder).string());
  if (error) return ErrnoStatus(error.value(), "listing " + folder.string());
  std::sort(names.begin(), names.end());
  ASSIGN_OR_RETURN(AtomicFile out, AtomicFile::Create(output, 0600));
  Json manifest = {{"version", 1}, {"made", FormatUtc(SystemClock().WallNow())}, {"files", Json::object()}};
  for (const std::string& name : names) RETURN_IF_ERROR(PackFile(&out, folder / name, name, &manifest["files"]));
  const std::string text = manifest.dump(1) + "\n";
  ASSIGN_OR_RETURN(const Header header, MakeHeader(kManifest, text.size()));
  RETURN_IF_ERROR(out.Write(ByteSpan(reinterpret_cast<const std::uint8_t*>(&header), kBlock)));
  RETURN_IF_ERROR(out.Write(std::string_view(text)));
  RETURN_IF_ERROR(out.Write(Bytes(PaddingAfter(text.size()) + 2 * kBlock)));  // tar ends with two empty blocks
  RETURN_IF_ERROR(out.Commit());
  return manifest;
}

StatusOr<Json> UnpackArchive(const fs::path& archive, const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_empty(folder, error))
    return AlreadyExists(folder.string(), " is not empty, and is left as it is; restore into another folder");
  const fs::path target = fs::absolute(folder.lexically_normal().has_filename() ? folder : folder.parent_path());
  RETURN_IF_ERROR(MakeDirectories(target.parent_path()));
  const fs::path temporary = target.string() + ".restoring-" + RandomHex(SystemEntropy(), 4);
  RETURN_IF_ERROR(MakeDirectories(temporary));
  fs::permissions(temporary, fs::perms::owner_all, error);
  StatusOr<Json> manifest = Unpacker(archive, temporary).Run();
  if (manifest.ok()) {
    fs::remove(target, error);  // an empty folder
    fs::rename(temporary, target, error);
    if (error) manifest = ErrnoStatus(error.value(), "renaming onto " + target.string());
  }
  if (!manifest.ok()) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    return Annotate(manifest.status(), archive.string());
  }
  RETURN_IF_ERROR(SyncDirectory(target.parent_path()));
  return manifest;
}

}  // namespace consilium::coordinator
