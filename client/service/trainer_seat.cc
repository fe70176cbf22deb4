#include "client/service/trainer_seat.h"

#include <boost/asio/post.hpp>

#include "client/service/masked_file.h"
#include "comm/base/log.h"

namespace consilium::client {
namespace {

constexpr auto kCancelGrace = std::chrono::seconds(10);

}  // namespace

TrainerSeat::TrainerSeat(TrainerOptions options, boost::asio::io_context* loop,
                         std::function<void(const TrainerEvent&)> on_event)
    : options_(std::move(options)), loop_(loop), on_event_(std::move(on_event)), cancel_timer_(*loop) {}

TrainerSeat::~TrainerSeat() {
  *alive_ = false;
  child_.reset();
  hashing_.join();
}

void TrainerSeat::Tell(TrainerEvent event) {
  boost::asio::post(*loop_, [this, alive = alive_, event = std::move(event)] {
    if (*alive) on_event_(event);
  });
}

void TrainerSeat::Run(const wire::WorkerTask& task) {
  CONSILIUM_CHECK(!task_, "the trainer has a task in hand already");
  task_ = task;
  if (child_) {
    if (greeted_) Give();
    return;
  }
  greeted_ = false;
  StatusOr<std::unique_ptr<TrainerProcess>> child =
      TrainerProcess::Start(options_, loop_,
                            {.on_message = [this](const wire::WorkerMessage& message) { OnMessage(message); },
                             .on_end = [this](const std::string& how) { OnEnd(how); }});
  if (!child.ok()) {
    task_.reset();
    return Tell(WorkerDied{task.task, "it could not be started: " + child.status().message()});
  }
  child_ = std::move(child).value();
  Log(LogLevel::kInfo, "trainer_started", {{"pid", child_->pid()}, {"log", options_.log.string()}});
}

void TrainerSeat::Give() {
  if (const Status sent = child_->Send(*task_); !sent.ok()) child_->Kill(sent.message());
}

void TrainerSeat::Cancel(const wire::TaskKey& task) {
  if (!IsInHand(task) || !child_) return;
  if (!greeted_ || !child_->Send(wire::WorkerCancel{}).ok()) return child_->Kill("its task was cancelled");
  cancel_timer_.expires_after(kCancelGrace);
  cancel_timer_.async_wait([this, alive = alive_, task](const boost::system::error_code& error) {
    if (!error && *alive && IsInHand(task)) Kill("it did not stop within 10 s of being asked");
  });
}

void TrainerSeat::Kill(const std::string& why) {
  if (child_) child_->Kill(why);
}

void TrainerSeat::OnMessage(const wire::WorkerMessage& message) {
  std::visit([this](const auto& alternative) { Handle(alternative); }, message);
}

void TrainerSeat::Handle(const wire::WorkerHello& hello) {
  if (hello.protocol != wire::kWorkerProtocol)
    return child_->Kill(Concat("it speaks worker protocol ", hello.protocol, ", this client ", wire::kWorkerProtocol,
                               "; install programs of one version"));
  greeted_ = true;
  Log(LogLevel::kInfo, "trainer_ready", {{"build", hello.build}});
  if (task_) Give();
}

void TrainerSeat::Handle(const wire::WorkerProgress& progress) {
  if (IsInHand(progress.task)) Tell(WorkerProgressed{progress.task, progress.progress, progress.metrics});
}

void TrainerSeat::Handle(const wire::WorkerFailed& failed) {
  if (!IsInHand(failed.task)) return;
  task_.reset();
  cancel_timer_.cancel();
  Tell(WorkerRefused{failed.task, failed.code, failed.message});
}

// The update's manifest takes a pass over the file, so it is made off the strand.
void TrainerSeat::Handle(const wire::WorkerDone& done) {
  if (!IsInHand(done.task)) return;
  const std::string path = task_->update_path;
  task_.reset();
  cancel_timer_.cancel();
  if (!wire::HasUpload(done.task.kind)) return Tell(WorkerFinished{done.task, done.weight, done.metrics, {}});
  boost::asio::post(hashing_, [this, done, path] {
    const StatusOr<wire::BlobManifest> manifest = wire::ManifestOfFile(path);
    // Of what cannot be summed in secret there are none; only a job that asks for that will mind.
    const StatusOr<std::uint64_t> elements = ElementsOfUpdate(path);
    if (manifest.ok())
      return Tell(WorkerFinished{done.task, done.weight, done.metrics, *manifest, elements.ok() ? *elements : 0});
    Tell(WorkerRefused{done.task, manifest.code(),
                       "the trainer reported success, but its update cannot be read: " + manifest.status().message()});
  });
}

void TrainerSeat::OnEnd(const std::string& how) {
  const std::optional<wire::WorkerTask> task = std::exchange(task_, std::nullopt);
  greeted_ = false;
  cancel_timer_.cancel();
  // We are inside the child's own handler: it goes when that has returned.
  boost::asio::post(*loop_, [child = std::shared_ptr<TrainerProcess>(std::move(child_))] {});
  if (task)
    Tell(WorkerDied{task->task, how});
  else
    Log(LogLevel::kWarning, "idle_trainer_ended", {{"how", how}});
}

}  // namespace consilium::client
