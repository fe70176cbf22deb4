// The sums of groups, as the service reads them from disk: what a robust strategy is given.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "comm/base/file.h"
#include "comm/tensor/safetensors.h"
#include "coordinator/service/secure_mean.h"
#include "privacy/secagg/vector.h"
#include "tests/testing/run_program.h"
#include "tests/unit/privacy/secagg/session_fixture.h"

namespace consilium::coordinator {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kValues = 6, kSites = 5;
constexpr double kClip = 4;

class GroupMeansTest : public ::testing::Test {
 protected:
  GroupMeansTest() {
    const auto schema = std::make_shared<const tensor::Schema>(
        tensor::Schema::Create({{"layer.weight", tensor::DType::kF32, {2, 3}}}).value());
    request_ = {.path_of = [this](const Digest& digest) { return scratch_ / digest.ToHex(); },
                .model = scratch_ / "model.safetensors",
                .output = scratch_ / "secure-mean.safetensors"};
    EXPECT_TRUE(tensor::WriteParameters(request_.model, tensor::ParameterVector::Zeros(schema).value()).ok());
  }

  // A sum of five sites whose values are all `value`, with losses 1, 2, ...; the first adds `extra` to one masked word.
  void AddGroup(std::uint32_t group, float value, std::uint32_t extra = 0) {
    secagg::Cohort cohort(kSites, secagg::DimensionFor(kValues), group + 1);
    cohort.terms.clip = kClip;
    for (std::size_t i = 0; i < kSites; ++i) cohort.terms.cohort[i].name = SiteName(Concat("g", group, "-", i));
    secagg::ServerSession server = secagg::ServerSession::Create(cohort.terms).value();
    std::vector<secagg::AdvertisedSite> advertised;
    for (std::size_t i = 0; i < kSites; ++i) {
      advertised.push_back(secagg::AdvertisedSite::Begin(cohort.View(i), cohort.entropy).value());
      EXPECT_TRUE(server.AddAdvert(advertised.back().advert()).ok());
    }
    EXPECT_TRUE(server.CloseAdverts().ok());
    std::vector<secagg::SharingSite> sharing;
    for (secagg::Place i = 0; i < kSites; ++i) {
      sharing.push_back(std::move(advertised[i]).Share(server.AdvertsFor(i)).value());
      EXPECT_TRUE(server.AddShares(i, sharing.back().sealed()).ok());
    }
    EXPECT_TRUE(server.CloseShares().ok());
    std::vector<secagg::MaskedSite> masked;
    for (secagg::Place i = 0; i < kSites; ++i) {
      secagg::MaskingSite masking = std::move(sharing[i]).Open(server.SharesFor(i)).value();
      std::vector<std::uint32_t> words = WordsOf(masking, value, i + 1.0);
      if (i == 0) words[2] += extra;
      const auto bytes = ByteSpan(reinterpret_cast<const std::uint8_t*>(words.data()), 4 * words.size());
      const Digest digest = Sha256Of(bytes);
      EXPECT_TRUE(WriteFileAtomic(scratch_ / digest.ToHex(), bytes).ok());
      masked.push_back(std::move(masking).Seal(digest));
      EXPECT_TRUE(server.AddVector(masked.back().head()).ok());
      request_.contributions.push_back(
          {.site = cohort.terms.cohort[i].name, .update = {digest, bytes.size(), {digest}}});
    }
    EXPECT_TRUE(server.CloseVectors({1, Sha256Of("log")}).ok());
    std::vector<secagg::ConfirmedSite> confirmed;
    for (secagg::Place i = 0; i < kSites; ++i) {
      confirmed.push_back(std::move(masked[i]).Confirm(server.survivors(), server.audit()).value());
      EXPECT_TRUE(server.AddConfirmation(confirmed.back().confirmation()).ok());
    }
    EXPECT_TRUE(server.CloseConfirmations().ok());
    SecureFold fold{.group = group, .transcript = server.Transcript(), .releases = {}};
    for (secagg::Place i = 0; i < kSites; ++i)
      fold.releases[cohort.terms.cohort[i].name] =
          secagg::Encode(std::move(confirmed[i]).Release(server.ConfirmationsFor(i)).value());
    groups_.push_back(std::move(fold));
  }

  static std::vector<std::uint32_t> WordsOf(const secagg::MaskingSite& masking, float value, double loss) {
    std::vector<std::uint32_t> words;
    const StatusOr<std::uint64_t> made = secagg::MaskVector(
        masking,
        {.elements = kValues,
         .clip = kClip,
         .cohort = kSites,
         .weight = 1,
         .metrics = {{"loss", loss}},
         .noise = SecretBytes(Bytes(32, 7))},
        [&](std::uint64_t, std::span<float> out) {
          std::ranges::fill(out, value);
          return Status();
        },
        [&](std::span<const std::uint32_t> piece) {
          words.insert(words.end(), piece.begin(), piece.end());
          return Status();
        });
    EXPECT_TRUE(made.ok()) << made.status();
    return words;
  }

  testing::ScratchFolder scratch_;
  SecureMeanRequest request_;
  std::vector<SecureFold> groups_;
};

TEST_F(GroupMeansTest, AreOneUpdateAGroupWithItsWeightAndItsMeans) {
  for (const std::uint32_t group : {0u, 2u, 3u}) AddGroup(group, 0.5f * static_cast<float>(group));
  const StatusOr<GroupMeans> means = WriteGroupMeans(request_, groups_, 3);
  ASSERT_TRUE(means.ok()) << means.status();
  ASSERT_EQ(means->contributions.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    const AggregateContribution& mean = means->contributions[i];
    EXPECT_EQ(mean.site.value(), Concat("group-", groups_[i].group + 1));
    EXPECT_NEAR(mean.weight, 5, 1e-5);
    const tensor::ParameterVector values = tensor::ReadParameters(mean.update).value();
    for (const float value : values.values()) EXPECT_NEAR(value, 0.5 * groups_[i].group, 1e-6);
    EXPECT_NEAR(means->notes["groups"][i]["loss"].get<double>(), 3, 1e-3);
    EXPECT_EQ(means->notes["groups"][i]["sites"], 5);
  }
  EXPECT_NEAR(means->notes["secure_weight"].get<double>(), 15, 1e-4);
  EXPECT_NEAR(means->notes["loss"].get<double>(), 3, 1e-3);
}

// A site can put any words into its vector.  Its group's sum is then none of five vectors; the others' are.
TEST_F(GroupMeansTest, LeaveOutAGroupThatASiteHasMadeUnreadable) {
  for (const std::uint32_t group : {0u, 1u, 2u}) AddGroup(group, 0.25f);
  AddGroup(3, 0.25f, std::uint32_t{1} << 31);
  const StatusOr<GroupMeans> means = WriteGroupMeans(request_, groups_, 3);
  ASSERT_TRUE(means.ok()) << means.status();
  EXPECT_EQ(means->contributions.size(), 3u);
  EXPECT_THAT(means->notes["groups"][3]["left_out"].get<std::string>(), HasSubstr("more than 5 sites can make"));
  EXPECT_NEAR(means->notes["secure_weight"].get<double>(), 15, 1e-4);

  const Status status = WriteGroupMeans(request_, groups_, 4).status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("only 3 groups' sums can be had, 4 are needed"));
}

}  // namespace
}  // namespace consilium::coordinator
