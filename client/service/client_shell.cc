#include "client/service/client_shell.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include "client/service/coordinator_link.h"
#include "client/service/masked_file.h"
#include "client/service/site_accounts.h"
#include "client/service/site_capability.h"
#include "client/service/trainer_seat.h"
#include "client/service/work_folder.h"
#include "client/site/site_desk.h"
#include "comm/base/command.h"
#include "comm/base/entropy.h"
#include "comm/base/folder_lock.h"
#include "comm/base/log.h"

namespace consilium::client {
namespace {

double Jitter() {
  std::uint8_t bytes[2];
  SystemEntropy().Fill(bytes);
  return (bytes[0] | bytes[1] << 8) / 65536.0;
}

void LogEvent(const std::string& event, const Json& fields) {
  std::vector<LogField> log_fields;
  for (const auto& [key, value] : fields.items())
    if (!value.is_null()) log_fields.emplace_back(key, value.is_string() ? value.get<std::string>() : value.dump());
  const bool unusual = event == "trainer_died" || event == "task_failed" || event == "connection_lost" ||
                       event == "disk_full" || event == "fetch_interrupted" || event == "upload_interrupted" ||
                       event == "secure_refused";
  Log(unusual ? LogLevel::kWarning : LogLevel::kInfo, event, log_fields);
}

TrainerOptions TrainerFor(const ClientOptions& options, const WorkFolder& folder) {
  TrainerOptions trainer{.socket_folder = folder.sockets(), .log = folder.trainer_log()};
  if (options.ranks.count > 1) {
    trainer.command = {options.ranks.launcher, "-np", std::to_string(options.ranks.count)};
    for (const std::string& option : options.ranks.launcher_options) trainer.command.push_back(option);
    trainer.worker_arguments = {"--gang"};
  }
  trainer.worker_arguments.insert(
      trainer.worker_arguments.end(),
      {"--cases-min", std::to_string(options.statistics_cases_min), "--ledgers", folder.ledgers().string()});
  trainer.command.push_back(options.trainer.string());
  return trainer;
}

class Client {
 public:
  Client(const ClientOptions& options, WorkFolder folder, std::unique_ptr<transport::BlobStore> blobs,
         SessionState state, std::unique_ptr<SiteDesk> desk);
  Status Run();

 private:
  void Step(const Input& input);
  void Execute(const Dial&) { link_->Dial(); }
  void Execute(const HangUp&) { link_->HangUp(); }
  void Execute(const Send& action);
  void Execute(const AskSite& action);
  void Execute(const SetTimer& action);
  void Execute(const Persist& action);
  void Execute(const Fetch& action);
  void Execute(const Upload& action);
  void Execute(const RunTask& action);
  void Execute(const CancelTask& action) { trainer_->Cancel(action.task); }
  void Execute(const StopWorker& action) { trainer_->Kill(action.why); }
  void Execute(const Tidy&);
  void Execute(const Finish& action) { Stop(action.status); }
  void Execute(const MaskVector& action);
  StatusOr<wire::BlobManifest> WriteMasked(const MaskVector& action, const std::filesystem::path& update,
                                           const std::filesystem::path& masked);
  void Execute(const Report& action);
  void Stop(Status status);
  void WarnOfKit();

  ClientOptions options_;
  WorkFolder folder_;
  std::unique_ptr<transport::BlobStore> blobs_;
  boost::asio::io_context loop_;
  boost::asio::signal_set signals_;
  std::unique_ptr<SiteDesk> desk_;
  SiteAccounts accounts_;
  SessionMachine machine_;
  boost::asio::steady_timer kit_timer_;
  std::map<std::uint64_t, std::unique_ptr<boost::asio::steady_timer>> timers_;
  bool stopping_ = false;
  Status outcome_;
  boost::asio::thread_pool masking_{1};
  std::unique_ptr<TrainerSeat> trainer_;
  std::unique_ptr<CoordinatorLink> link_;
};

Client::Client(const ClientOptions& options, WorkFolder folder, std::unique_ptr<transport::BlobStore> blobs,
               SessionState state, std::unique_ptr<SiteDesk> desk)
    : options_(options),
      folder_(std::move(folder)),
      blobs_(std::move(blobs)),
      signals_(loop_, SIGINT, SIGTERM),
      desk_(std::move(desk)),
      accounts_(folder_.ledgers(), &SystemEntropy()),
      machine_(std::move(state), options.session),
      kit_timer_(loop_) {
  transport::GrpcClientOptions link = transport::ClientOptionsFrom(options_.kit);
  link.proxy = options_.proxy;
  link.blobs = blobs_.get();
  link.hello = {.build = kVersion, .instance = RandomHex(SystemEntropy(), 8), .capability = SiteCapability()};
  if (!options_.session.secure) link.hello.capability.features.erase("secure_aggregation");
  link_ = std::make_unique<CoordinatorLink>(
      std::move(link), &loop_,
      CoordinatorLink::Handlers{
          .on_message = [this](wire::CoordinatorMessage message) { Step(FromCoordinator{std::move(message)}); },
          .on_lost =
              [this](const Status& reason) {
                Step(ConnectionLost{reason, Jitter()});
              }});
  trainer_ = std::make_unique<TrainerSeat>(TrainerFor(options_, folder_), &loop_, [this](const TrainerEvent& event) {
    std::visit([this](const auto& input) { Step(input); }, event);
  });
}

Status Client::Run() {
  signals_.async_wait([this](const boost::system::error_code& error, int number) {
    if (!error)
      Stop(Preempted("stopped by signal ", number,
                     "; unfinished work goes on when the client is started again with "
                     "--state ",
                     options_.state.string()));
  });
  Log(LogLevel::kInfo, "client",
      {{"site", options_.kit.self.name},
       {"coordinator", Concat(options_.kit.coordinator_host, ":", options_.kit.coordinator_port)},
       {"data", options_.data.string()},
       {"remembered", machine_.state().outcomes().size()}});
  WarnOfKit();
  Step(Started{});
  loop_.run();
  stopping_ = true;
  masking_.join();
  trainer_.reset();  // before the link, whose end may take as long as a dial
  link_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_.sockets(), ignored);
  if (const Status noted = desk_->NoteStop(outcome_); !noted.ok())
    Log(LogLevel::kError, "audit_failed", {{"reason", noted.message()}});
  return outcome_;
}

// At the start, and twice a day: a client runs for months.
void Client::WarnOfKit() {
  for (const std::string& warning : desk_->Warnings()) Log(LogLevel::kWarning, "site", {{"what", warning}});
  kit_timer_.expires_after(std::chrono::hours(12));
  kit_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) WarnOfKit();
  });
}

void Client::Step(const Input& input) {
  if (stopping_) return;
  for (const Action& action : machine_.Step(input, SystemClock().Now())) {
    std::visit([this](const auto& alternative) { Execute(alternative); }, action);
    if (stopping_) return;
  }
}

void Client::Execute(const Send& action) {
  const wire::SiteMessage message = desk_->Filtered(action.message);
  if (const auto* report = std::get_if<wire::EvaluationReport>(&message))
    if (const Status status = desk_->NoteReport(*report); !status.ok()) return Stop(status);
  link_->Send(message);
}

void Client::Execute(const AskSite& action) {
  const StatusOr<SiteAnswer> answer = desk_->Ask(action.task, action.job_json);
  if (!answer.ok()) return Stop(Annotate(answer.status(), "noting what was asked of this site"));
  boost::asio::post(loop_, [this, answer = *answer] { Step(answer); });
}

void Client::Execute(const SetTimer& action) {
  auto timer = std::make_unique<boost::asio::steady_timer>(loop_);
  timer->expires_after(std::chrono::duration_cast<boost::asio::steady_timer::duration>(action.after));
  timer->async_wait([this, id = action.id](const boost::system::error_code& error) {
    if (error) return;
    const auto alive = timers_.extract(id);
    Step(TimerFired{id});
  });
  timers_[action.id] = std::move(timer);
}

void Client::Execute(const Persist& action) {
  if (const Status status = folder_.Save(action.state); !status.ok()) Stop(status);
}

void Client::Execute(const Fetch& action) {
  link_->Fetch(action.model, [this, transfer = action.transfer](const Status& status, std::uint64_t bytes_moved) {
    Step(TransferDone{transfer, status, bytes_moved});
  });
}

void Client::Execute(const Upload& action) {
  if (const Status status = desk_->NoteRelease(action.task, action.update); !status.ok()) return Stop(status);
  link_->Upload(action.task, action.update, folder_.PathOf(action.file),
                [this, transfer = action.transfer](const Status& status, std::uint64_t bytes_moved) {
                  Step(TransferDone{transfer, status, bytes_moved});
                });
}

void Client::Execute(const RunTask& action) {
  if (action.privacy)
    if (const Status within = accounts_.CheckAnother(action.task.job.value(), *action.privacy); !within.ok())
      return boost::asio::post(loop_, [this, task = action.task, within] {
        Step(WorkerRefused{task, within.code(), within.message()});
      });
  if (const Status status = desk_->NoteRun(action.task, action.model); !status.ok()) return Stop(status);
  if (const Status status = folder_.Prepare(action.task.job); !status.ok()) return Stop(status);
  wire::WorkerTask task{.task = action.task,
                        .job_json = action.job_json,
                        .data_dir = options_.data.string(),
                        .model_path = blobs_->PathOf(action.model).string(),
                        .site = options_.kit.self.name};
  if (action.auxiliary) task.auxiliary_path = blobs_->PathOf(*action.auxiliary).string();
  if (!action.state_in.empty()) task.state_in = folder_.PathOf(action.state_in).string();
  if (wire::HasUpload(action.task.kind)) task.update_path = folder_.PathOf(UpdateFile(action.task)).string();
  if (action.task.kind == wire::TaskKind::kEvaluate) task.output_dir = folder_.predictions(action.task.job).string();
  if (action.task.kind == wire::TaskKind::kValidate)
    task.output_dir = (folder_.predictions(action.task.job) / "validation").string();
  if (action.task.kind == wire::TaskKind::kTrain) task.state_out = folder_.PathOf(StateFile(action.task)).string();
  trainer_->Run(task);
}

void Client::Execute(const Report& action) {
  LogEvent(action.event, action.fields);
  if (const Status status = desk_->NoteSum(action.event, action.fields); !status.ok()) Stop(status);
}

StatusOr<wire::BlobManifest> Client::WriteMasked(const MaskVector& action, const std::filesystem::path& update,
                                                 const std::filesystem::path& masked) {
  if (const auto* input = std::get_if<std::shared_ptr<const secagg::VectorInput>>(&action.content))
    return WriteMaskedFile(update, *action.masks, **input, masked);
  const NoisyRelease& noisy = *std::get<std::shared_ptr<const NoisyRelease>>(action.content);
  ASSIGN_OR_RETURN(SecretBytes secret, accounts_.Pay(noisy));
  return WriteNoisyFile(update, *action.masks,
                        {.plan = noisy.plan,
                         .clip = noisy.clip,
                         .secret = std::move(secret),
                         .release = noisy.release,
                         .threads = noisy.threads},
                        masked);
}

// Off the strand: it takes a pass over the model.
void Client::Execute(const MaskVector& action) {
  boost::asio::post(masking_, [this, action, update = folder_.PathOf(action.update_file),
                               masked = folder_.PathOf(action.masked_file)] {
    const StatusOr<wire::BlobManifest> manifest = WriteMasked(action, update, masked);
    VectorMasked done{.task = action.task, .session = action.session, .status = manifest.status()};
    if (manifest.ok()) done.vector = *manifest;
    boost::asio::post(loop_, [this, done] { Step(done); });
  });
}

void Client::Execute(const Tidy&) {
  folder_.Tidy(machine_.LiveFiles());
  if (const Status status = blobs_->RetainOnly(machine_.LiveBlobs()); !status.ok())
    Log(LogLevel::kWarning, "blobs_not_removed", {{"reason", status.message()}});
}

void Client::Stop(Status status) {
  if (stopping_) return;
  stopping_ = true;
  outcome_ = std::move(status);
  loop_.stop();
}

}  // namespace

Status RunClient(const ClientOptions& options) {
  ASSIGN_OR_RETURN(const FolderLock lock, FolderLock::Acquire(options.state));
  ASSIGN_OR_RETURN(WorkFolder folder, WorkFolder::Open(options.state));
  ASSIGN_OR_RETURN(std::unique_ptr<transport::BlobStore> blobs, transport::BlobStore::Open(folder.blobs()));
  ASSIGN_OR_RETURN(SessionState state, folder.Load());
  ASSIGN_OR_RETURN(std::unique_ptr<SiteDesk> desk, SiteDesk::Open({.kit = options.kit, .state = options.state}));
  ClientOptions asking = options;
  asking.session.consent = SessionOptions::Consent::kAsk;
  return Client(asking, std::move(folder), std::move(blobs), std::move(state), std::move(desk)).Run();
}

}  // namespace consilium::client
