#include "client/core/session_state.h"

#include <gtest/gtest.h>

#include "session_stage.h"

namespace consilium::client {
namespace {

SessionState Rich() {
  SessionState state;
  state.Add({Key(3), Trained{Blob("update"), 12.5, {{"loss", 0.25}}}});
  state.Add({Key(4, 2), Trained{{Sha256Of("big"),
                                 (std::uint64_t{3} << 20) + 1,
                                 {Sha256Of("1"), Sha256Of("2"), Sha256Of("3"), Sha256Of("4")}},
                                1,
                                {}}});
  state.Add({Key(4, 0, wire::TaskKind::kEvaluate), Evaluated{{{"dice", 0.5}, {"dice.1", 0.75}}}});
  wire::TaskKey validation = Key(4, 0, wire::TaskKind::kValidate);
  validation.subject = "hospital-b";
  state.Add({validation, Evaluated{{{"dice", 0.25}}}});
  state.Add({Key(0, 0, wire::TaskKind::kStatistics), Trained{Blob("statistics"), 1, {}}});
  state.Add({Key(5), GaveUp{StatusCode::kStorage, "disk full"}});
  SecureWork work{.model = Sha256Of("model"), .elements = 4};
  work.beacon = secagg::Beacon{{SiteName("a"), SiteName("b")}, Sha256Of("beacon")};
  state.Add({Key(6), Trained{Blob("summed"), 1, {}, work}});
  state.SetBeaconPart(JobId("trial"), {.round = Round{6},
                                       .attempt = 2,
                                       .revealed = 1,
                                       .context = Sha256Of("terms"),
                                       .nonce = {1, 2, 3},
                                       .commitments = Sha256Of("list")});
  state.SetBeaconPart(JobId("other"), {.round = Round{1}, .attempt = 1});
  return state;
}

TEST(SessionState, ComesBackFromJsonAsItWas) {
  const StatusOr<SessionState> back = SessionState::FromJson(Json::parse(Rich().ToJson().dump()));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, Rich());
}

TEST(SessionState, MutilatedJsonIsAnErrorOrAnotherValidState) {
  const std::string text = Rich().ToJson().dump();
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string mutilated = text;
    mutilated.erase(i, 1 + i % 7);
    if (const Json json = Json::parse(mutilated, nullptr, false); !json.is_discarded())
      if (const StatusOr<SessionState> state = SessionState::FromJson(json); state.ok()) {
        EXPECT_TRUE(SessionState::FromJson(state->ToJson()).ok()) << mutilated;
      }
  }
  EXPECT_EQ(SessionState::FromJson(Json::object()).code(), StatusCode::kDataLoss);
  EXPECT_EQ(SessionState::FromJson(Json(3)).code(), StatusCode::kDataLoss);
}

TEST(SessionState, AJobNameThatIsAPathIsNotBelieved) {
  Json json = Rich().ToJson();
  json["outcomes"][0]["task"]["job"] = "../../etc";
  EXPECT_EQ(SessionState::FromJson(json).code(), StatusCode::kDataLoss);
}

TEST(SessionState, KeepsTheTwoNewestStatesAlsoOnceTheUpdateCounts) {
  SessionState state;
  for (int round = 0; round < 4; ++round) state.Add({Key(round), Trained{Blob("u"), 1, {}}});
  EXPECT_EQ(state.StateBefore(Key(3), Lineage::kRounds), "trial/state-2.0.safetensors");
  EXPECT_EQ(state.StateBefore(Key(4), Lineage::kRounds), "trial/state-3.0.safetensors");
  wire::TaskKey evaluation = Key(3);
  evaluation.kind = wire::TaskKind::kEvaluate;
  EXPECT_EQ(state.StateBefore(evaluation, Lineage::kRounds), "trial/state-3.0.safetensors")
      << "what this round's training left";
  EXPECT_EQ(state.StateBefore(Key(2), Lineage::kRounds), "");
  state.Forget(Key(3));
  EXPECT_EQ(state.StateBefore(Key(3), Lineage::kRounds), "trial/state-2.0.safetensors")
      << "the coordinator's machine may lose the update";
  EXPECT_EQ(state.StateBefore(Key(4), Lineage::kRounds), "trial/state-3.0.safetensors");
}

TEST(SessionState, ATaskOfTheSameRoundBuildsOnAnEarlierOneOnlyWhenItsUpdateCounts) {
  SessionState state;
  state.Add({Key(1), Trained{Blob("u"), 1, {}}});
  state.Add({Key(2), Trained{Blob("u"), 1, {}}});
  EXPECT_EQ(state.StateBefore(Key(2, 1), Lineage::kRounds), "trial/state-1.0.safetensors")
      << "a second attempt starts where the first did";
  state.Counts(Key(2));
  EXPECT_EQ(state.StateBefore(Key(2, 1), Lineage::kTasks), "trial/state-2.0.safetensors")
      << "another task of an asynchronous round";
  EXPECT_EQ(state.StateBefore(Key(2, 1), Lineage::kRounds), "trial/state-1.0.safetensors")
      << "a counted update that was lost later must not be what its round is done again from";
  EXPECT_EQ(state.StateBefore(Key(2), Lineage::kRounds), "trial/state-1.0.safetensors")
      << "the same task again, after a loss";
  EXPECT_EQ(SessionState::FromJson(state.ToJson()).value(), state);
}

TEST(SessionState, WhatIsNotTrainedOnKeepsNoState) {
  SessionState state;
  const wire::TaskKey statistics = Key(0, 0, wire::TaskKind::kStatistics);
  state.Add({statistics, Trained{Blob("counts"), 1, {}}});
  EXPECT_EQ(state.Files(), std::set<std::string>{"trial/statistics-0.0.json"});
  wire::TaskKey cross = Key(1, 0, wire::TaskKind::kValidate);
  cross.subject = "hospital-b";
  state.Add({cross, Evaluated{{{"dice", 0.5}}}});
  EXPECT_EQ(SessionState::FromJson(state.ToJson()).value(), state);
  EXPECT_EQ(state.StateBefore(Key(1), Lineage::kRounds), "");
}

}  // namespace
}  // namespace consilium::client
