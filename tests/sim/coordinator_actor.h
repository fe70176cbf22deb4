// The coordinator's shell in simulation: the real JobMachine, the real codecs, the real access table; its journal and
// blobs on a simulated disk.  What coordinator/service does with threads and files, this does with events.
#pragma once

#include <memory>
#include <optional>

#include "comm/sim/journal.h"
#include "coordinator/core/job_machine.h"
#include "coordinator/service/access_table.h"
#include "stage.h"

namespace consilium::simtest {

class CoordinatorActor final : public Actor {
 public:
  CoordinatorActor(Stage* stage, double clock_rate) : Actor(stage, kHub, clock_rate) {}

  void OnAccepted(sim::StreamId stream, const std::string& peer, const std::string& purpose) override;
  void OnConnected(sim::StreamId) override {}
  void OnMessage(sim::StreamId stream, Bytes message) override;
  void OnClosed(sim::StreamId stream, const Status& reason) override;

  // Whom an unfinished job waits for, in words.
  std::string Waiting() const;

 private:
  // What a life has in memory.
  struct Life {
    Life(CoordinatorActor* actor, coordinator::JobMachine machine);
    coordinator::JobMachine machine;
    sim::Journal journal;
    sim::BlobStore blobs;
    coordinator::AccessTable access;
    sim::TransferServer transfers;
    std::map<SiteName, sim::StreamId> sessions;
    std::map<SiteName, Instant> last_beats;     // of the session; by the world's clock
    std::map<sim::StreamId, SiteName> streams;  // control streams, also before Hello
  };

  void Wake(bool power_was_lost) override;
  StatusOr<coordinator::JobMachine> OpenMachine(const std::vector<Bytes>& journal, sim::BlobStore* blobs);
  coordinator::JobOpened NewJob(const wire::BlobManifest& model) const;
  void Greet(sim::StreamId stream, const SiteName& site, const Bytes& message);
  void Heard(const SiteName& site, const Bytes& message);
  void Step(const coordinator::Input& input);
  void Execute(const coordinator::Action& action);
  void Do(const coordinator::Persist& action);
  void Do(const coordinator::Send& action);
  void Do(const coordinator::SetTimer& action);
  void Do(const coordinator::CheckUpdate& action);
  void Do(const coordinator::FoldRound& action);
  void Do(const coordinator::Publish& action);
  void Do(const coordinator::Finish& action);
  void Do(const coordinator::Report& action);
  void Do(const coordinator::BuildLocalModels& action);
  void Do(const coordinator::MakePlan& action);
  void Do(const coordinator::KeepModel& action);
  void Do(const coordinator::Disconnect& action);
  void EndSession(const SiteName& site, const std::string& reason);
  void Tear(const coordinator::Action& action);
  Status Check(const coordinator::CheckUpdate& action) const;
  StatusOr<coordinator::FoldDone> Fold(const coordinator::FoldRound& action);
  StatusOr<coordinator::FoldDone> FoldInSecret(const coordinator::FoldRound& action);
  const coordinator::JobState& state() const { return life_->machine.state(); }

  std::unique_ptr<Life> life_;
};

}  // namespace consilium::simtest
