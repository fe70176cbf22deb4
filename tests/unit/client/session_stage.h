// Plays one session machine line by line; what it did is kept as text.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/core/session_machine.h"

namespace consilium::client {

inline wire::BlobManifest Blob(const std::string& content) {
  const Digest digest = Sha256Of(content);
  return {digest, content.size(), {digest}};
}
inline wire::TaskKey Key(int round, int attempt = 0, wire::TaskKind kind = wire::TaskKind::kTrain) {
  return {JobId("trial"), Round{static_cast<std::uint32_t>(round)}, Attempt{static_cast<std::uint32_t>(attempt)}, kind};
}

class SessionStage {
 public:
  explicit SessionStage(SessionOptions options = {});

  SessionStage& Step(const Input& input);
  SessionStage& Welcome() { return Hear(wire::Welcome{.coordinator = "hub"}); }
  SessionStage& Hear(wire::CoordinatorMessage message) { return Step(FromCoordinator{std::move(message)}); }
  SessionStage& Task(const wire::TaskKey& task) { return Hear(wire::Task{task, "{}", Blob("model"), 0}); }
  SessionStage& Lose(const Status& reason = Unavailable("cut")) { return Step(ConnectionLost{reason, 1.0}); }
  // Ends the newest transfer.
  SessionStage& Transferred(const Status& result = Status(), std::uint64_t bytes_moved = 0) {
    return Step(TransferDone{last_transfer_, result, bytes_moved});
  }
  SessionStage& Trained(const wire::TaskKey& task) {
    return Step(WorkerFinished{task, 5, {{"loss", 0.5}}, Blob(Concat("update ", task))});
  }
  SessionStage& Advance(Duration by);
  // The client dies and comes back with what it had persisted.
  SessionStage& Restart();

  // Lines since the last call that do not begin with "report", "timer" or a heartbeat: "dial", "fetch trial/round 0.0",
  // "run trial/round 0.0 from state ''", "persist 1 outcomes", "upload ...", "send UpdateReady trial/round 0.0".
  std::string TakeLines();
  // Those with everything.
  std::string TakeAllLines();
  const wire::Heartbeat& last_beat() const { return last_beat_; }
  const std::optional<RunTask>& last_run() const { return last_run_; }
  const std::optional<Status>& finished() const { return finished_; }
  const SessionMachine& machine() const { return *machine_; }
  const SessionState& persisted() const { return persisted_; }
  const Digest& last_fetched() const { return last_fetched_; }

 private:
  void Execute(const Action& action);

  SessionOptions options_;
  std::optional<SessionMachine> machine_;
  SessionState persisted_;
  Instant now_{};
  std::multimap<Instant, std::uint64_t> timers_;
  TransferId last_transfer_{};
  Digest last_fetched_;
  wire::Heartbeat last_beat_;
  std::optional<RunTask> last_run_;
  std::optional<Status> finished_;
  std::vector<std::string> lines_;
};

}  // namespace consilium::client
