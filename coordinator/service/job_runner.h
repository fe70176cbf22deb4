// One job on this coordinator: its machine, and the hands that execute the machine's actions in order.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>
#include <set>

#include "comm/transport/blob_store.h"
#include "comm/wire/job.h"
#include "coordinator/core/job_machine.h"
#include "coordinator/core/round_metrics.h"
#include "coordinator/service/access_table.h"
#include "coordinator/service/job_folder.h"
#include "coordinator/service/journal.h"
#include "coordinator/service/model_file.h"
#include "coordinator/service/site_board.h"

namespace consilium::coordinator {

// What a runner needs of its process.  All of it outlives the runner.
struct RunnerServices {
  boost::asio::io_context* loop = nullptr;      // one thread runs it: the strand
  boost::asio::thread_pool* workers = nullptr;  // joined before the runner dies
  transport::BlobStore* blobs = nullptr;
  AccessTable* access = nullptr;
  const std::map<SiteName, crypto::RawPublicKey>* signing_keys = nullptr;  // the roster's; null: none
  const Clock* clock = &SystemClock();
  std::function<void(const SiteName&, wire::CoordinatorMessage)> send;         // to a connected site
  std::function<void(const SiteName&, const std::string& reason)> disconnect;  // end the site's session
  SiteBoard::TrafficOf traffic{};                                              // shown in status; may be empty
  std::function<void(const Status&)> die;  // the coordinator cannot go on: disk full, journal damaged
  std::function<void()> finished;          // the job is over, its results are written
  std::function<void()> tidy_blobs;        // LiveBlobs() has shrunk: remove what no job needs
  std::function<Status(const std::string& event, const Json& fields)> audit;  // null: nobody keeps a log
  std::function<secagg::AuditPoint()> audit_point;                            // of that log; null as well
};

// Strand-bound.
class JobRunner {
 public:
  // `records` are the journal's, empty for a new job.  Errors: DataLoss when a blob that the journal counts on is gone.
  static StatusOr<std::unique_ptr<JobRunner>> Create(const JobFolder& folder, std::unique_ptr<Journal> journal,
                                                     const std::vector<Record>& records, JobMachine machine,
                                                     RunnerServices services);

  void Start();
  void Connected(const SiteName& site, const wire::Capability& capability = {});
  void Disconnected(const SiteName& site, const Status& reason);
  void Heard(const SiteName& site, wire::SiteMessage message);
  // Writes status.json now.
  void WriteStatus();
  // An operator's word: AbortJob, PauseJob, ResumeJob.
  void Tell(const Input& word) { Step(word); }
  // The job goes on no more in this runner, which lets go of the journal.
  void Retire();

  const JobState& state() const { return machine_.state(); }
  const JobMachine& machine() const { return machine_; }
  const SiteBoard& board() const { return board_; }
  Journal* journal() { return journal_.get(); }  // null: retired or dead
  const JobFolder& folder() const { return folder_; }
  // Blobs that the job needs; the others can go.
  std::set<Digest> LiveBlobs() const { return machine_.LiveBlobs(); }

 private:
  JobRunner(JobFolder folder, std::unique_ptr<Journal> journal, JobMachine machine, RunnerServices services);
  Status OpenViews(const std::vector<Record>& records);

  void Step(const Input& input);
  void Execute(const Persist& action);
  void Execute(const Send& action);
  void Execute(const SetTimer& action);
  void Execute(const CheckUpdate& action);
  void Execute(const FoldRound& action);
  void Execute(const Publish& action);
  void Execute(const Finish& action);
  void Execute(const Report& action);
  void Execute(const BuildLocalModels& action);
  void Execute(const Disconnect& action);
  void Execute(const MakePlan& action);
  void Execute(const KeepModel& action);
  Status ReadFederation();
  void WritePlanViews() const;
  StatusOr<SecureSetting> SettingOf() const;
  UpdateRules UpdateRulesOf() const;
  StatusOr<FoldDone> Fold(const FoldRound& fold, const std::vector<SiteName>& sites) const;
  StatusOr<LocalModelsBuilt> Build(const BuildLocalModels& action) const;
  StatusOr<wire::BlobManifest> Keep(const std::filesystem::path& file) const;
  void MarkStatus();
  void Die(const Status& status);
  // Runs `work` in a worker thread, and what it returns on the strand.
  void InWorker(std::function<std::function<void()>()> work);

  JobFolder folder_;
  std::unique_ptr<Journal> journal_;
  JobMachine machine_;
  RunnerServices services_;
  wire::FederationSpec federation_;  // constant once started
  wire::SitePrivacySpec site_privacy_;
  std::unique_ptr<JsonLines> events_, metrics_;
  RoundMetrics round_metrics_;
  SiteBoard board_;
  std::map<std::uint64_t, std::unique_ptr<boost::asio::steady_timer>> timers_;
  boost::asio::steady_timer status_timer_;
  bool status_due_ = false;
  std::map<SiteName, std::size_t> drops_;
  bool dead_ = false;
};

}  // namespace consilium::coordinator
