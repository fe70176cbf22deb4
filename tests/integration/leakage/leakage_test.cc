// The release gate of privacy: attacks of the literature on what a site and a secure sum really send.  Each attack is
// first shown to work where nothing protects (above 20 dB what is on a picture can be seen) and then to fail where the
// product says that it does (below 12 dB; a guess that knows nothing but what such pictures look like comes to 9).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "tests/integration/leakage/imprint.h"
#include "tests/integration/leakage/le_net.h"
#include "tests/integration/leakage/pictures.h"
#include "tests/integration/leakage/secure_view.h"
#include "trainer/models/image_classifier.h"

namespace consilium::attacks {
namespace {

using ::testing::Each;
using ::testing::Gt;
using ::testing::Lt;
using torch::Tensor;

constexpr std::int64_t kEdge = 16, kClasses = 10, kSites = 5;
constexpr double kSeen = 20, kNothing = 12;  // dB
constexpr MatchOptions kMatch = {.iterations = 100, .starts = 3};
constexpr MatchOptions kDirection = {.iterations = 300, .starts = 1, .total_variation = 1e-4};

template <typename Module>
Network NetworkOf(Module module) {
  return {.parameters = module->parameters(), .loss = [module](const Tensor& inputs, const Tensor& targets) mutable {
            return torch::nn::functional::cross_entropy(module->forward(inputs), targets);
          }};
}

std::vector<double> Printed(const char* what, const Tensor& guesses, const Tensor& truths) {
  const std::vector<double> found = BestPsnrs(guesses, truths);
  std::printf("%-66s best %5.1f dB, mean %5.1f\n", what, *std::max_element(found.begin(), found.end()),
              std::accumulate(found.begin(), found.end(), 0.0) / static_cast<double>(found.size()));
  return found;
}

class GradientInversion : public ::testing::Test {
 protected:
  GradientInversion() { torch::set_num_threads(1); }

  // Each site's one picture, of a label of its own.
  Tensor PictureOf(std::int64_t site) const { return pictures_.slice(0, site, site + 1); }
  Tensor LabelOf(std::int64_t site) const { return labels_.slice(0, site, site + 1); }
  Update Sent(const Network& network, std::int64_t site, const std::optional<PrivateStep>& privacy = {}) const {
    std::optional<PrivateStep> own = privacy;
    if (own) own->site = site;
    return UpdateOf(network, PictureOf(site), LabelOf(site), step_, own);
  }
  SecureView InSecret(const Network& network) const {
    std::vector<Update> updates;
    for (std::int64_t site = 0; site < kSites; ++site) updates.push_back(Sent(network, site));
    return SumInSecret(updates, /*seed=*/8);
  }
  Gradient Seen(const Update& update, const Network& network) const { return GradientIn(update, network, step_); }

  const Step step_;
  const Tensor pictures_ = MakePictures(kSites, kEdge, 7), labels_ = torch::arange(kSites, torch::kInt64);
  const Tensor known_ = MakePictures(500, kEdge, 9);  // the attacker's own
  const Network easy_ = NetworkOf(LeNet(kEdge, kClasses, 1));
};

TEST_F(GradientInversion, ReadsThePictureAndItsLabelOutOfWhatASiteSendsInPlain) {
  EXPECT_THAT(Printed("the mean of other pictures", known_.mean(0, true), pictures_), Each(Lt(kNothing - 1)));
  for (std::int64_t site = 0; site < kSites; ++site) {
    const Gradient seen = Seen(Sent(easy_, site), easy_);
    EXPECT_EQ(LabelIn(seen.back()), site);
    const Inversion found = MatchGradient(easy_, seen, LabelOf(site), kEdge, kMatch);
    EXPECT_THAT(Printed("plain update, gradient matched", found.pictures, PictureOf(site)), Each(Gt(kSeen)));
  }
  const Inversion found = MatchDirection(easy_, Seen(Sent(easy_, 0), easy_), LabelOf(0), kEdge, kDirection);
  EXPECT_THAT(Printed("plain update, direction matched", found.pictures, PictureOf(0)), Each(Gt(kSeen)));
}

TEST_F(GradientInversion, FindsNothingInASitesMaskedVector) {
  const Gradient seen = Seen(InSecret(easy_).masked[0], easy_);
  const Inversion found = MatchGradient(easy_, seen, LabelOf(0), kEdge, kMatch);
  EXPECT_THAT(Printed("masked vector, gradient matched", found.pictures, PictureOf(0)), Each(Lt(kNothing)));
  const Inversion along = MatchDirection(easy_, seen, LabelOf(0), kEdge, kDirection);
  EXPECT_THAT(Printed("masked vector, direction matched", along.pictures, PictureOf(0)), Each(Lt(kNothing)));
}

TEST_F(GradientInversion, ThatTakesASecureSumForOneSitesUpdateFindsNoSitesPicture) {
  const Gradient seen = Seen(InSecret(easy_).mean, easy_);
  for (std::int64_t site = 0; site < kSites; ++site) {
    const Inversion found = MatchGradient(easy_, seen, LabelOf(site), kEdge, kMatch);
    EXPECT_THAT(Printed("sum of 5, gradient of one picture matched", found.pictures, pictures_), Each(Lt(kNothing)));
  }
}

// A secure sum hides who, not what: whoever looks for all the pictures at once finds the few that one step of each site
// was made of.  He needs more gradient than pixels: 9466 numbers here, 1280 pixels of five pictures, 10240 of forty.
TEST_F(GradientInversion, ThatLooksForAllPicturesOfASecureSumReadsFiveAndNotForty) {
  constexpr MatchOptions kLonger = {.iterations = 250, .starts = 1};
  const Inversion five = MatchGradient(easy_, Seen(InSecret(easy_).mean, easy_), labels_, kEdge, kLonger);
  EXPECT_THAT(Printed("sum of 5 x 1 pictures, all looked for", five.pictures, pictures_), Each(Gt(kSeen)));

  constexpr std::int64_t kBatch = 8;
  const Tensor many = MakePictures(kSites * kBatch, kEdge, 10);
  const Tensor labels = torch::arange(kSites * kBatch, torch::kInt64).remainder(kClasses);
  std::vector<Update> updates;
  for (std::int64_t begin = 0; begin < kSites * kBatch; begin += kBatch)
    updates.push_back(
        UpdateOf(easy_, many.slice(0, begin, begin + kBatch), labels.slice(0, begin, begin + kBatch), step_));
  const Inversion forty = MatchGradient(easy_, Seen(SumInSecret(updates, 11).mean, easy_), labels, kEdge, kLonger);
  EXPECT_THAT(Printed("sum of 5 x 8 pictures, all looked for", forty.pictures, many), Each(Lt(kNothing)));
}

TEST_F(GradientInversion, ThatLooksForAllPicturesOfASecureSumFindsNoneOnceSitesAddNoise) {
  std::vector<Update> updates;
  for (std::int64_t site = 0; site < kSites; ++site) updates.push_back(Sent(easy_, site, PrivateStep{}));
  const Inversion found = MatchGradient(easy_, Seen(SumInSecret(updates, 12).mean, easy_), labels_, kEdge, kMatch);
  EXPECT_THAT(Printed("sum of 5 x 1 pictures, clip 1, noise 1", found.pictures, pictures_), Each(Lt(kNothing)));
}

TEST_F(GradientInversion, FindsNothingInAStepWithNoiseAndAllWithTheClipAlone) {
  for (const double noise : {0.0, 1.0}) {
    const Gradient seen = Seen(Sent(easy_, 0, PrivateStep{.clip = 1, .noise_multiplier = noise}), easy_);
    const Inversion along = MatchDirection(easy_, seen, LabelOf(0), kEdge, kDirection);
    const auto psnr = Printed(noise == 0 ? "clip 1, no noise, direction matched" : "clip 1, noise 1, direction matched",
                              along.pictures, PictureOf(0));
    if (noise == 0) {
      EXPECT_THAT(psnr, Each(Gt(kSeen)));
      continue;
    }
    EXPECT_THAT(psnr, Each(Lt(kNothing)));
    const Inversion found = MatchGradient(easy_, seen, LabelOf(0), kEdge, kMatch);
    EXPECT_THAT(Printed("clip 1, noise 1, gradient matched", found.pictures, PictureOf(0)), Each(Lt(kNothing)));
  }
}

// A job can name no such network (its architecture is one of a list); this is what noise is for where one could.
TEST_F(GradientInversion, ByANetworkMadeForItReadsPicturesOutOfASecureSumAndNothingUnderNoise) {
  const Network imprint = NetworkOf(Imprint(known_, 256, kClasses, 2));
  const SecureView view = InSecret(imprint);
  EXPECT_THAT(Printed("plain update, imprint", ReadImprint(Seen(Sent(imprint, 0), imprint), kEdge), PictureOf(0)),
              Each(Gt(kSeen)));
  EXPECT_THAT(Printed("masked vector, imprint", ReadImprint(Seen(view.masked[0], imprint), kEdge), PictureOf(0)),
              Each(Lt(kNothing)));
  EXPECT_THAT(Printed("sum of 5, imprint", ReadImprint(Seen(view.mean, imprint), kEdge), pictures_), Each(Gt(kSeen)));
  const Gradient noisy = Seen(Sent(imprint, 0, PrivateStep{}), imprint);
  EXPECT_THAT(Printed("clip 1, noise 1, imprint", ReadImprint(noisy, kEdge), PictureOf(0)), Each(Lt(kNothing)));
}

// Deeper, normalised and with kinks: the first steps towards a picture are the coarse ones.
TEST_F(GradientInversion, OfTheImageClassifierShowsMoreThanAGuessInPlainAndNothingInSecret) {
  const Network classifier =
      NetworkOf(trainer::ImageClassifier(trainer::ImageClassifierOptions{.classes = kClasses}, /*seed=*/1));
  const MatchOptions options = {.iterations = 150, .starts = 1, .total_variation = 1e-2, .halvings = 2};
  double mean = 0;
  for (std::int64_t site = 0; site < 3; ++site) {
    const Inversion found =
        MatchDirection(classifier, Seen(Sent(classifier, site), classifier), LabelOf(site), kEdge, options);
    mean += Printed("image classifier, plain update", found.pictures, PictureOf(site))[0] / 3;
  }
  EXPECT_GT(mean, kNothing);
  const Inversion masked =
      MatchDirection(classifier, Seen(InSecret(classifier).masked[0], classifier), LabelOf(0), kEdge, options);
  EXPECT_THAT(Printed("image classifier, masked vector", masked.pictures, PictureOf(0)), Each(Lt(kNothing)));
}

}  // namespace
}  // namespace consilium::attacks
