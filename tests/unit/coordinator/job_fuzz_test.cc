// Whatever sites, timers and the shell say, in whatever order: the machine goes on, its journal replays to its state,
// and it never says to a site that an update counts which the journal does not have.
#include <gtest/gtest.h>

#include <set>

#include "comm/base/entropy.h"
#include "comm/base/rng.h"
#include "coordinator/core/job_machine.h"
#include "job_fixture.h"
#include "round_audit.h"

namespace consilium::coordinator {
namespace {

class Chaos {
 public:
  explicit Chaos(std::uint64_t seed) : rng_(seed), seed_(seed) {
    machine_ = JobMachine::Open(MakeJob(AnyJob())).value();
    Started started{.secure = {.elements = 4}};
    SeededEntropy entropy(1);
    for (const char* site : {"a", "b", "c"})
      started.secure.roster[SiteName(site)] = crypto::SigningKey::Generate(entropy).public_key();
    Step(started);
  }

  void Run(int steps) {
    for (int i = 0; i < steps; ++i) Step(AnyInput());
  }
  bool finished() const { return machine_->state().phase() == Phase::kFinished; }

 private:
  JobOptions AnyJob() {
    const int rounds = static_cast<int>(1 + rng_.Below(3)), sites_min = static_cast<int>(1 + rng_.Below(3));
    JobOptions job{.mode = "wait", .rounds = rounds, .sites_min = sites_min};
    const std::uint64_t mode = rng_.Below(4);
    if (mode == 1) {
      job = AsyncJob(rounds, static_cast<int>(rng_.Below(5)), static_cast<int>(rng_.Below(3)), sites_min);
    } else if (mode == 2) {
      job.mode = "close";
      if (rng_.Bernoulli(0.3)) job.select = Concat(R"(, "fraction": 0.5, "over_select": )", rng_.Below(3));
      if (rng_.Bernoulli(0.3)) job.select += R"(, "enough": 3)";
    }
    if (mode == 3) {
      job = {.mode = "secure", .rounds = rounds, .sites_min = 3};
      job.more = R"(, "secure_aggregation": {"enabled": true, "min_cohort": 3})";
    } else if (rng_.Bernoulli(0.3)) {
      job.more += R"(, "cross_site": true)";
    }
    if (mode != 1 && rng_.Bernoulli(0.5))
      job.more += rng_.Bernoulli(0.3) ? R"(, "evaluate": {"every": 1, "on": "heldout"})"
                                      : R"(, "evaluate": {"every": 1}, "early_stop": {"patience": 1})";
    return job;
  }
  SiteName AnySite() {
    static const char* const kNames[] = {"a", "b", "c", "zz", ""};
    return SiteName(kNames[rng_.Below(5)]);
  }
  wire::TaskKey AnyTask() {
    if (rng_.Bernoulli(0.7)) return machine_->state().KeyFor(AnySite());
    return {JobId(rng_.Bernoulli(0.9) ? "trial" : "other"), Round{static_cast<std::uint32_t>(rng_.Below(5))},
            Attempt{static_cast<std::uint32_t>(rng_.Below(4))}, static_cast<wire::TaskKind>(rng_.Below(4)),
            rng_.Bernoulli(0.8) ? "" : "a"};
  }
  wire::Heartbeat AnyBeat() {
    return {.phase = static_cast<wire::SitePhase>(rng_.Below(5)), .task = AnyTask(), .waiting = {AnyTask()}};
  }
  wire::SecureAnswer AnySecureAnswer() {
    wire::SecureAnswer answer{.task = AnyTask()};
    if (rng_.Bernoulli(0.5)) return answer;  // ready
    answer.session = static_cast<std::uint32_t>(rng_.Below(3));
    answer.stage = static_cast<wire::SecureStage>(rng_.Below(7));
    answer.body.resize(rng_.Below(200));
    for (std::uint8_t& byte : answer.body) byte = static_cast<std::uint8_t>(rng_.Below(256));
    if (rng_.Bernoulli(0.5)) answer.vector = FakeBlob("vector");
    return answer;
  }
  // Of an operator, or of the shell.
  Input AnyWord() {
    switch (rng_.Below(8)) {
      case 0:
        return rng_.Bernoulli(0.05) ? Input(AbortJob{"ada", "enough"}) : Input(PauseJob{"ada"});
      case 1:
      case 2:
        return ResumeJob{"ada"};
      case 3:
        return rng_.Bernoulli(0.05) ? Input(FoldFailed{machine_->state().round(), "NaN"}) : Input(ResumeJob{"bob"});
      default:
        return LocalModelsBuilt{{{SiteName("a"), FakeBlob("local a")}, {SiteName("b"), FakeBlob("local b")}}};
    }
  }
  Input AnyInput() {
    switch (rng_.Below(12)) {
      case 10:
        return AnyWord();
      case 11:
        if (rng_.Bernoulli(0.5)) return FromSite{AnySite(), AnyBeat()};
        if (rng_.Bernoulli(0.8)) return FromSite{AnySite(), AnySecureAnswer()};
        return FromSite{AnySite(), wire::EvaluationReport{AnyTask(), {{"dice", rng_.Uniform()}}}};
      case 0:
        return SiteConnected{AnySite(), rng_.Bernoulli(0.9) ? AbleSite() : wire::Capability{}};
      case 1:
        return rng_.Bernoulli(0.5) ? Input(SiteDisconnected{AnySite(), ""}) : Input(SiteConnected{AnySite()});
      case 2:
        return TimerFired{rng_.Bernoulli(0.1) ? timers_ : rng_.Below(timers_ + 2)};
      case 3: {
        wire::BlobManifest blob = FakeBlob(Concat("update", rng_.Below(4)));
        if (rng_.Bernoulli(0.05)) blob.bytes = std::uint64_t{1} << 40;
        return FromSite{AnySite(), wire::UpdateReady{AnyTask(), blob, rng_.Uniform(-0.1, 2), {}}};
      }
      case 4:
        return FromSite{AnySite(), wire::EvaluationReport{AnyTask(), {{"dice", rng_.Uniform()}}}};
      case 5:
        return rng_.Bernoulli(0.2) ? Input(FromSite{AnySite(), wire::TaskFailed{AnyTask(), StatusCode::kOk, "x"}})
                                   : Input(FromSite{AnySite(), wire::Heartbeat{}});
      case 6:
      case 7:
      case 8:
        if (!questions_.empty()) {
          const auto [site, task] = questions_[rng_.Below(questions_.size())];
          return UpdateChecked{site, task, rng_.Bernoulli(0.9) ? Status() : DataLoss("bad")};
        }
        return UpdateChecked{AnySite(), AnyTask(), Status()};
      default:
        return FoldDone{machine_->state().round(), FakeBlob("model"), Digest{}};
    }
  }

  void Step(const Input& input) {
    now_ += std::chrono::milliseconds(rng_.Below(5000));
    for (const Action& action : machine_->Step(input, now_)) {
      if (const auto* persist = std::get_if<Persist>(&action)) {
        const Status applied = replica_.Apply(DecodeRecord(Encode(persist->record)).value());
        EXPECT_TRUE(applied.ok()) << "seed " << seed_ << ": " << applied;
        audit_.Take(persist->record);
        if (const auto* update = std::get_if<UpdateAccepted>(&persist->record))
          durable_.emplace(update->site, update->task);
        if (const auto* report = std::get_if<EvaluationAccepted>(&persist->record))
          durable_.emplace(report->site, report->task);
        if (const auto* failure = std::get_if<TaskFailureRecorded>(&persist->record))
          durable_.emplace(failure->site, failure->task);
      }
      if (const auto* send = std::get_if<Send>(&action))
        if (const auto* receipt = std::get_if<wire::Receipt>(&send->message);
            receipt != nullptr && receipt->reason == wire::DropReason::kNone) {
          EXPECT_TRUE(durable_.contains({send->site, receipt->task})) << "seed " << seed_;
        }
      if (const auto* fold = std::get_if<FoldRound>(&action)) audit_.Take(*fold);
      if (const auto* check = std::get_if<CheckUpdate>(&action)) questions_.emplace_back(check->site, check->task);
      if (const auto* timer = std::get_if<SetTimer>(&action)) timers_ = timer->id;
    }
    ASSERT_TRUE(replica_ == machine_->state()) << "seed " << seed_;
    for (const Wait& wait : machine_->waiting(now_)) EXPECT_FALSE(wait.what.empty() || wait.who.empty());
  }

  Rng rng_;
  std::uint64_t seed_;
  Instant now_{};
  std::optional<JobMachine> machine_;
  RoundAudit audit_;
  JobState replica_;  // the journal's records applied one by one
  std::set<std::pair<SiteName, wire::TaskKey>> durable_;
  std::vector<std::pair<SiteName, wire::TaskKey>> questions_;
  std::uint64_t timers_ = 0;
};

TEST(JobFuzz, NoSequenceOfInputsBreaksTheMachineOrItsJournal) {
  int finished = 0;
  for (std::uint64_t seed = 1; seed <= 1500; ++seed) {
    Chaos chaos(seed);
    chaos.Run(120);
    finished += chaos.finished() ? 1 : 0;
  }
  EXPECT_GT(finished, 100) << "the fuzzing should reach the end of jobs often";
}

}  // namespace
}  // namespace consilium::coordinator
