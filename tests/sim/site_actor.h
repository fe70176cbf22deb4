// A site client's shell in simulation: the real SessionMachine and codecs; its state and work on a simulated disk; a
// trainer that takes time, dies now and then, and computes a pure function.
#pragma once

#include <memory>
#include <optional>
#include <set>

#include "client/core/session_machine.h"
#include "stage.h"

namespace consilium::simtest {

class SiteActor final : public Actor {
 public:
  SiteActor(Stage* stage, const SiteName& site, double clock_rate);

  void OnAccepted(sim::StreamId, const std::string&, const std::string&) override {}
  void OnConnected(sim::StreamId stream) override;
  void OnMessage(sim::StreamId stream, Bytes message) override;
  void OnClosed(sim::StreamId stream, const Status& reason) override;

  // Nothing is in hand and nothing waits for a receipt.
  bool IsSettled() const;

 private:
  struct Life {
    Life(SiteActor* actor, client::SessionState state);
    client::SessionMachine machine;
    sim::BlobStore blobs;
    sim::TransferClient transfers;
    std::optional<sim::StreamId> control;
    bool welcomed = false;
    std::set<client::TransferId> in_flight;
    std::optional<client::RunTask> running;  // in the trainer
    bool cancelling = false;
  };

  void Wake(bool power_was_lost) override;
  StatusOr<client::SessionState> Load();
  client::SessionOptions OptionsOf();
  void Lose(const Status& reason);
  void Step(const client::Input& input);
  void Execute(const client::Action& action);
  void Do(const client::Dial& action);
  void Do(const client::HangUp& action);
  void Do(const client::Send& action);
  void Do(const client::SetTimer& action);
  void Do(const client::Persist& action);
  void Do(const client::Fetch& action);
  void Do(const client::Upload& action);
  void Do(const client::RunTask& action);
  void Do(const client::CancelTask& action);
  void Do(const client::StopWorker& action);
  void Do(const client::AskSite&) {}  // sites of the simulation have no policy (SessionOptions::Consent::kGiven)
  void Do(const client::Tidy& action);
  void Do(const client::Finish& action);
  void Do(const client::Report& action);
  void Do(const client::MaskVector& action);
  void Tear(const client::Action& action);
  void EndTransfer(client::TransferId transfer, const Status& status);
  // What the trainer does with the task in hand when its time has come.
  client::Input FinishRunning();
  client::Input TrainNow(const client::RunTask& run, const Model& model);
  Status Keep(const std::string& file, ByteSpan bytes);

  SiteName site_;
  std::unique_ptr<Life> life_;
};

}  // namespace consilium::simtest
