#include "tests/unit/privacy/secagg/real_sum.h"

#include <gtest/gtest.h>

namespace consilium::secagg {

RealSum::RealSum(std::size_t sites, std::size_t elements, std::uint64_t seed)
    : cohort(sites, DimensionFor(elements), seed), elements(elements) {
  for (std::size_t i = 0; i < sites; ++i) {
    weights.push_back(cohort.rng.Uniform(0.05, 1));
    metrics.push_back({{"loss", cohort.rng.Uniform(-2, 9)}});
    std::vector<float>& update = updates.emplace_back(elements);
    for (float& value : update) value = static_cast<float>(cohort.rng.Uniform(-1, 1));
  }
}

StatusOr<std::vector<std::uint32_t>> RealSum::Masked(const MaskingSite& site, std::size_t i) {
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

StatusOr<SumResult> RealSum::Run() {
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

double RealSum::TotalWeight() const {
  double total = 0;
  for (const double weight : weights) total += weight;
  return total;
}

double RealSum::MeanAt(std::size_t k) const {
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) sum += weights[i] * static_cast<double>(updates[i][k]);
  return sum / TotalWeight();
}

}  // namespace consilium::secagg
