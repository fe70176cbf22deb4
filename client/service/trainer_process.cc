#include "client/service/trainer_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <csignal>

#include "client/service/trainer_log.h"
#include "comm/base/entropy.h"
#include "comm/base/log.h"
#include "comm/wire/frame.h"

namespace consilium::client {
namespace {

constexpr auto kWatchInterval = std::chrono::milliseconds(100);
constexpr Duration kGoneGrace = std::chrono::seconds(3);  // from the closed socket to SIGKILL

StatusOr<int> Listen(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  CONSILIUM_CHECK(text.size() < sizeof address.sun_path, text);
  text.copy(address.sun_path, text.size());
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return ErrnoStatus(errno, "making a socket");
  ::unlink(text.c_str());
  // The mode applies from the first moment: the folder is ours alone.
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(text.c_str(), 0600) != 0 || ::listen(descriptor, 1) != 0) {
    const Status status = ErrnoStatus(errno, "listening on " + text);
    ::close(descriptor);
    return status;
  }
  return descriptor;
}

}  // namespace

// Shared with the reading thread's posts, so that a post that comes late finds its flag and not a dead object.
class TrainerProcess::Channel : public std::enable_shared_from_this<Channel> {
 public:
  Channel(int listener, std::filesystem::path path, boost::asio::io_context* loop)
      : path_(std::move(path)), loop_(loop), listener_(listener), stop_(::eventfd(0, EFD_CLOEXEC)) {}

  ~Channel() {
    Abandon();
    for (const int descriptor : {listener_, stop_, connection_.load()})
      if (descriptor >= 0) ::close(descriptor);
  }

  void Start(std::function<void(wire::WorkerMessage)> on_message, std::function<void(Status)> on_closed) {
    reader_ = std::thread([this, on_message = std::move(on_message), on_closed = std::move(on_closed)] {
      const Status status = Read(on_message);
      Post([on_closed, status] { on_closed(status); });
    });
  }

  Status Send(const wire::WorkerRequest& request) {
    const int connection = connection_.load();
    if (connection < 0) return Unavailable("the trainer is not connected");
    return wire::WriteFrame(connection, wire::Encode(request));
  }

  bool connected() const { return connection_.load() >= 0; }

  // Ends the thread; nothing that it posted is delivered any more.
  void Abandon() {
    abandoned_ = true;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(stop_, &one, sizeof one);
    if (const int connection = connection_.load(); connection >= 0) ::shutdown(connection, SHUT_RDWR);
    if (reader_.joinable()) reader_.join();
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

 private:
  void Post(std::function<void()> deliver) {
    boost::asio::post(*loop_, [self = shared_from_this(), deliver = std::move(deliver)] {
      if (!self->abandoned_) deliver();
    });
  }

  Status Accept() {
    pollfd waits[2] = {{listener_, POLLIN, 0}, {stop_, POLLIN, 0}};
    while (::poll(waits, 2, -1) < 0)
      if (errno != EINTR) return ErrnoStatus(errno, "waiting for the trainer");
    if (waits[1].revents != 0) return Cancelled("stopped");
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return ErrnoStatus(errno, "accepting the trainer");
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != ::getuid()) {
      ::close(connection);
      return PermissionDenied("another user's process connected to the trainer's socket");
    }
    connection_ = connection;
    if (abandoned_) ::shutdown(connection, SHUT_RDWR);  // Abandon may have looked before it was there
    return Status();
  }

  Status Read(const std::function<void(wire::WorkerMessage)>& on_message) {
    RETURN_IF_ERROR(Accept());
    for (;;) {
      ASSIGN_OR_RETURN(const std::optional<Bytes> frame, wire::ReadFrame(connection_, wire::kMessageBytesMax));
      if (!frame) return Status();
      ASSIGN_OR_RETURN(wire::WorkerMessage message, wire::DecodeWorkerMessage(*frame));
      Post([on_message, message = std::move(message)] { on_message(message); });
    }
  }

  const std::filesystem::path path_;
  boost::asio::io_context* const loop_;
  const int listener_, stop_;
  std::atomic<int> connection_ = -1;
  std::atomic<bool> abandoned_ = false;
  std::thread reader_;
};

StatusOr<std::unique_ptr<TrainerProcess>> TrainerProcess::Start(const TrainerOptions& options,
                                                                boost::asio::io_context* loop, Handlers handlers) {
  // A fresh name: an orphan of an earlier life must not find the new socket.
  const std::filesystem::path path = options.socket_folder / ("trainer-" + RandomHex(SystemEntropy(), 4) + ".sock");
  ASSIGN_OR_RETURN(const int listener, Listen(path));
  const auto channel = std::make_shared<Channel>(listener, path, loop);
  RETURN_IF_ERROR(RotateLog(options.log));
  const std::uint64_t log_begin = LogBytes(options.log);
  SubprocessOptions child_options{.arguments = options.command, .output = options.log};
  for (const std::string& argument : {std::string("worker"), std::string("--socket"), path.string()})
    child_options.arguments.push_back(argument);
  for (const std::string& argument : options.worker_arguments) child_options.arguments.push_back(argument);
  ASSIGN_OR_RETURN(Subprocess child, Subprocess::Start(child_options));
  std::unique_ptr<TrainerProcess> process(
      new TrainerProcess(options, loop, std::move(handlers), std::move(child), log_begin));
  process->channel_ = channel;
  TrainerProcess* self = process.get();  // the channel is abandoned before the process dies
  channel->Start(self->handlers_.on_message, [self](const Status& status) {
    if (!status.ok() && self->killed_because_.empty()) self->killed_because_ = status.message();
    self->OnGone();
  });
  self->Watch();
  return process;
}

TrainerProcess::TrainerProcess(const TrainerOptions& options, boost::asio::io_context* loop, Handlers handlers,
                               Subprocess child, std::uint64_t log_begin)
    : options_(options),
      handlers_(std::move(handlers)),
      child_(std::move(child)),
      log_begin_(log_begin),
      watch_(*loop),
      started_(SystemClock().Now()) {}

TrainerProcess::~TrainerProcess() {
  *alive_ = false;
  channel_->Abandon();
  child_.Stop(std::chrono::seconds(2));
}

Status TrainerProcess::Send(const wire::WorkerRequest& request) { return channel_->Send(request); }

void TrainerProcess::Kill(const std::string& why) {
  killed_because_ = why;
  child_.Signal(SIGKILL);
}

void TrainerProcess::OnGone() {
  if (!gone_since_) gone_since_ = SystemClock().Now();
}

// The end is told once the process is buried and the socket read to its end, whichever comes last.
void TrainerProcess::Watch() {
  watch_.expires_after(kWatchInterval);
  // A timer that has run out before it is cancelled still calls, without an error.
  watch_.async_wait([this, alive = alive_](const boost::system::error_code& error) {
    if (error || !*alive) return;
    const Instant now = SystemClock().Now();
    const std::optional<ExitResult> result = child_.Poll();
    if (result && !channel_->connected()) OnGone();
    if (!channel_->connected() && killed_because_.empty() && now - started_ > options_.greeting_timeout)
      Kill(Concat("it did not greet within ", FormatDuration(options_.greeting_timeout)));
    if (result && gone_since_) return handlers_.on_end(HowItEnded(*result));
    if (gone_since_ && now - *gone_since_ > kGoneGrace) child_.Signal(SIGKILL);
    if (const Status bounded = BoundLog(options_.log); !bounded.ok())
      Log(LogLevel::kWarning, "trainer_log_not_bounded", {{"reason", bounded.message()}});
    Watch();
  });
}

std::string TrainerProcess::HowItEnded(const ExitResult& result) const {
  std::string how = killed_because_.empty() ? "" : killed_because_ + "; ";
  how += result.ToString();
  const std::string words = LastWords(options_.log, log_begin_);
  return words.empty() ? how : how + "; its last words: " + words;
}

}  // namespace consilium::client
