#include "trainer/doctor/blas_finding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace consilium::trainer {
namespace {

using testing::HasSubstr;

BlasFacts OpenBlas(const std::string& core) {
  return {.library = {.kind = BlasKind::kOpenBlas, .core = core, .version = "OpenBLAS 0.3.21"},
          .cpu = {.avx = true, .avx2_fma = true, .avx512 = true},
          .threads = 2,
          .gflops = 159};
}

TEST(BlasFinding, AGoodPickIsFine) {
  const Finding finding = BlasFinding(OpenBlas("SkylakeX"));
  EXPECT_EQ(finding.level, FindingLevel::kOk);
  EXPECT_EQ(finding.detail, "OpenBLAS 0.3.21, core SkylakeX: 2048x2048 product at 159 GFLOP/s on 2 threads");
  EXPECT_EQ(finding.mend, "");
  EXPECT_EQ(finding.values["gflops"], 159);
}

TEST(BlasFinding, TheCureShowsTheSpeedBeforeAndAfter) {
  BlasFacts facts = OpenBlas("SkylakeX");
  facts.cure = BlasCure::kApplied;
  facts.gflops_otherwise = 31;
  const Finding finding = BlasFinding(facts);
  EXPECT_EQ(finding.level, FindingLevel::kOk);
  EXPECT_THAT(finding.detail, HasSubstr("159 GFLOP/s on 2 threads; without: 31 GFLOP/s"));
  EXPECT_EQ(finding.values["gflops_otherwise"], 31);
}

TEST(BlasFinding, ASettingThatSlowsDownIsNamedWithWhatItCosts) {
  BlasFacts facts = OpenBlas("Haswell");
  facts.gflops = 48;
  facts.gflops_otherwise = 98;
  facts.cure = BlasCure::kUsersChoice;
  EXPECT_EQ(BlasFinding(facts).level, FindingLevel::kWarn);
  EXPECT_THAT(BlasFinding(facts).detail, HasSubstr("this CPU can do SKYLAKEX (98 GFLOP/s)"));
  EXPECT_THAT(BlasFinding(facts).mend, HasSubstr("unset OPENBLAS_CORETYPE"));
  facts.cure = BlasCure::kOff;
  EXPECT_THAT(BlasFinding(facts).mend, HasSubstr("unset CONSILIUM_BLAS_CURE"));
}

TEST(BlasFinding, AUsersChoiceThatIsAsGoodAsTheCpuIsFine) {
  BlasFacts facts = OpenBlas("Cooperlake");
  facts.cure = BlasCure::kUsersChoice;
  EXPECT_EQ(BlasFinding(facts).level, FindingLevel::kOk);
}

TEST(BlasFinding, ACureThatFailedSaysSo) {
  BlasFacts facts = OpenBlas("Prescott");
  facts.cure = BlasCure::kFailed;
  EXPECT_EQ(BlasFinding(facts).level, FindingLevel::kWarn);
  EXPECT_THAT(BlasFinding(facts).mend, HasSubstr("install a newer one"));
}

TEST(BlasFinding, TheReferenceLibraryIsNamedWithThePackageThatReplacesIt) {
  const Finding finding =
      BlasFinding({.library = {.path = "/usr/lib/x86_64-linux-gnu/blas/libblas.so.3"}, .gflops = 2.94});
  EXPECT_EQ(finding.level, FindingLevel::kWarn);
  EXPECT_THAT(finding.detail,
              HasSubstr("/blas/libblas.so.3, not OpenBLAS: 2048x2048 product at 2.9 GFLOP/s on 1 thread"));
  EXPECT_THAT(finding.mend, HasSubstr("apt-get install libopenblas0-pthread"));
}

TEST(BlasFinding, MklInsideLibTorchIsFine) { EXPECT_EQ(BlasFinding({.mkl = true}).level, FindingLevel::kOk); }

}  // namespace
}  // namespace consilium::trainer
