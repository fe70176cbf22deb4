#include "deploy/demo/narrator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "deploy/demo/job_view.h"

namespace consilium::demo {
namespace {

using ::testing::HasSubstr;

TEST(Narrator, TellsRoundsFromOneAndNumbersAsPeopleReadThem) {
  Narrator narrator(12, Summing::kPlain);
  EXPECT_EQ(narrator.Tell({{"event", "round_opened"}, {"round", 0}}), "round 1 of 12");
  const std::string update = narrator.Tell({{"event", "update_accepted"},
                                            {"site", "alder"},
                                            {"bytes", 5.5e6},
                                            {"metrics", {{"loss", 0.3589}, {"dice", 0.42}, {"seconds", 10.2}}}});
  EXPECT_THAT(update, HasSubstr("alder"));
  EXPECT_THAT(update, HasSubstr("0.359"));
  EXPECT_THAT(update, HasSubstr("5.5 MB"));
  EXPECT_THAT(narrator.Tell({{"event", "recovered"}, {"round", 4}, {"phase", "collecting"}}),
              HasSubstr("the coordinator is back: round 5, collecting"));
  EXPECT_THAT(narrator.Tell({{"event", "round_closed"}, {"missing", {"b", "c"}}}), HasSubstr("without b, c"));
  EXPECT_FALSE(narrator.finished());
  narrator.Tell({{"event", "job_finished"}, {"code", "failed"}, {"message", "too few"}});
  EXPECT_TRUE(narrator.finished());
  EXPECT_FALSE(narrator.succeeded());
  EXPECT_EQ(narrator.message(), "too few");
}

TEST(Narrator, SurvivesEventsOfAnyShape) {
  Narrator narrator(3, Summing::kSecure);
  EXPECT_EQ(narrator.Tell(Json::object()), "");
  EXPECT_EQ(narrator.Tell({{"event", 7}}), "");
  EXPECT_NE(narrator.Tell({{"event", "update_accepted"}, {"metrics", "none"}}), "");
}

TEST(Narrator, OfASecretSumTellsTheMeansAndWhatItGoesOnWithout) {
  Narrator narrator(8, Summing::kSecure);
  EXPECT_THAT(narrator.Tell({{"event", "site_ready"}, {"site", "alder"}, {"seconds", 9.6}}),
              HasSubstr("alder        is ready after 10 s; its update stays there"));
  EXPECT_THAT(narrator.Tell({{"event", "secure_session"}, {"session", 1}, {"sites", {"a", "b"}}}),
              HasSubstr("masked sum of a, b"));
  EXPECT_THAT(narrator.Tell({{"event", "round_closed"}, {"missing", {"b"}}}), ::testing::EndsWith("goes on without b"));
  EXPECT_EQ(narrator.Tell({{"event", "secure_answer"}, {"stage", "shares"}, {"site", "b"}}), "");
  EXPECT_THAT(narrator.Tell({{"event", "round_closed"}, {"missing", {"b"}}}),
              HasSubstr("goes on without b: the others held shares of its key"));
  EXPECT_THAT(narrator.Tell({{"event", "model_published"}, {"metrics", {{"loss", 0.25}, {"dice", 0.5}}}}),
              HasSubstr("loss  0.250   Dice 0.500"));
  EXPECT_THAT(narrator.Tell({{"event", "secure_session"}, {"session", 2}, {"sites", {"a"}}}),
              HasSubstr("begun anew with fresh keys"));
}

TEST(Table, ShowsWhoIsAwayWhoIsAwaitedAndHowFarEachIs) {
  const JobView view = {
      .phase = "collecting",
      .round = 2,
      .rounds = 12,
      .sites = {{.name = "alder", .connected = true, .phase = "training", .progress = 0.5, .awaited = true},
                {.name = "birch", .connected = false}}};
  const std::vector<std::string> lines = RenderTable(view, 75);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines[0], HasSubstr("round 3/12"));
  EXPECT_THAT(lines[1], HasSubstr("██████████░░░░░░░░░░"));
  EXPECT_THAT(lines[1], HasSubstr("awaited"));
  EXPECT_THAT(lines[2], HasSubstr("away"));
}

}  // namespace
}  // namespace consilium::demo
