#include "datasets/image/gzip.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "comm/base/file.h"

namespace consilium::datasets {
namespace {

constexpr std::uint64_t kDeflateRatioMax = 1032;  // a 258-byte match in two bits
constexpr std::size_t kChunkBytes = std::size_t{1} << 16;
constexpr int kGzipWindowBits = 15 + 16;  // + 16: gzip's header and checksum around the stream

}  // namespace

// zlib's own gzread() is not used: it takes a file that breaks off inside the checksum for a whole one.
struct GzipReader::Source {
  int descriptor = -1;
  bool is_compressed = false;
  bool is_inflating = false;      // `stream` needs inflateEnd
  bool has_member_ended = false;  // a gzip file is one compressed member or several
  bool is_done = false;
  z_stream stream{};
  std::vector<std::uint8_t> input = std::vector<std::uint8_t>(kChunkBytes);

  ~Source() {
    if (is_inflating) inflateEnd(&stream);
    ::close(descriptor);
  }
  // Fills `input` when all of it is used; avail_in stays 0 at the file's end.
  Status Refill(const std::filesystem::path& path) {
    if (stream.avail_in > 0) return Status();
    ssize_t got = 0;
    do {
      got = ::read(descriptor, input.data(), input.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0) return ErrnoStatus(errno, "reading " + path.string());
    stream.next_in = input.data();
    stream.avail_in = static_cast<uInt>(got);
    return Status();
  }
  std::size_t CopyPlain(std::span<std::uint8_t> out) {
    const std::size_t size = std::min<std::size_t>(out.size(), stream.avail_in);
    std::copy_n(stream.next_in, size, out.data());
    stream.next_in += size;
    stream.avail_in -= static_cast<uInt>(size);
    return size;
  }
};

GzipReader::GzipReader(std::filesystem::path path, std::unique_ptr<Source> source, std::uint64_t content_bytes_max)
    : path_(std::move(path)), source_(std::move(source)), content_bytes_max_(content_bytes_max) {}
GzipReader::GzipReader(GzipReader&&) noexcept = default;
GzipReader::~GzipReader() = default;

StatusOr<GzipReader> GzipReader::Open(const std::filesystem::path& path) {
  auto source = std::make_unique<Source>();
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  source->descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (source->descriptor < 0) return ErrnoStatus(errno, "opening " + path.string());
  struct stat facts {};
  if (::fstat(source->descriptor, &facts) != 0 || !S_ISREG(facts.st_mode))
    return InvalidArgument(path.string(), " is not a regular file");
  const auto size = static_cast<std::uint64_t>(facts.st_size);
  RETURN_IF_ERROR(source->Refill(path));
  source->is_compressed = source->stream.avail_in >= 2 && source->input[0] == 0x1f && source->input[1] == 0x8b;
  if (!source->is_compressed) return GzipReader(path, std::move(source), size);
  if (inflateInit2(&source->stream, kGzipWindowBits) != Z_OK)
    return ResourceExhausted(path.string(), ": no memory to decompress");
  source->is_inflating = true;
  return GzipReader(path, std::move(source), size * kDeflateRatioMax);
}

StatusOr<std::size_t> GzipReader::ReadSome(std::span<std::uint8_t> out) {
  Source& source = *source_;
  std::size_t filled = 0;
  const auto broken = [&](const char* how, const char* detail) {
    return InvalidArgument(path_.string(), ": the compressed stream is ", how, " after ", at_ + filled, " bytes",
                           detail, "; copy the file again from its source");
  };
  while (filled < out.size() && !source.is_done) {
    RETURN_IF_ERROR(source.Refill(path_));
    const bool is_at_end = source.stream.avail_in == 0;
    if (!source.is_compressed) {
      source.is_done = is_at_end;
      filled += source.CopyPlain(out.subspan(filled));
      continue;
    }
    if (source.has_member_ended) {
      // Another member, or padding that some tapes and copiers leave behind.
      source.is_done = is_at_end || *source.stream.next_in != 0x1f;
      if (source.is_done) break;
      inflateReset(&source.stream);
      source.has_member_ended = false;
    }
    if (is_at_end) return broken("cut off", "");
    const auto room = static_cast<uInt>(std::min<std::size_t>(out.size() - filled, 1U << 30));
    source.stream.next_out = out.data() + filled;
    source.stream.avail_out = room;
    const int result = inflate(&source.stream, Z_NO_FLUSH);
    filled += room - source.stream.avail_out;
    source.has_member_ended = result == Z_STREAM_END;
    if (result == Z_MEM_ERROR) return ResourceExhausted(path_.string(), ": no memory to decompress");
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      const std::string detail = source.stream.msg != nullptr ? Concat(" (", source.stream.msg, ")") : "";
      return broken("damaged", detail.c_str());
    }
  }
  at_ += filled;
  return filled;
}

Status GzipReader::Read(std::span<std::uint8_t> out) {
  const std::uint64_t begin = at_;
  ASSIGN_OR_RETURN(const std::size_t got, ReadSome(out));
  if (got == out.size()) return Status();
  return InvalidArgument(path_.string(), " is cut off: it ends after ", at_, " bytes where at least ",
                         begin + out.size(), " were expected; copy the file again from its source");
}

Status GzipReader::Skip(std::uint64_t bytes) {
  std::array<std::uint8_t, 4096> dump;
  while (bytes > 0) {
    const std::span<std::uint8_t> part(dump.data(),
                                       static_cast<std::size_t>(std::min<std::uint64_t>(bytes, dump.size())));
    RETURN_IF_ERROR(Read(part));
    bytes -= part.size();
  }
  return Status();
}

Status GzipReader::Finish() {
  std::vector<std::uint8_t> dump(kChunkBytes);
  for (;;) {
    ASSIGN_OR_RETURN(const std::size_t got, ReadSome(dump));
    if (got < dump.size()) return Status();
  }
}

Status WriteGzip(const std::filesystem::path& path, ByteSpan content) {
  ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindowBits, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return ResourceExhausted(path.string(), ": no memory to compress");
  const std::unique_ptr<z_stream, void (*)(z_stream*)> end(&stream, [](z_stream* s) { deflateEnd(s); });
  std::vector<std::uint8_t> out(kChunkBytes);
  for (int result = Z_OK; result != Z_STREAM_END;) {
    if (stream.avail_in == 0 && !content.empty()) {  // avail_in is 32-bit, content need not be
      const ByteSpan part = content.first(std::min<std::size_t>(content.size(), 1U << 30));
      stream.next_in = const_cast<Bytef*>(part.data());
      stream.avail_in = static_cast<uInt>(part.size());
      content = content.subspan(part.size());
    }
    stream.next_out = out.data();
    stream.avail_out = static_cast<uInt>(out.size());
    result = deflate(&stream, content.empty() ? Z_FINISH : Z_NO_FLUSH);
    CONSILIUM_CHECK(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR, "deflate: ", result);
    RETURN_IF_ERROR(file.Write(ByteSpan(out.data(), out.size() - stream.avail_out)));
  }
  return file.Commit();
}

}  // namespace consilium::datasets
