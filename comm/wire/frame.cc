#include "comm/wire/frame.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

namespace consilium::wire {
namespace {

// Memory grows with what really arrives, not with what was announced.
constexpr std::size_t kReadStep = 64 << 10;

Status SendAll(int descriptor, ByteSpan bytes) {
  while (!bytes.empty()) {
    ssize_t sent = ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == ENOTSOCK) sent = ::write(descriptor, bytes.data(), bytes.size());
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EPIPE || errno == ECONNRESET) return Unavailable("the peer closed its end of the socket");
      return ErrnoStatus(errno, "sending a message");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return {};
}

// Reads up to `out.size()` bytes; fewer only at the end of the stream.
StatusOr<std::size_t> ReadFully(int descriptor, std::span<std::uint8_t> out) {
  std::size_t got = 0;
  while (got < out.size()) {
    const ssize_t count = ::read(descriptor, out.data() + got, out.size() - got);
    if (count == 0) break;
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == ECONNRESET) return Unavailable("the peer closed its end of the socket");
      return ErrnoStatus(errno, "receiving a message");
    }
    got += static_cast<std::size_t>(count);
  }
  return got;
}

}  // namespace

Status WriteFrame(int descriptor, ByteSpan message) {
  if (message.size() > std::numeric_limits<std::uint32_t>::max())
    return ResourceExhausted("a message of ", message.size(), " bytes does not fit a frame of 4 GiB");
  ByteWriter writer;
  writer.PutBytes(message);  // one buffer, so that a small message is one segment
  return SendAll(descriptor, writer.bytes());
}

StatusOr<std::optional<Bytes>> ReadFrame(int descriptor, std::size_t size_max) {
  std::array<std::uint8_t, 4> prefix{};
  ASSIGN_OR_RETURN(const std::size_t prefix_bytes, ReadFully(descriptor, prefix));
  if (prefix_bytes == 0) return std::optional<Bytes>();
  if (prefix_bytes < prefix.size()) return DataLoss("the stream ended inside a message's size");
  const std::size_t size = ByteReader(prefix).Get<std::uint32_t>();
  if (size > size_max)
    return DataLoss("the peer announces a message of ", size, " bytes; at most ", size_max, " are accepted");
  Bytes message;
  while (message.size() < size) {
    const std::size_t begin = message.size();
    message.resize(std::min(size, begin + kReadStep));
    ASSIGN_OR_RETURN(const std::size_t got, ReadFully(descriptor, std::span(message).subspan(begin)));
    if (begin + got < message.size())
      return DataLoss("the stream ended after ", begin + got, " of a message's ", size, " bytes");
  }
  return std::optional<Bytes>(std::move(message));
}

}  // namespace consilium::wire
