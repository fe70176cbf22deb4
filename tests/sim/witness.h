// Sees everything that a simulated federation makes durable, says and computes, and knows what may never happen.  It
// keeps its own picture of the job from the durable records alone; what it holds against a run is written down with the
// instant, and ends the run.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "client/core/session_state.h"
#include "comm/sim/trace.h"
#include "coordinator/core/job_state.h"
#include "fake_trainer.h"

namespace consilium::simtest {

class Witness {
 public:
  // `trace` outlives the witness.
  Witness(const Scenario& scenario, sim::Trace* trace);

  // --- the coordinator
  // Append has returned for the record: it may never be missing again.
  void OnRecordDurable(const Bytes& bytes);
  // What a restarted coordinator read: everything durable, and at most one record more (written, but not yet returned).
  void OnRecordsRecovered(const std::vector<Bytes>& records);
  void OnCoordinatorSays(const SiteName& site, const wire::CoordinatorMessage& message);
  void OnMachineState(const coordinator::JobState& state);
  // What came out of a secure sum of these sites: has to be the mean of what they trained in that round.
  void OnSummedInSecret(Round round, const std::vector<SiteName>& sites, const Model& mean);

  // --- sites
  void OnSessionDurable(const SiteName& site, const client::SessionState& state);
  void OnSessionRecovered(const SiteName& site, const client::SessionState& state);
  void OnSiteSays(const SiteName& site, const wire::SiteMessage& message);
  void OnTrained(const SiteName& site, const wire::TaskKey& task, const TrainedModel& trained);
  void OnSiteRefused() { ++refusals_; }  // a task, honestly
  void OnSiteEnded(const SiteName& site, const Status& status);

  // --- the end
  void OnNotLive(const std::string& what) { Hold("not live: " + what); }
  void OnJobOver();

  void Hold(const std::string& violation);
  const std::vector<std::string>& violations() const { return violations_; }
  bool finished() const { return durable_.phase() == coordinator::Phase::kFinished; }
  const coordinator::JobState& durable() const { return durable_; }

 private:
  // Mode async: a site may contribute to a round more than once, each time with another attempt.
  using UpdateKey = std::tuple<SiteName, Round, Attempt>;
  struct Said {
    Digest update;
    double weight = 0;
    friend auto operator<=>(const Said&, const Said&) = default;
  };

  void Judge(const coordinator::Record& record);
  void Judge(const coordinator::UpdateAccepted& record);
  void Judge(const coordinator::RoundClosed& record);
  void Judge(const coordinator::ModelPublished& record);
  void Judge(const coordinator::EvaluationAccepted& record);
  void JudgeSaid(const SiteName& site, const wire::Task& task);
  void JudgeSaid(const SiteName& site, const wire::Receipt& receipt);
  void JudgeSaid(const SiteName& site, const wire::StandDown& down);
  void JudgeSaid(const SiteName& site, const wire::JobEnded& ended);
  void JudgeSaid(const SiteName& site, const wire::SecureRequest& question);
  void Judge(const coordinator::UnmaskingBegan& record);

  Scenario scenario_;
  sim::Trace* trace_;
  std::vector<std::string> violations_;

  std::vector<Bytes> records_;     // durable
  coordinator::JobState durable_;  // their fold
  std::map<UpdateKey, Digest> counted_;
  std::size_t replies_ = 0;                                       // accepted updates of the round in hand
  std::set<std::pair<SiteName, wire::TaskKey>> dealt_with_;       // durably, tasks of whatever kind
  std::map<SiteName, std::string> sessions_;                      // durable, as JSON
  std::map<SiteName, std::set<wire::TaskKey>> remembered_;        // outcomes in it
  std::map<std::pair<SiteName, wire::TaskKey>, Digest> trained_;  // what came of a task, whenever it was done
  std::map<Digest, Model> models_;                                // every update that was ever trained
  std::map<std::pair<SiteName, wire::TaskKey>, std::set<Said>> updates_said_;
  std::map<std::pair<SiteName, wire::TaskKey>, wire::Metrics> evaluations_said_;
  std::size_t refusals_ = 0;
  // Mode secure.
  std::map<std::pair<SiteName, Round>, TrainedModel> summands_;  // differences
  std::map<std::pair<SiteName, Round>, Bytes> released_;
};

}  // namespace consilium::simtest
