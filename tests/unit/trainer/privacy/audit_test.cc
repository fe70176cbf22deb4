// The gradient that training uses, attacked: canaries in it give a lower bound on epsilon (privacy/dp/audit.h).
#include "privacy/dp/audit.h"

#include <gtest/gtest.h>

#include "privacy/dp/gaussian.h"
#include "trainer/privacy/canaries.h"

namespace consilium::trainer {
namespace {

constexpr double kClip = 0.7, kDelta = 1e-5;
constexpr std::int64_t kCanaries = 50000, kSteps = 1;

dp::AuditResult Audit(double noise_multiplier) {
  Canaries canaries({.count = kCanaries, .clip = kClip}, SecretBytes(Bytes(32, 3)));
  PrivateGradient gradient(canaries.parameters(),
                           {.clip = kClip, .noise_multiplier = noise_multiplier, .expected_records = 10});
  dp::NoiseSource noise(SecretBytes(Bytes(32, 4)), Concat("noise ", noise_multiplier));
  for (std::int64_t step = 0; step < kSteps; ++step) {
    EXPECT_TRUE(canaries.AddTo(gradient).ok());
    EXPECT_TRUE(gradient.Finish(&noise).ok());
    canaries.Observe();
  }
  return dp::AuditOneRun(canaries.scores(), {.delta = kDelta, .guesses = 1500}).value();
}

// Noise 2 over one step: epsilon 1.99.  Noise drawn anew would be on the wrong side in less than one of 10^7 runs.
TEST(PrivateGradientAudit, TheHonestGradientStaysBelowItsEpsilonAndHalfTheNoiseIsCaught) {
  const double claimed = dp::GaussianEpsilon(0.5, kDelta).value();
  const dp::AuditResult honest = Audit(2);
  EXPECT_GT(honest.epsilon, 0.4 * claimed) << "the attack has power";
  EXPECT_LT(honest.epsilon, claimed);
  EXPECT_GT(Audit(1).epsilon, claimed);
}

}  // namespace
}  // namespace consilium::trainer
