#include "coordinator/service/local_door.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>

namespace consilium::coordinator {
namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;

constexpr char kName[] = "control.sock";
constexpr std::size_t kLineBytesMax = 64u << 10;
constexpr auto kPatience = std::chrono::seconds(10);

// A socket's address holds about 100 bytes, which a state folder's path may exceed: the way through an open descriptor
// is short.
class ShortPath {
 public:
  explicit ShortPath(const std::filesystem::path& folder)
      : descriptor_(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {}
  ~ShortPath() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  ShortPath(const ShortPath&) = delete;
  ShortPath& operator=(const ShortPath&) = delete;
  bool ok() const { return descriptor_ >= 0; }
  std::string socket() const { return Concat("/proc/self/fd/", descriptor_, "/", kName); }

 private:
  const int descriptor_;
};

Json ErrorJson(const Status& status) {
  return {{"error", {{"code", static_cast<int>(status.code())}, {"message", status.message()}}}};
}

// One visitor: a line read, a line written.
class Visit : public std::enable_shared_from_this<Visit> {
 public:
  Visit(stream_protocol::socket socket, asio::io_context* loop, const LocalDoor::Answer* answer)
      : socket_(std::move(socket)), timer_(*loop, kPatience), buffer_(kLineBytesMax), answer_(answer) {}

  void Start() {
    timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      boost::system::error_code ignored;
      if (!error) self->socket_.close(ignored);
    });
    asio::async_read_until(socket_, buffer_, '\n',
                           [self = shared_from_this()](const boost::system::error_code& error, std::size_t size) {
                             error ? self->End() : self->Reply(size);
                           });
  }

 private:
  void Reply(std::size_t size) {
    const std::string line(asio::buffers_begin(buffer_.data()),
                           asio::buffers_begin(buffer_.data()) + static_cast<std::ptrdiff_t>(size));
    const StatusOr<Json> request = ParseJson(line, "the question");
    StatusOr<Json> reply = request.ok() && request->is_object() ? (*answer_)(*request)
                           : request.ok()                       ? StatusOr<Json>(InvalidArgument("not a question"))
                                                                : request.status();
    reply_ = (reply.ok() ? *reply : ErrorJson(reply.status())).dump() + "\n";
    asio::async_write(socket_, asio::buffer(reply_),
                      [self = shared_from_this()](const boost::system::error_code&, std::size_t) { self->End(); });
  }
  void End() {
    timer_.cancel();
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

  stream_protocol::socket socket_;
  asio::steady_timer timer_;
  asio::streambuf buffer_;
  const LocalDoor::Answer* const answer_;  // the door's, which outlives what the loop runs
  std::string reply_;
};

}  // namespace

struct LocalDoor::Impl {
  Impl(asio::io_context* loop, Answer answer) : loop(loop), answer(std::move(answer)), acceptor(*loop) {}
  void Accept() {
    acceptor.async_accept([this](const boost::system::error_code& error, stream_protocol::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (!error) std::make_shared<Visit>(std::move(socket), loop, &answer)->Start();
      Accept();
    });
  }
  asio::io_context* const loop;
  const Answer answer;
  stream_protocol::acceptor acceptor;
  std::filesystem::path path;
};

LocalDoor::LocalDoor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

LocalDoor::~LocalDoor() { ::unlink(impl_->path.c_str()); }

StatusOr<std::unique_ptr<LocalDoor>> LocalDoor::Open(const std::filesystem::path& state, asio::io_context* loop,
                                                     Answer answer) {
  auto impl = std::make_unique<Impl>(loop, std::move(answer));
  impl->path = state / kName;
  ::unlink(impl->path.c_str());  // of a killed predecessor: the folder's lock is ours
  const ShortPath way(state);
  if (!way.ok()) return ErrnoStatus(errno, "opening " + state.string());
  boost::system::error_code error;
  impl->acceptor.open(stream_protocol(), error);
  const mode_t before = ::umask(0177);
  if (!error) impl->acceptor.bind(stream_protocol::endpoint(way.socket()), error);
  ::umask(before);
  if (!error) impl->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return ErrnoStatus(error.value(), "making " + impl->path.string());
  impl->Accept();
  return std::unique_ptr<LocalDoor>(new LocalDoor(std::move(impl)));
}

StatusOr<Json> AskLocally(const std::filesystem::path& state, const Json& request, Duration timeout) {
  const ShortPath way(state);
  if (!way.ok()) return ErrnoStatus(errno, "opening the state folder " + state.string());
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return ErrnoStatus(errno, "making a socket");
  const std::unique_ptr<const int, void (*)(const int*)> closer(&descriptor, [](const int* open) { ::close(*open); });
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout).count();
  const timeval limit{std::max<time_t>(1, seconds), 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, way.socket().c_str(), sizeof address.sun_path - 1);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return Unavailable("no coordinator works in ", state.string(), " (", std::strerror(errno), ")");
  const std::string line = request.dump() + "\n";
  if (::send(descriptor, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size()))
    return Unavailable("the coordinator in ", state.string(), " does not listen");
  std::string text;
  char part[4096];
  for (ssize_t size; text.find('\n') == std::string::npos;) {
    size = ::recv(descriptor, part, sizeof part, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      return DeadlineExceeded("the coordinator in ", state.string(), " did not answer within ",
                              FormatDuration(timeout));
    if (size <= 0) return Unavailable("the coordinator in ", state.string(), " ended the conversation");
    text.append(part, static_cast<std::size_t>(size));
  }
  ASSIGN_OR_RETURN(const Json reply, ParseJson(text, "the coordinator's answer"));
  if (!reply.contains("error")) return reply;
  return Status(static_cast<StatusCode>(reply["error"].value("code", 1)), reply["error"].value("message", "it failed"));
}

}  // namespace consilium::coordinator
