// Every target with its seeds and with fixed mutations of them: what libFuzzer does without knowing the code, in a few
// seconds, the same everywhere.
#include <gtest/gtest.h>

#include <set>

#include "comm/base/rng.h"
#include "job_orders.h"
#include "secure_sum_orders.h"
#include "session_orders.h"
#include "target.h"

namespace consilium::fuzz {
namespace {

Bytes Noise(Rng* rng, std::size_t size) {
  Bytes bytes(size);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng->Below(256));
  return bytes;
}

void MutateOnce(Rng* rng, Bytes* bytes) {
  const auto at = [&] { return static_cast<std::ptrdiff_t>(rng->Below(bytes->size())); };
  static constexpr std::uint8_t kEdges[] = {0, 1, 0x7f, 0x80, 0xff};
  switch (bytes->empty() ? 5 : rng->Below(7)) {
    case 0:
      (*bytes)[rng->Below(bytes->size())] ^= static_cast<std::uint8_t>(1 << rng->Below(8));
      break;
    case 1:
      (*bytes)[rng->Below(bytes->size())] = kEdges[rng->Below(5)];
      break;
    case 2:
      bytes->resize(rng->Below(bytes->size()));
      break;
    case 3: {  // a length or a count
      const std::uint8_t edge = kEdges[rng->Below(5)];
      for (std::size_t i = rng->Below(bytes->size()), end = std::min(bytes->size(), i + 4); i < end; ++i)
        (*bytes)[i] = edge;
      break;
    }
    case 4: {
      const std::ptrdiff_t begin = at(), end = std::min<std::ptrdiff_t>(begin + 16, std::ssize(*bytes));
      const Bytes piece(bytes->begin() + begin, bytes->begin() + end);
      bytes->insert(bytes->begin() + at(), piece.begin(), piece.end());
      break;
    }
    case 5: {
      const Bytes noise = Noise(rng, 1 + rng->Below(8));
      bytes->insert(bytes->end(), noise.begin(), noise.end());
      break;
    }
    default:
      bytes->erase(bytes->begin() + at());
  }
}

class Replay : public ::testing::TestWithParam<Target> {};

TEST_P(Replay, SeedsAndTheirMutationsBreakNoClaim) {
  const Target& target = GetParam();
  const std::vector<Bytes> seeds = target.seeds();
  ASSERT_FALSE(seeds.empty());
  for (const Bytes& seed : seeds) target.run(seed);
  target.run({});
  Rng rng(20);
  for (int i = 0; i < target.mutations; ++i) {
    Bytes input = seeds[rng.Below(seeds.size())];
    for (std::uint64_t changes = 1 + rng.Below(4); changes > 0; --changes) MutateOnce(&rng, &input);
    SCOPED_TRACE(::testing::Message() << target.name << ", mutation " << i);
    target.run(input);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Replay, ::testing::ValuesIn(AllTargets()),
                         [](const auto& info) { return std::string(info.param.name); });

// The orders are worth something only if they come far.

TEST(JobOrders, NoiseOftenReachesTheEndOfAJob) {
  int finished = 0;
  for (std::uint64_t seed = 1; seed <= 1500; ++seed) {
    Rng rng(seed);
    const Bytes noise = Noise(&rng, 600);
    Choices choices(noise);
    finished += RunJobOrders(&choices, 120).finished;
  }
  EXPECT_GT(finished, 100);
}

TEST(SessionOrders, NoiseRunsTasksTellsOutcomesAndEntersSecureSums) {
  SessionOrdersOutcome all;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Rng rng(seed);
    const Bytes noise = Noise(&rng, 2000);
    Choices choices(noise);
    const SessionOrdersOutcome one = RunSessionOrders(&choices, 400);
    all.tasks_run += one.tasks_run;
    all.outcomes_told += one.outcomes_told;
    all.questions_answered += one.questions_answered;
    all.nonces_said += one.nonces_said;
  }
  EXPECT_GT(all.tasks_run, 300u);
  EXPECT_GT(all.outcomes_told, 100u);
  EXPECT_GT(all.questions_answered, 20u);
  EXPECT_GT(all.nonces_said, 5u);
}

TEST(SecureSumOrders, NoiseSumsSometimesAndIsRefusedSometimes) {
  std::size_t summed = 0, refusals = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Rng rng(seed);
    const Bytes noise = Noise(&rng, 400);
    Choices choices(noise);
    const SecureSumOutcome one = RunSecureSumOrders(&choices);
    summed += one.summed;
    refusals += one.refusals;
  }
  EXPECT_GT(summed, 5u);
  EXPECT_GT(refusals, 100u);
}

}  // namespace
}  // namespace consilium::fuzz
