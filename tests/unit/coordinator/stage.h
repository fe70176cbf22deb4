// Plays one machine line by line and keeps what it did as text: named scenarios read like the exchange they describe.
//
//   Stage stage({.mode = "close"});
//   stage.Connect("a").Connect("b").Connect("c");
//   stage.Update("a", 0);
//   EXPECT_EQ(stage.TakeLines(), "...");
//
// Updates that it checks are good and folds succeed, both at once, unless told otherwise.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "coordinator/core/job_machine.h"
#include "job_fixture.h"

namespace consilium::coordinator {

class Stage {
 public:
  // `secure`: of a job in mode secure.
  explicit Stage(const JobOptions& options = {}, SecureSetting secure = {});

  Stage& Connect(const std::string& site, const wire::Capability& capability = AbleSite());
  Stage& Disconnect(const std::string& site);
  Stage& Say(const std::string& site, wire::SiteMessage message);
  Stage& Update(const std::string& site, int round, int attempt = 0, double weight = 1);
  Stage& Prepared(const std::string& site, const wire::TaskKey& task);
  Stage& Fail(const std::string& site, const wire::TaskKey& task, const std::string& message,
              StatusCode code = StatusCode::kFailed);
  Stage& Report(const std::string& site, int round, double dice);
  Stage& Validated(const std::string& site, const wire::TaskKey& task, double dice, double cases = 1);
  Stage& Beat(const std::string& site, const wire::Heartbeat& beat) { return Say(site, beat); }
  // An operator's or the shell's word.
  Stage& Tell(const Input& input) { return Step(input); }
  // This site's heartbeats stop, or go on.
  Stage& Mute(const std::string& site) { return mute_.insert(SiteName(site)), *this; }
  // Moves time on and fires the timers that are due, in order; meanwhile connected sites beat.
  Stage& Advance(Duration by);
  // The coordinator dies and comes back; everybody is disconnected.
  Stage& Restart(const std::vector<SiteName>& lost_updates = {});

  // From now on checks of this site's updates end so; nullopt: they stay pending until AnswerChecks().
  void SetVerdict(const std::string& site, std::optional<Status> verdict) { verdicts_[SiteName(site)] = verdict; }
  Stage& AnswerChecks();
  bool hold_folds = false;
  std::optional<std::string> fail_folds;  // with these words

  // How many timers are armed that the machine still awaits.
  std::size_t awaited_timers() const;

  // What happened since the last call, a line each: "persist RoundOpened", "send a Task trial/round 0.0",
  // "report round_closed {...}", "timer 100s", "fold a*1 b*2", "finish".
  std::string TakeLines();
  // Only the lines that begin so.
  std::string TakeLines(const std::string& prefix);
  // The newest question about a secure sum that the site was asked.
  const wire::SecureRequest& Asked(const std::string& site) const { return asked_.at(SiteName(site)); }
  const JobState& state() const { return machine_->state(); }
  const JobMachine& machine() const { return *machine_; }
  Instant now() const { return now_; }
  const std::vector<Record>& journal() const { return journal_; }

 private:
  Stage& Step(const Input& input);
  void Execute(const Action& action);

  JobOptions options_;
  SecureSetting secure_;
  std::map<SiteName, wire::SecureRequest> asked_;
  std::optional<JobMachine> machine_;
  Instant now_{};
  std::vector<Record> journal_;
  JobState replica_;  // the journal's records applied one by one
  std::multimap<Instant, std::uint64_t> timers_;
  std::vector<Input> next_;
  std::vector<CheckUpdate> held_checks_;
  std::map<SiteName, std::optional<Status>> verdicts_;
  std::set<SiteName> mute_;
  std::vector<std::string> lines_;
};

}  // namespace consilium::coordinator
