#include "job_orders.h"

#include <optional>
#include <set>

#include "comm/base/entropy.h"
#include "coordinator/core/job_machine.h"
#include "target.h"
#include "tests/unit/coordinator/job_fixture.h"
#include "tests/unit/coordinator/round_audit.h"

namespace consilium::fuzz {
namespace {

using namespace coordinator;

class JobOrders {
 public:
  explicit JobOrders(Choices* choices) : choices_(choices), machine_(JobMachine::Open(MakeJob(AnyJob())).value()) {
    Started started{.secure = {.elements = 4, .roster = {}, .audit = {1, Sha256Of("log")}}};
    SeededEntropy entropy(1);
    for (const char* site : {"a", "b", "c"})
      started.secure.roster[SiteName(site)] = crypto::SigningKey::Generate(entropy).public_key();
    Step(started);
  }

  JobOrdersOutcome Run(int steps_max) {
    for (int i = 0; i < steps_max && !choices_->over(); ++i) Step(AnyInput());
    return {machine_.state().phase() == Phase::kFinished};
  }

 private:
  JobOptions AnyJob() {
    const int rounds = static_cast<int>(1 + choices_->Below(3)), sites_min = static_cast<int>(1 + choices_->Below(3));
    JobOptions job{.mode = "wait", .rounds = rounds, .sites_min = sites_min};
    const std::size_t mode = choices_->Below(4);
    if (mode == 1) {
      job = AsyncJob(rounds, static_cast<int>(choices_->Below(5)), static_cast<int>(choices_->Below(3)), sites_min);
    } else if (mode == 2) {
      job.mode = "close";
      if (choices_->OneIn(3)) job.select = Concat(R"(, "fraction": 0.5, "over_select": )", choices_->Below(3));
      if (choices_->OneIn(3)) job.select += R"(, "enough": 3)";
    }
    if (mode == 3) {
      job = {.mode = "secure", .rounds = rounds, .sites_min = 3};
      job.more = R"(, "secure_aggregation": {"enabled": true, "min_cohort": 3})";
    } else if (choices_->OneIn(3)) {
      job.more += R"(, "cross_site": true)";
    }
    if (mode != 1 && choices_->OneIn(2))
      job.more += choices_->OneIn(3) ? R"(, "evaluate": {"every": 1, "on": "heldout"})"
                                     : R"(, "evaluate": {"every": 1}, "early_stop": {"patience": 1})";
    return job;
  }
  SiteName AnySite() {
    static const char* const kNames[] = {"a", "b", "c", "a", "b", "c", "zz", ""};
    return SiteName(kNames[choices_->Below(8)]);
  }
  wire::TaskKey AnyTask() {
    if (!choices_->OneIn(4)) return machine_.state().KeyFor(AnySite());
    return {JobId(choices_->OneIn(10) ? "other" : "trial"), Round{static_cast<std::uint32_t>(choices_->Below(5))},
            Attempt{static_cast<std::uint32_t>(choices_->Below(4))}, static_cast<wire::TaskKind>(choices_->Below(4)),
            choices_->OneIn(5) ? "a" : ""};
  }
  wire::SecureAnswer AnySecureAnswer() {
    wire::SecureAnswer answer{.task = AnyTask()};
    if (choices_->OneIn(2)) return answer;  // ready
    answer.session = static_cast<std::uint32_t>(choices_->Below(3));
    answer.stage = static_cast<wire::SecureStage>(choices_->Below(10));
    const ByteSpan body = choices_->Take(choices_->Below(200));
    answer.body.assign(body.begin(), body.end());
    if (choices_->OneIn(2)) answer.vector = FakeBlob("vector");
    return answer;
  }
  wire::SiteMessage AnyMessage() {
    switch (choices_->Below(7)) {
      case 0:
        return wire::Heartbeat{
            .phase = static_cast<wire::SitePhase>(choices_->Below(5)), .task = AnyTask(), .waiting = {AnyTask()}};
      case 1:
        return AnySecureAnswer();
      case 2:
        return wire::EvaluationReport{AnyTask(), {{"dice", choices_->Fraction()}}};
      case 3:
        return wire::TaskFailed{AnyTask(), choices_->OneIn(2) ? StatusCode::kStorage : StatusCode::kOk, "x"};
      default: {
        wire::BlobManifest blob = FakeBlob(Concat("update", choices_->Below(4)));
        if (choices_->OneIn(20)) blob.bytes = std::uint64_t{1} << 40;
        return wire::UpdateReady{AnyTask(), blob, 2 * choices_->Fraction() - 0.1, {}};
      }
    }
  }
  Input AnyOperatorWord() {
    if (choices_->OneIn(20)) return AbortJob{"ada", "enough"};
    if (choices_->OneIn(3)) return PauseJob{"ada"};
    return ResumeJob{"bob"};
  }
  Input AnyInput() {
    switch (choices_->Below(12)) {
      case 0:
        return SiteConnected{AnySite(), choices_->OneIn(10) ? wire::Capability{} : AbleSite()};
      case 1:
        return choices_->OneIn(2) ? Input(SiteDisconnected{AnySite(), ""}) : Input(SiteConnected{AnySite()});
      case 2:
        return TimerFired{choices_->OneIn(10) ? timers_ : choices_->Below(timers_ + 2)};
      case 3:
        return AnyOperatorWord();
      case 4:
        if (choices_->OneIn(20)) return FoldFailed{machine_.state().round(), "NaN"};
        return LocalModelsBuilt{{{SiteName("a"), FakeBlob("local a")}, {SiteName("b"), FakeBlob("local b")}}};
      case 5:
      case 6:
        return FoldDone{machine_.state().round(), FakeBlob("model"), Digest{}};
      case 7:
      case 8:
        if (!questions_.empty()) {
          const auto& [site, task] = questions_[choices_->Below(questions_.size())];
          return UpdateChecked{site, task, choices_->OneIn(10) ? DataLoss("bad") : Status()};
        }
        return UpdateChecked{AnySite(), AnyTask(), Status()};
      default:
        return FromSite{AnySite(), AnyMessage()};
    }
  }

  void Take(const Record& record) {
    const StatusOr<Record> read = DecodeRecord(Encode(record));
    Require(read.ok(), "a record can be read again");
    Require(replica_.Apply(*read).ok(), "a record follows those before it");
    audit_.Take(record);
    if (const auto* update = std::get_if<UpdateAccepted>(&record)) durable_.emplace(update->site, update->task);
    if (const auto* report = std::get_if<EvaluationAccepted>(&record)) durable_.emplace(report->site, report->task);
    if (const auto* failure = std::get_if<TaskFailureRecorded>(&record)) durable_.emplace(failure->site, failure->task);
  }

  void Step(const Input& input) {
    now_ += std::chrono::milliseconds(20 * choices_->Below(256));
    for (const Action& action : machine_.Step(input, now_)) {
      if (const auto* persist = std::get_if<Persist>(&action)) Take(persist->record);
      if (const auto* send = std::get_if<Send>(&action))
        if (const auto* receipt = std::get_if<wire::Receipt>(&send->message);
            receipt != nullptr && receipt->reason == wire::DropReason::kNone)
          Require(durable_.contains({send->site, receipt->task}), "what is said to count is in the journal");
      if (const auto* fold = std::get_if<FoldRound>(&action)) audit_.Take(*fold);
      if (const auto* check = std::get_if<CheckUpdate>(&action)) questions_.emplace_back(check->site, check->task);
      if (const auto* timer = std::get_if<SetTimer>(&action)) timers_ = timer->id;
    }
    Require(replica_ == machine_.state(), "the journal replays to the machine's state");
    for (const Wait& wait : machine_.waiting(now_))
      Require(!wait.what.empty() && !wait.who.empty(), "every wait is told");
  }

  Choices* choices_;
  Instant now_{};
  JobMachine machine_;
  RoundAudit audit_;
  JobState replica_;  // the journal's records applied one by one
  std::set<std::pair<SiteName, wire::TaskKey>> durable_;
  std::vector<std::pair<SiteName, wire::TaskKey>> questions_;
  std::uint64_t timers_ = 0;
};

}  // namespace

JobOrdersOutcome RunJobOrders(Choices* choices, int steps_max) { return JobOrders(choices).Run(steps_max); }

}  // namespace consilium::fuzz
