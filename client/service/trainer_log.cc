#include "client/service/trainer_log.h"

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "comm/base/file.h"

namespace consilium::client {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kRotateBytes = 4 << 20;
constexpr std::uint64_t kBytesMax = 16 << 20;
constexpr std::uint64_t kTailBytes = 1 << 20;
constexpr std::size_t kWordsBytesMax = 2048;
constexpr int kWordsLinesMax = 20;

fs::path Older(const fs::path& log) { return log.string() + ".1"; }

std::string ReadFrom(const fs::path& log, std::uint64_t begin) {
  std::ifstream in(log, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(begin));
  std::string text(kTailBytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  return text;
}

}  // namespace

std::uint64_t LogBytes(const fs::path& log) {
  std::error_code error;
  const std::uintmax_t bytes = fs::file_size(log, error);
  return error ? 0 : bytes;
}

Status RotateLog(const fs::path& log) {
  if (LogBytes(log) < kRotateBytes) return Status();
  std::error_code error;
  fs::rename(log, Older(log), error);
  return error ? ErrnoStatus(error.value(), "rotating " + log.string()) : Status();
}

// The writer keeps its descriptor, so the file cannot be renamed away from it; in append mode it goes on at the new
// end.
Status BoundLog(const fs::path& log) {
  const std::uint64_t bytes = LogBytes(log);
  if (bytes < kBytesMax) return Status();
  RETURN_IF_ERROR(WriteFileAtomic(Older(log), ReadFrom(log, bytes - kTailBytes), 0600));
  std::error_code error;
  fs::resize_file(log, 0, error);
  return error ? ErrnoStatus(error.value(), "truncating " + log.string()) : Status();
}

std::string LastWords(const fs::path& log, std::uint64_t begin) {
  const std::uint64_t bytes = LogBytes(log);
  if (bytes < begin) begin = 0;  // it was cut meanwhile
  std::string text = ReadFrom(log, std::max(begin, bytes > kWordsBytesMax ? bytes - kWordsBytesMax : 0));
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n') c = ' ';
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::size_t at = text.size();
  for (int lines = 0; lines < kWordsLinesMax && at != std::string::npos; ++lines)
    at = at == 0 ? std::string::npos : text.rfind('\n', at - 1);
  return at == std::string::npos ? text : text.substr(at + 1);
}

}  // namespace consilium::client
