#include "privacy/secagg/vector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/privacy/secagg/session_fixture.h"

namespace consilium::secagg {
namespace {

using ::testing::HasSubstr;

// A cohort whose vectors are made of real updates: what goes in and what comes out.
struct RealSum {
  RealSum(std::size_t sites, std::size_t elements, std::uint64_t seed)
      : cohort(sites, DimensionFor(elements), seed), elements(elements) {
    for (std::size_t i = 0; i < sites; ++i) {
      weights.push_back(cohort.rng.Uniform(0.05, 1));
      metrics.push_back({{"loss", cohort.rng.Uniform(-2, 9)}});
      std::vector<float>& update = updates.emplace_back(elements);
      for (float& value : update) value = static_cast<float>(cohort.rng.Uniform(-1, 1));
    }
  }

  // A site's whole part, in process.
  StatusOr<std::vector<std::uint32_t>> Masked(const MaskingSite& site, std::size_t i) {
    std::vector<std::uint32_t> words;
    VectorInput input{.elements = elements,
                      .clip = cohort.terms.clip,
                      .cohort = cohort.terms.cohort.size(),
                      .weight = weights[i],
                      .metrics = metrics[i],
                      .noise = RandomSecret(cohort.entropy, 32),
                      .threads = 2};
    const StatusOr<std::uint64_t> clipped = MaskVector(
        site, input,
        [&](std::uint64_t begin, std::span<float> out) {
          std::copy_n(updates[i].begin() + static_cast<std::ptrdiff_t>(begin), out.size(), out.begin());
          return Status();
        },
        [&](std::span<const std::uint32_t> piece) {
          words.insert(words.end(), piece.begin(), piece.end());
          return Status();
        });
    RETURN_IF_ERROR(clipped.status());
    return words;
  }

  // All sites take part; what SumVectors makes of it.
  StatusOr<SumResult> Run() {
    ServerSession server = ServerSession::Create(cohort.terms).value();
    std::vector<AdvertisedSite> advertised;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      advertised.push_back(AdvertisedSite::Begin(cohort.View(i), cohort.entropy).value());
      EXPECT_TRUE(server.AddAdvert(advertised[i].advert()).ok());
    }
    EXPECT_TRUE(server.CloseAdverts().ok());
    std::vector<SharingSite> sharing;
    for (Place i = 0; i < advertised.size(); ++i) {
      sharing.push_back(std::move(advertised[i]).Share(server.AdvertsFor(i)).value());
      EXPECT_TRUE(server.AddShares(i, sharing[i].sealed()).ok());
    }
    EXPECT_TRUE(server.CloseShares().ok());
    std::vector<std::vector<std::uint32_t>> vectors;
    std::vector<ConfirmedSite> confirmed;
    std::vector<MaskedSite> masked;
    for (Place i = 0; i < sharing.size(); ++i) {
      MaskingSite site = std::move(sharing[i]).Open(server.SharesFor(i)).value();
      ASSIGN_OR_RETURN(std::vector<std::uint32_t> words, Masked(site, i));
      if (tamper) tamper(i, &words);
      masked.push_back(std::move(site).Seal(Sha256Of("vector")));
      EXPECT_TRUE(server.AddVector(masked[i].head()).ok());
      vectors.push_back(std::move(words));
    }
    EXPECT_TRUE(server.CloseVectors({1, Sha256Of("log")}).ok());
    for (MaskedSite& site : masked) {
      confirmed.push_back(std::move(site).Confirm(server.survivors(), server.audit()).value());
      EXPECT_TRUE(server.AddConfirmation(confirmed.back().confirmation()).ok());
    }
    EXPECT_TRUE(server.CloseConfirmations().ok());
    for (Place i = 0; i < confirmed.size(); ++i)
      EXPECT_TRUE(server.AddRelease(std::move(confirmed[i]).Release(server.ConfirmationsFor(i)).value()).ok());
    const Unmasking unmasking = server.Unmask().value();
    mean.clear();
    return SumVectors(
        {.terms = cohort.terms,
         .context = server.context(),
         .unmasking = &unmasking,
         .survivors = vectors.size(),
         .threads = 2},
        [&](std::size_t i, std::uint64_t begin, std::span<std::uint32_t> out) {
          std::copy_n(vectors[i].begin() + static_cast<std::ptrdiff_t>(begin), out.size(), out.begin());
          return Status();
        },
        [&](std::span<const float> piece) {
          mean.insert(mean.end(), piece.begin(), piece.end());
          return Status();
        });
  }

  double TotalWeight() const {
    double total = 0;
    for (const double weight : weights) total += weight;
    return total;
  }
  double MeanAt(std::size_t k) const {
    double sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) sum += weights[i] * static_cast<double>(updates[i][k]);
    return sum / TotalWeight();
  }

  Cohort cohort;
  std::size_t elements;
  std::vector<double> weights;
  std::vector<std::map<std::string, double>> metrics;
  std::vector<std::vector<float>> updates;
  std::vector<float> mean;
  std::function<void(std::size_t, std::vector<std::uint32_t>*)> tamper;
};

TEST(Vector, TheSumIsTheWeightedMeanOfUpdatesAndMetricsToAUnitOfTheRing) {
  for (const std::size_t elements : {1u, 5u, 300'000u}) {  // 300,000: more than one piece
    RealSum sum(3, elements, 17 + elements);
    const StatusOr<SumResult> result = sum.Run();
    ASSERT_TRUE(result.ok()) << result.status();
    ASSERT_EQ(sum.mean.size(), elements);
    const double unit = Quantizer::For(1, 3)->step();
    EXPECT_NEAR(result->weight, sum.TotalWeight(), 3 * unit);
    // Each site's rounding is off by less than a unit, and the float of the mean by 2^-24 of it.
    for (std::size_t k = 0; k < elements; ++k)
      ASSERT_NEAR(sum.mean[k], sum.MeanAt(k), 3 * unit / sum.TotalWeight() + 6e-8 + 3 * unit) << k;
    double loss = 0;
    for (std::size_t i = 0; i < 3; ++i) loss += sum.weights[i] * sum.metrics[i].at("loss") / sum.TotalWeight();
    EXPECT_NEAR(result->metrics.at("loss"), loss, 1e-4);
    EXPECT_EQ(result->metrics.at("clipped"), 0);
  }
}

TEST(Vector, AMetricThatASiteLacksIsTheMeanOfTheOthers) {
  RealSum sum(3, 4, 3);
  sum.weights = {1, 0.5, 1};
  sum.metrics = {{{"loss", 2.0}}, {{"loss", 8.0}}, {{"loss", std::nan("")}}};
  const StatusOr<SumResult> result = sum.Run();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_NEAR(result->metrics.at("loss"), 4.0, 1e-4);
}

TEST(Vector, ValuesBeyondTheClipAreCutAndTheirShareIsKnownOfAllTogether) {
  RealSum sum(3, 4, 5);
  sum.weights = {1, 1, 1};
  sum.updates[0] = {5, 0, 0, 0};
  const StatusOr<SumResult> result = sum.Run();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_NEAR(result->metrics.at("clipped"), 0.25 / 3, 1e-6);
  EXPECT_NEAR(sum.mean[0], (1.0 + static_cast<double>(sum.updates[1][0]) + static_cast<double>(sum.updates[2][0])) / 3,
              1e-6);
}

TEST(Vector, AnUpdateThatIsNotFiniteIsRefusedAtTheSite) {
  RealSum sum(3, 4, 5);
  sum.updates[1][2] = std::nanf("");
  const StatusOr<SumResult> result = sum.Run();
  EXPECT_EQ(result.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(result.status().message(), HasSubstr("finite"));
}

TEST(Vector, ASumWithMasksLeftInItIsAnErrorAndNoModel) {
  RealSum sum(3, 1000, 6);
  sum.tamper = [](std::size_t i, std::vector<std::uint32_t>* words) {
    if (i == 1) std::rotate(words->begin(), words->begin() + 1, words->end());
  };
  EXPECT_EQ(sum.Run().code(), StatusCode::kDataLoss);
}

}  // namespace
}  // namespace consilium::secagg
