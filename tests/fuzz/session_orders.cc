#include "session_orders.h"

#include <map>
#include <optional>
#include <tuple>

#include "client/core/session_machine.h"
#include "privacy/secagg/beacon_part.h"
#include "privacy/secagg/message_lists.h"
#include "real_rounds.h"
#include "target.h"

namespace consilium::fuzz {
namespace {

using namespace client;

constexpr char kJobJson[] =
    R"({"name": "trial", "data": {"dataset": "Dataset001_Toy"}, "model": {"patch_size": [8, 8, 8]}, "federation":)"
    R"( {"rounds": 3, "mode": "secure", "sites": {"min": 3}, "round_deadline": "600s", "secure_aggregation":)"
    R"( {"enabled": true, "min_cohort": 3}}})";

wire::BlobManifest Blob(std::string_view content) {
  const Digest digest = Sha256Of(content);
  return {digest, content.size(), {digest}};
}

class SessionOrders {
 public:
  explicit SessionOrders(Choices* choices) : choices_(choices), entropy_(1) {
    SeededEntropy keys(7);
    SecureParty party{
        .name = SiteName("a"), .signing = crypto::SigningKey::Generate(keys), .roster = {}, .entropy = &entropy_};
    party.roster[party.name] = party.signing.public_key();
    keys_.push_back(party.signing);
    for (const char* other : {"b", "c"}) {
      keys_.push_back(crypto::SigningKey::Generate(keys));
      party.roster[SiteName(other)] = keys_.back().public_key();
    }
    options_.secure = std::make_shared<const SecureParty>(std::move(party));
    if (choices_->OneIn(2)) options_.consent = SessionOptions::Consent::kAsk;
    if (choices_->OneIn(4)) options_.when_done = SessionOptions::WhenDone::kExit;
    Boot();
  }

  SessionOrdersOutcome Run(int steps_max) {
    for (int i = 0; i < steps_max && !choices_->over() && !ended_; ++i) {
      if (choices_->OneIn(60))
        Boot();
      else
        Step(AnyInput());
    }
    return outcome_;
  }

 private:
  using BeaconKey = std::tuple<JobId, Round, std::uint32_t>;  // and the attempt

  // The client dies and comes back with what it had persisted.
  void Boot() {
    machine_.emplace(persisted_, options_);
    Step(Started{});
  }

  wire::TaskKey AnyTask() {
    if (!given_.empty() && !choices_->OneIn(4)) return given_[choices_->Below(given_.size())];
    return {JobId(choices_->OneIn(5) ? "other" : "trial"), Round{static_cast<std::uint32_t>(choices_->Below(4))},
            Attempt{static_cast<std::uint32_t>(choices_->Below(3))}, static_cast<wire::TaskKind>(choices_->Below(4)),
            choices_->OneIn(8) ? "b" : ""};
  }

  // A body of a real round, whole or with a byte changed, or anything.
  Bytes AnyBody(wire::SecureStage stage) {
    std::vector<const Bytes*> real;
    for (const wire::CoordinatorMessage& message : SomeRealRounds().from_coordinator)
      if (const auto* question = std::get_if<wire::SecureRequest>(&message);
          question != nullptr && question->stage == stage)
        real.push_back(&question->body);
    if (real.empty() || choices_->OneIn(4)) {
      const ByteSpan any = choices_->Take(choices_->Below(200));
      return Bytes(any.begin(), any.end());
    }
    Bytes body = *real[choices_->Below(real.size())];
    if (!body.empty() && choices_->OneIn(3)) body[choices_->Below(body.size())] ^= 1 << choices_->Below(8);
    return body;
  }

  // What an honest coordinator relays of a beacon, as far as this site has had its say, sometimes bent.
  Bytes BeaconBody(const wire::TaskKey& task, std::uint32_t attempt, wire::SecureStage stage) {
    secagg::BeaconTerms terms{
        .job = task.job, .round = task.round, .attempt = attempt, .configuration = Sha256Of(kJobJson)};
    secagg::BeaconNotice notice;
    for (const char* name : {"a", "b", "c"}) {
      terms.sites.push_back({SiteName(name), keys_[notice.sites.size()].public_key()});
      notice.sites.emplace_back(name);
    }
    if (choices_->OneIn(20)) notice.sites.pop_back();
    if (stage == wire::SecureStage::kCommit) return secagg::Encode(notice);
    const BeaconKey key(task.job, task.round, attempt);
    const auto nonce = nonces_.find(key);
    const auto commitment = commitments_.find(key);
    notice.nonces = {nonce == nonces_.end() ? secagg::BeaconNonce{} : nonce->second, {2}, {3}};
    if (choices_->OneIn(20)) notice.nonces[1][0] = 9;
    notice.commitments = {commitment == commitments_.end() ? secagg::BeaconCommitment{} : commitment->second};
    for (std::size_t i = 1; i < 3; ++i)
      notice.commitments.push_back(
          secagg::CommitTo(secagg::ContextOf(terms), terms.sites[i].name, notice.nonces[i], keys_[i]));
    if (notice.sites.size() < 3) notice.commitments.pop_back(), notice.nonces.pop_back();
    if (stage == wire::SecureStage::kReveal) notice.nonces.clear();
    return secagg::Encode(notice);
  }

  wire::CoordinatorMessage AnyMessage() {
    switch (choices_->Below(10)) {
      case 0:
        return wire::Welcome{.coordinator = "hub",
                             .heartbeat_interval_ms = static_cast<std::uint32_t>(100 * choices_->Below(256))};
      case 1:
        return wire::Receipt{AnyTask(), static_cast<wire::DropReason>(choices_->Below(7)), ""};
      case 2:
        return wire::StandDown{AnyTask(), "superseded"};
      case 3:
        return wire::JobEnded{AnyTask().job, choices_->OneIn(2) ? StatusCode::kOk : StatusCode::kFailed, ""};
      case 4:
        if (choices_->OneIn(50)) return wire::Refusal{StatusCode::kUnavailable, "busy"};
        [[fallthrough]];
      case 5:
      case 6: {
        const auto stage = static_cast<wire::SecureStage>(choices_->Below(10));
        wire::SecureRequest question{AnyTask(), static_cast<std::uint32_t>(choices_->Below(4)), stage, {}};
        if (wire::IsBeaconStage(stage) && !choices_->OneIn(4)) {  // what comes next
          question.session = 1;
          const BeaconKey key(question.task.job, question.task.round, 1);
          question.stage = nonces_.contains(key)        ? wire::SecureStage::kBeacon
                           : commitments_.contains(key) ? wire::SecureStage::kReveal
                                                        : wire::SecureStage::kCommit;
        }
        question.body = wire::IsBeaconStage(question.stage) && !choices_->OneIn(8)
                            ? BeaconBody(question.task, question.session, question.stage)
                            : AnyBody(question.stage);
        return question;
      }
      default: {
        wire::Task task{AnyTask(), kJobJson, Blob(choices_->OneIn(3) ? "another model" : "model"),
                        1000 * choices_->Below(256)};
        if (choices_->OneIn(8)) task.job_json = "{}";
        if (choices_->OneIn(4)) task.auxiliary = Blob("auxiliary");
        given_.push_back(task.task);
        return task;
      }
    }
  }

  Status AnyEnd() {
    switch (choices_->Below(8)) {
      case 0:
        return Unavailable("cut");
      case 1:
        return DataLoss("a chunk is wrong");
      case 2:
        return ErrnoStatus(28, "writing");  // no space left
      case 3:
        return NotFound("no such blob");
      default:
        return Status();
    }
  }

  // What is waited for, so that orders come far.
  Input HelpfulInput() {
    if (!machine_->connected()) return FromCoordinator{wire::Welcome{.coordinator = "hub"}};
    if (in_flight_) return TransferDone{TransferId{transfers_}, Status(), 1};
    if (asked_) return SiteAnswer{*asked_, SiteAnswer::Kind::kYes, ""};
    if (running_) return WorkerFinished{*running_, 2, {{"loss", 0.5}}, Blob("update"), 4};
    if (choices_->OneIn(2)) return TimerFired{timers_};
    return FromCoordinator{AnyMessage()};
  }

  Input AnyInput() {
    if (!choices_->OneIn(4)) return HelpfulInput();
    switch (choices_->Below(12)) {
      case 0:
        return ConnectionLost{choices_->OneIn(50) ? PermissionDenied("revoked") : Unavailable("cut"),
                              choices_->Fraction()};
      case 1:
      case 2:
        return TransferDone{TransferId{choices_->OneIn(4) ? choices_->Below(256) : transfers_}, AnyEnd(),
                            choices_->Below(256)};
      case 3:
        return WorkerProgressed{AnyTask(), choices_->Fraction(), {{"loss", choices_->Fraction()}}};
      case 4:
      case 5:
        return WorkerFinished{running_ ? *running_ : AnyTask(),
                              1 + choices_->Fraction(),
                              {{"loss", 0.5}},
                              Blob("update"),
                              choices_->OneIn(8) ? 0U : 4U};
      case 6:
        if (choices_->OneIn(2))
          return WorkerRefused{AnyTask(), choices_->OneIn(2) ? StatusCode::kStorage : StatusCode::kCancelled, "why"};
        return WorkerDied{AnyTask(), "killed by signal 9"};
      case 7:
        return SiteAnswer{AnyTask(), static_cast<SiteAnswer::Kind>(choices_->Below(3)), "the policy"};
      case 8:
        return VectorMasked{AnyTask(), static_cast<std::uint32_t>(choices_->Below(4)), AnyEnd(), Blob("masked")};
      case 9:
        return TimerFired{choices_->OneIn(3) ? timers_ : choices_->Below(timers_ + 2)};
      default:
        return FromCoordinator{AnyMessage()};
    }
  }

  void Step(const Input& input) {
    now_ += std::chrono::milliseconds(50 * choices_->Below(256));
    if (std::holds_alternative<TransferDone>(input)) in_flight_ = false;
    if (std::holds_alternative<SiteAnswer>(input)) asked_.reset();
    if (std::holds_alternative<WorkerFinished>(input)) running_.reset();
    line_is_up_ = machine_->connected() || std::holds_alternative<FromCoordinator>(input);
    for (const Action& action : machine_->Step(input, now_)) Take(action);
    const StatusOr<SessionState> again = SessionState::FromJson(machine_->state().ToJson());
    Require(again.ok() && *again == machine_->state(), "what a site remembers is written and read to the same");
  }

  void Take(const Action& action) {
    Require(!ended_, "a finished client does nothing more");
    if (const auto* persist = std::get_if<Persist>(&action)) persisted_ = persist->state;
    if (std::holds_alternative<HangUp>(action) || std::holds_alternative<Dial>(action)) line_is_up_ = false;
    if (const auto* timer = std::get_if<SetTimer>(&action)) timers_ = timer->id;
    if (const auto* fetch = std::get_if<Fetch>(&action)) Transfer(fetch->transfer);
    if (const auto* upload = std::get_if<Upload>(&action)) Transfer(upload->transfer);
    if (const auto* ask = std::get_if<AskSite>(&action)) asked_ = ask->task;
    if (const auto* run = std::get_if<RunTask>(&action)) running_ = run->task, ++outcome_.tasks_run;
    if (std::holds_alternative<Finish>(action)) ended_ = true;
    if (const auto* send = std::get_if<Send>(&action)) Hear(send->message);
  }

  void Hear(const wire::SiteMessage& message) {
    Require(line_is_up_, "a site speaks only while it is connected");
    outcome_.outcomes_told +=
        std::holds_alternative<wire::UpdateReady>(message) || std::holds_alternative<wire::TaskFailed>(message);
    const auto* answer = std::get_if<wire::SecureAnswer>(&message);
    if (answer == nullptr || answer->stage == wire::SecureStage::kReady) return;
    ++outcome_.questions_answered;
    if (wire::IsBeaconStage(answer->stage)) return HearOfBeacon(*answer);
    if (answer->stage != wire::SecureStage::kRelease) return;
    Require(persisted_.HasReleased(answer->task.job, answer->task.round), "shares are persisted before they are said");
    const auto [first, is_first] = released_.try_emplace({answer->task.job, answer->task.round}, answer->body);
    Require(is_first || first->second == answer->body, "a round's shares are said in one version only");
  }

  void HearOfBeacon(const wire::SecureAnswer& answer) {
    const std::tuple key(answer.task.job, answer.task.round, answer.session);
    const std::optional<secagg::BeaconPart> part = persisted_.BeaconPartOf(answer.task.job);
    Require(part && part->round == answer.task.round && part->attempt == answer.session,
            "a part in a beacon is persisted before it is said");
    if (answer.stage == wire::SecureStage::kCommit) {
      commitments_[key] = secagg::DecodeBeaconCommitment(answer.body).value();
      return;
    }
    Require(part->commitments.has_value() && part->revealed <= secagg::kBeaconTriesMax,
            "against which commitments a nonce is said is persisted, and it is not said too often");
    const secagg::BeaconNonce nonce = secagg::DecodeBeaconNonce(answer.body).value();
    const auto [first, is_first] = nonces_said_.try_emplace(key, nonce, *part->commitments);
    Require(is_first || first->second == std::pair(nonce, *part->commitments),
            "a nonce is said in one version, against one list of commitments");
    nonces_[key] = nonce;
    ++outcome_.nonces_said;
  }

  void Transfer(TransferId transfer) { transfers_ = static_cast<std::uint64_t>(transfer), in_flight_ = true; }

  Choices* choices_;
  SeededEntropy entropy_;
  SessionOptions options_;
  Instant now_{};
  std::optional<SessionMachine> machine_;
  SessionState persisted_;
  std::vector<crypto::SigningKey> keys_;  // of a, b, c
  std::map<BeaconKey, secagg::BeaconCommitment> commitments_;
  std::map<BeaconKey, secagg::BeaconNonce> nonces_;
  std::map<BeaconKey, std::pair<secagg::BeaconNonce, Digest>> nonces_said_;
  std::vector<wire::TaskKey> given_;
  std::optional<wire::TaskKey> running_, asked_;
  std::map<std::pair<JobId, Round>, Bytes> released_;
  std::uint64_t timers_ = 0, transfers_ = 0;
  bool in_flight_ = false, ended_ = false, line_is_up_ = false;
  SessionOrdersOutcome outcome_;
};

}  // namespace

SessionOrdersOutcome RunSessionOrders(Choices* choices, int steps_max) { return SessionOrders(choices).Run(steps_max); }

}  // namespace consilium::fuzz
