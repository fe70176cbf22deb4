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

}  // namespace

void GzipReader::Close::operator()(gzFile_s* file) const { gzclose_r(file); }

StatusOr<GzipReader> GzipReader::Open(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return ErrnoStatus(errno, "opening " + path.string());
  struct stat facts {};
  if (::fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    ::close(descriptor);
    return InvalidArgument(path.string(), " is not a regular file");
  }
  std::unique_ptr<gzFile_s, Close> file(gzdopen(descriptor, "rb"));
  if (file == nullptr) {
    ::close(descriptor);
    return ResourceExhausted(path.string(), ": no memory to decompress");
  }
  gzbuffer(file.get(), kChunkBytes);
  const auto size = static_cast<std::uint64_t>(facts.st_size);
  // gzdirect() looks at the first bytes: plain files, and empty ones, are passed through.
  const bool is_plain = gzdirect(file.get()) == 1;
  return GzipReader(path, std::move(file), is_plain ? size : size * kDeflateRatioMax);
}

StatusOr<std::size_t> GzipReader::ReadSome(std::span<std::uint8_t> out) {
  std::size_t filled = 0;
  while (filled < out.size()) {
    const auto want = static_cast<unsigned>(std::min<std::size_t>(out.size() - filled, 1U << 30));
    const int got = gzread(file_.get(), out.data() + filled, want);
    int error = Z_OK;
    const char* message = gzerror(file_.get(), &error);
    if (error == Z_ERRNO) return ErrnoStatus(errno, "reading " + path_.string());
    if (got < 0 || error == Z_BUF_ERROR) {
      return InvalidArgument(path_.string(), ": the compressed stream is ",
                             error == Z_BUF_ERROR ? "cut off" : "damaged", " after ", at_ + filled, " bytes (",
                             message != nullptr ? message : "no detail", "); copy the file again from its source");
    }
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
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
  constexpr int kGzipWindowBits = 15 + 16;  // + 16: gzip's header and checksum around the stream
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
