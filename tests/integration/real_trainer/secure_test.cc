// Secure aggregation with the real trainer: the model of a secret sum is that of the plain mean, to the quantizer's
// precision, and nothing that a site measured is told.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/integration/real_trainer/real_consortium.h"

namespace consilium {
namespace {

std::vector<Json> EventsOf(RealConsortium& consortium, const std::string& job) {
  std::vector<Json> events;
  std::string text = ReadFile(consortium.federation().job_folder(job) / "events.jsonl").value();
  for (std::size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1))
    events.push_back(ParseJson(text.substr(0, end), "events.jsonl").value());
  return events;
}

TEST(SecureTraining, GivesTheWeightsOfThePlainRunToTheQuantizersPrecision) {
  RealConsortium consortium({.iterations = 4, .rounds = 1});
  consortium.Start();
  consortium.Submit("plain", {"mode: wait"});
  consortium.Submit("secret", {"secure_aggregation: {enabled: true, min_cohort: 3}"});
  consortium.AwaitResult("plain"), consortium.AwaitResult("secret");
  const tensor::ParameterVector initial = consortium.InitialWeights();
  const tensor::ParameterVector plain = consortium.Weights("plain"), secret = consortium.Weights("secret");
  ASSERT_EQ(plain.values().size(), secret.values().size());
  ASSERT_FALSE(plain.values().empty());

  const std::vector<Json> plain_rounds = consortium.Rounds("plain"), rounds = consortium.Rounds("secret");
  ASSERT_EQ(rounds.size(), 1u);
  // Each of three sites rounds to less than a unit c / Q = 4 / 2^26; the sum is divided by the sum of the weights.  A
  // float's own last digit comes on top: plain runs average weights, secret ones add a mean of differences.
  const double weight = rounds[0]["weight"].get<double>();
  ASSERT_GT(weight, 0);
  const double bound = 3 * 4.0 / (1 << 26) / weight;
  double worst = 0, moved = 0;
  for (std::size_t k = 0; k < plain.values().size(); ++k) {
    const double difference = std::fabs(double{plain.values()[k]} - double{secret.values()[k]});
    worst = std::max(worst, difference - 4e-7 * std::fabs(double{plain.values()[k]}));
    moved = std::max(moved, std::fabs(double{plain.values()[k]} - double{initial.values()[k]}));
  }
  EXPECT_LT(worst, bound);
  EXPECT_GT(moved, 100 * bound) << "the sites trained";

  // The means that the sum tells are those of the plain run, and no site's own numbers are anywhere.
  EXPECT_NEAR(rounds[0]["mean"]["loss"].get<double>(), plain_rounds[0]["mean"]["loss"].get<double>(),
              3 * 1024.0 / (1 << 26) / weight + 1e-5);
  for (const auto& [site, entry] : rounds[0]["sites"].items()) EXPECT_FALSE(entry.contains("metrics")) << entry;
  for (const Json& event : EventsOf(consortium, "secret")) {
    const std::string kind = event["event"];
    EXPECT_TRUE(kind != "progress" || event["metrics"].empty()) << event;
    EXPECT_NE(kind, "update_accepted") << event;
  }
}

}  // namespace
}  // namespace consilium
