#include "client/service/trainer_child.h"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <cerrno>
#include <csignal>

#include "comm/base/file.h"
#include "comm/base/log.h"
#include "comm/wire/frame.h"

namespace consilium::client {

namespace fs = std::filesystem;

namespace {

constexpr std::uintmax_t kLogBytesMax = 8 << 20;  // then the log begins anew; the former one is kept once
constexpr std::size_t kLastWordsMax = 600;

void RotateLog(const fs::path& log) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(log, error);
  if (!error && size > kLogBytesMax) fs::rename(log, log.string() + ".1", error);
}

}  // namespace

struct TrainerChild::Running {
  Subprocess process;
  int descriptor;
  std::jthread reader;

  Running(Subprocess child, int descriptor) : process(std::move(child)), descriptor(descriptor) {}
  ~Running() {
    ::shutdown(descriptor, SHUT_RDWR);  // the reader sees the end
    process.Signal(SIGKILL);
    if (reader.joinable()) reader.join();
    ::close(descriptor);
  }
};

TrainerChild::TrainerChild(boost::asio::io_context& strand, TrainerChildOptions options, Events events)
    : strand_(strand), options_(std::move(options)), events_(std::move(events)) {}

TrainerChild::~TrainerChild() = default;

Status TrainerChild::Start() {
  RotateLog(options_.log);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return ErrnoStatus(errno, "making a socket pair");
  StatusOr<Subprocess> process =
      Subprocess::Start({.arguments = {options_.program.string(), "worker", "--fd", std::to_string(ends[1])},
                         .inherited = {ends[1]},
                         .output = options_.log});
  ::close(ends[1]);
  if (!process.ok()) {
    ::close(ends[0]);
    return process.status();
  }
  Log(LogLevel::kInfo, "trainer_started", {{"pid", process->pid()}});
  running_ = std::make_unique<Running>(std::move(process).value(), ends[0]);
  const std::uint64_t generation = ++generation_;
  // Copies of what the thread needs; `this` is only touched on the strand, where a stale generation is ignored.
  running_->reader = std::jthread([this, generation, descriptor = ends[0]] {
    for (;;) {
      StatusOr<std::optional<Bytes>> frame = wire::ReadFrame(descriptor, wire::kMessageBytesMax);
      if (!frame.ok() || !frame->has_value()) break;
      StatusOr<wire::WorkerMessage> message = wire::DecodeWorkerMessage(**frame);
      if (!message.ok()) break;  // not our trainer
      boost::asio::post(strand_, [this, generation, message = *std::move(message)]() mutable {
        if (generation == generation_ && running_) events_.on_message(std::move(message));
      });
    }
    boost::asio::post(strand_, [this, generation] { OnClosed(generation); });
  });
  return Status();
}

void TrainerChild::Send(const wire::WorkerRequest& request) {
  if (!running_) {
    if (const Status status = Start(); !status.ok()) {
      boost::asio::post(strand_, [this, how = status.message()] { events_.on_death(how); });
      return;
    }
  }
  // A child that died under the write is told by its reader.
  if (const Status status = wire::WriteFrame(running_->descriptor, wire::Encode(request)); !status.ok())
    Log(LogLevel::kWarning, "trainer_write_failed", {{"reason", status.message()}});
}

void TrainerChild::Kill() {
  if (running_) running_->process.Signal(SIGKILL);
}

void TrainerChild::OnClosed(std::uint64_t generation) {
  if (generation != generation_ || !running_) return;
  // It closed its socket, so it is ending; one that lingers is not waited for.
  const ExitResult result = running_->process.Stop(std::chrono::seconds(2));
  running_.reset();
  const std::string words = LastWords();
  const std::string how = result.ToString() + (words.empty() ? "" : "; its last words: " + words);
  Log(LogLevel::kWarning, "trainer_ended", {{"how", how}});
  events_.on_death(how);
}

// The end of its log, from the beginning of a line.
std::string TrainerChild::LastWords() const {
  const StatusOr<std::string> text = ReadFile(options_.log, kLogBytesMax * 2);
  if (!text.ok()) return "";
  std::string words = text->size() > kLastWordsMax ? text->substr(text->size() - kLastWordsMax) : *text;
  if (text->size() > kLastWordsMax) words.erase(0, words.find('\n') + 1);
  while (!words.empty() && words.back() == '\n') words.pop_back();
  return words;
}

}  // namespace consilium::client
