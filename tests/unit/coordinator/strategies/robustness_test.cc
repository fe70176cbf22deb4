// Claims about f sites that send anything at all.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/coordinator/strategies/dense_fold.h"

namespace consilium::coordinator {
namespace {

constexpr std::size_t kSize = 400;

enum class Attack { kSignFlipped, kHuge, kFarAlike };

// Honest sites trained to near `target`; the first `byzantine` of `sites` attack.
std::vector<DenseUpdate> AttackedRound(const DenseFold& fold, const Vector& target, std::size_t sites,
                                       std::size_t byzantine, Attack attack) {
  Rng rng(3);
  std::vector<DenseUpdate> updates;
  for (std::size_t i = 0; i < sites; ++i) {
    Vector trained = Combination({1, 0.1}, {target, RandomVector(&rng, kSize)});
    const Vector step = Difference(trained, fold.model());
    if (i < byzantine && attack == Attack::kSignFlipped) trained = Combination({1, -10}, {fold.model(), step});
    if (i < byzantine && attack == Attack::kHuge)
      trained = Combination({1, 1e12}, {fold.model(), RandomVector(&rng, kSize)});
    if (i < byzantine && attack == Attack::kFarAlike) trained = Vector(kSize, 50.0);
    updates.push_back(fold.UpdateOf(SiteNumber(i), trained));
  }
  return updates;
}

struct Rule {
  std::string name;
  wire::StrategyParameters parameters;
  std::size_t sites, byzantine;
};

TEST(Robustness, AttackersMoveARobustRuleNoFurtherThanHonestSitesDiffer) {
  const std::vector<Rule> rules = {{"median", {}, 5, 2},
                                   {"trimmed_mean", {{"trim", 0.4}}, 5, 2},
                                   {"krum", {{"byzantine", 2}}, 7, 2},
                                   {"krum", {{"byzantine", 1}}, 3, 1},
                                   {"multi_krum", {{"byzantine", 2}}, 7, 2},
                                   {"bulyan", {{"byzantine", 1}}, 7, 1},
                                   {"geometric_median", {}, 7, 2}};
  for (const Rule& rule : rules) {
    for (const Attack attack : {Attack::kSignFlipped, Attack::kHuge, Attack::kFarAlike}) {
      Rng rng(9);
      const Vector start = RandomVector(&rng, kSize), target = RandomVector(&rng, kSize);
      DenseFold fold(Federation(rule.name, rule.parameters), start, rule.sites);
      ASSERT_TRUE(fold.Fold(AttackedRound(fold, target, rule.sites, rule.byzantine, attack)).ok());
      // Honest sites lie 0.1 sqrt(400) = 2 around the target; a rule of two of five may end a little outside.
      EXPECT_LE(Distance(fold.model(), target), 3) << rule.name << " of " << rule.sites << ", attack " << int(attack);
      DenseFold mean(Federation("fedavg"), start, rule.sites);
      ASSERT_TRUE(mean.Fold(AttackedRound(mean, target, rule.sites, rule.byzantine, attack)).ok());
      EXPECT_GT(Distance(mean.model(), target), 20) << "the attack is harmless";
    }
  }
}

TEST(Robustness, ClippingBoundsWhatOneSiteCanDo) {
  for (const Attack attack : {Attack::kSignFlipped, Attack::kHuge, Attack::kFarAlike}) {
    Rng rng(9);
    const Vector start = RandomVector(&rng, kSize), target = RandomVector(&rng, kSize);
    DenseFold fold(Federation("norm_clipping", {{"bound", 4}}), start, 5);
    ASSERT_TRUE(fold.Fold(AttackedRound(fold, target, 5, 1, attack)).ok());
    EXPECT_LE(Distance(fold.model(), start), 4.0001) << "five updates of at most 4, averaged";
  }
}

TEST(Robustness, NotesNameWhomKrumSelectedAndWhetherTheTheoremHolds) {
  Rng rng(9);
  const Vector start = RandomVector(&rng, kSize), target = RandomVector(&rng, kSize);
  DenseFold fold(Federation("multi_krum", {{"byzantine", 1}}), start, 4);
  ASSERT_TRUE(fold.Fold(AttackedRound(fold, target, 4, 1, Attack::kHuge)).ok());
  EXPECT_EQ(fold.plan().notes["selected"], "hospital-1,hospital-2,hospital-3");
  EXPECT_EQ(fold.plan().notes["theorem_holds"], false);
}

}  // namespace
}  // namespace consilium::coordinator
