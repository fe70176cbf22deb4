#include "client/service/client_shell.h"

#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <deque>

#include "client/service/connection.h"
#include "client/service/site_folder.h"
#include "client/service/trainer_child.h"
#include "comm/base/command.h"
#include "comm/base/entropy.h"
#include "comm/base/file.h"
#include "comm/base/log.h"
#include "comm/base/rng.h"

namespace consilium::client {

namespace asio = boost::asio;

namespace {

std::uint64_t RandomSeed() {
  std::uint64_t seed = 0;
  SystemEntropy().Fill({reinterpret_cast<std::uint8_t*>(&seed), sizeof seed});
  return seed;
}

// Fields of a report as one log line.
void LogReport(const Report& report) {
  std::string fields;
  for (const auto& [name, value] : report.fields.items())
    fields += (fields.empty() ? "" : " ") + name + "=" + (value.is_string() ? value.get<std::string>() : value.dump());
  Log(LogLevel::kInfo, report.event, {{"detail", fields}});
}

class Shell {
 public:
  Shell(ClientOptions options, SiteFolder folder, std::unique_ptr<transport::BlobStore> blobs, SessionState state)
      : options_(std::move(options)),
        folder_(std::move(folder)),
        blobs_(std::move(blobs)),
        machine_(std::move(state), options_.session),
        jitter_(RandomSeed()),
        signals_(strand_, SIGTERM, SIGINT),
        connection_(
            strand_, ConnectionOptions(),
            {.on_message = [this](wire::CoordinatorMessage message) { Feed(FromCoordinator{std::move(message)}); },
             .on_lost =
                 [this](Status reason) {
                   Feed(ConnectionLost{std::move(reason), jitter_.Uniform()});
                 }}),
        trainer_(strand_, {.program = options_.trainer, .log = folder_.trainer_log()},
                 {.on_message = [this](wire::WorkerMessage message) { OnWorker(std::move(message)); },
                  .on_death = [this](std::string how) { OnTrainerDeath(how); }}) {}

  Status Run() {
    signals_.async_wait([this](const boost::system::error_code& error, int signal_number) {
      if (error) return;
      Log(LogLevel::kInfo, "stopping", {{"signal", signal_number}});
      Stop(Status());
    });
    asio::post(strand_, [this] { Feed(Started{}); });
    strand_.run();
    return outcome_;
  }

 private:
  transport::GrpcClientOptions ConnectionOptions() const {
    transport::GrpcClientOptions connection = options_.connection;
    connection.blobs = blobs_.get();
    connection.hello.build = kVersion;
    connection.hello.instance = RandomHex(SystemEntropy(), 8);
    return connection;
  }

  // One input at a time: an action may itself produce one, which waits for its turn.
  void Feed(Input input) {
    inputs_.push_back(std::move(input));
    if (feeding_) return;
    feeding_ = true;
    while (!inputs_.empty() && !stopped_) {
      const Input next = std::move(inputs_.front());
      inputs_.pop_front();
      for (const Action& action : machine_.Step(next, SystemClock().Now())) {
        if (stopped_) break;
        std::visit([this](const auto& alternative) { Do(alternative); }, action);
      }
    }
    feeding_ = false;
  }

  void Do(const Dial&) { connection_.Dial(); }
  void Do(const HangUp&) { connection_.HangUp(); }
  void Do(const Send& send) { connection_.Send(send.message); }
  void Do(const SetTimer& timer) {
    auto clock = std::make_shared<asio::steady_timer>(
        strand_, std::chrono::duration_cast<asio::steady_timer::duration>(timer.after));
    clock->async_wait([this, clock, id = timer.id](const boost::system::error_code& error) {
      if (!error) Feed(TimerFired{id});
    });
  }
  void Do(const Persist& persist) {
    if (const Status status = folder_.WriteState(persist.state); !status.ok())
      Stop(Annotate(status, "remembering finished work"));
  }
  void Do(const Fetch& fetch) {
    connection_.Fetch(fetch.model, [this, id = fetch.transfer](Status result) {
      Feed(TransferDone{id, std::move(result)});
    });
  }
  void Do(const Upload& upload) {
    connection_.Upload(upload.task, upload.update, folder_.work(upload.file),
                       [this, id = upload.transfer](Status result) {
                         Feed(TransferDone{id, std::move(result)});
                       });
  }
  void Do(const RunTask& run);
  void Do(const CancelTask&) { trainer_.Send(wire::WorkerCancel{}); }
  void Do(const StopWorker& stop) {
    Log(LogLevel::kWarning, "trainer_stopped", {{"why", stop.why}});
    trainer_.Kill();
  }
  void Do(const Tidy&) {
    folder_.RetainOnly(machine_.LiveFiles());
    if (const Status status = blobs_->RetainOnly(machine_.LiveBlobs()); !status.ok())
      Log(LogLevel::kWarning, "tidy_failed", {{"reason", status.message()}});
  }
  void Do(const Finish& finish) { Stop(finish.status); }
  void Do(const Report& report) { LogReport(report); }

  void OnWorker(wire::WorkerMessage message) {
    std::visit([this](const auto& alternative) { OnWorkerSaid(alternative); }, message);
  }
  void OnWorkerSaid(const wire::WorkerHello& hello) { Log(LogLevel::kInfo, "trainer_ready", {{"build", hello.build}}); }
  void OnWorkerSaid(const wire::WorkerProgress& progress) {
    Feed(WorkerProgressed{progress.task, progress.progress, progress.metrics});
  }
  void OnWorkerSaid(const wire::WorkerDone& done);
  void OnWorkerSaid(const wire::WorkerFailed& failed) { Feed(WorkerRefused{failed.task, failed.code, failed.message}); }
  void OnTrainerDeath(const std::string& how) {
    if (running_) Feed(WorkerDied{*running_, how});
  }

  void Stop(Status outcome) {
    if (stopped_) return;
    stopped_ = true;
    outcome_ = std::move(outcome);
    strand_.stop();
  }

  const ClientOptions options_;
  const SiteFolder folder_;
  const std::unique_ptr<transport::BlobStore> blobs_;
  SessionMachine machine_;
  Rng jitter_;
  std::deque<Input> inputs_;
  bool feeding_ = false, stopped_ = false;
  Status outcome_;
  std::optional<wire::TaskKey> running_;  // given to the trainer last

  // The strand before what posts to it, so that it goes last.
  asio::io_context strand_{1};
  asio::signal_set signals_;
  Connection connection_;
  TrainerChild trainer_;
};

void Shell::Do(const RunTask& run) {
  running_ = run.task;
  wire::WorkerTask task;
  task.task = run.task;
  task.job_json = run.job_json;
  task.data_dir = options_.data.string();
  task.model_path = blobs_->PathOf(run.model).string();
  Status folders;
  if (run.task.kind == wire::TaskKind::kTrain) {
    task.update_path = folder_.work(UpdateFile(run.task)).string();
    task.state_out = folder_.work(StateFile(run.task)).string();
    if (!run.state_in.empty()) task.state_in = folder_.work(run.state_in).string();
    folders = MakeDirectories(std::filesystem::path(task.update_path).parent_path());
  } else {
    task.output_dir = folder_.predictions(run.task.job).string();
    folders = MakeDirectories(task.output_dir);
  }
  if (!folders.ok()) return Stop(folders);
  trainer_.Send(task);
}

void Shell::OnWorkerSaid(const wire::WorkerDone& done) {
  if (done.task.kind != wire::TaskKind::kTrain) return Feed(WorkerFinished{done.task, done.weight, done.metrics, {}});
  using Manifest = StatusOr<wire::BlobManifest>;
  connection_.InBackground<Manifest>(
      [file = folder_.work(UpdateFile(done.task))] { return wire::ManifestOfFile(file); },
      [this, done](Manifest manifest) {
        if (manifest.ok()) return Feed(WorkerFinished{done.task, done.weight, done.metrics, *manifest});
        Feed(WorkerRefused{done.task, manifest.code(),
                           "the trainer's update cannot be read: " + manifest.status().message()});
      });
}

}  // namespace

Status RunClient(ClientOptions options) {
  ASSIGN_OR_RETURN(SiteFolder folder, SiteFolder::Open(options.state));
  ASSIGN_OR_RETURN(std::unique_ptr<transport::BlobStore> blobs, transport::BlobStore::Open(folder.blobs()));
  ASSIGN_OR_RETURN(SessionState state, folder.ReadState());
  Shell shell(std::move(options), std::move(folder), std::move(blobs), std::move(state));
  return shell.Run();
}

}  // namespace consilium::client
