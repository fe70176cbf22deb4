#include "trainer/startup/blas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace consilium::trainer {
namespace {

using testing::HasSubstr;

constexpr CpuFeatures kOld{.avx = true};
constexpr CpuFeatures kAvx2Intel{.avx = true, .avx2_fma = true};
constexpr CpuFeatures kAvx2Amd{.avx = true, .avx2_fma = true, .amd = true};
constexpr CpuFeatures kAvx512Intel{.avx = true, .avx2_fma = true, .avx512 = true};
constexpr CpuFeatures kAvx512Amd{.avx = true, .avx2_fma = true, .avx512 = true, .amd = true};

TEST(BetterCore, RaisesACoreBelowTheCpu) {
  EXPECT_EQ(BetterCore("Prescott", kAvx512Intel), "SKYLAKEX");
  EXPECT_EQ(BetterCore("Haswell", kAvx512Amd), "SKYLAKEX");
  EXPECT_EQ(BetterCore("Zen", kAvx512Amd), "SKYLAKEX");
  EXPECT_EQ(BetterCore("Prescott", kAvx2Amd), "ZEN");
  EXPECT_EQ(BetterCore("Barcelona", kAvx2Amd), "ZEN");
  EXPECT_EQ(BetterCore("Core2", kAvx2Intel), "HASWELL");
  EXPECT_EQ(BetterCore("Sandybridge", kAvx2Intel), "HASWELL");
  EXPECT_EQ(BetterCore("Nehalem", kOld), "SANDYBRIDGE");
  EXPECT_EQ(BetterCore("prescott", kAvx2Intel), "HASWELL") << "OpenBLAS does not mind the case either";
}

TEST(BetterCore, LeavesAGoodPickAndUnknownNamesAlone) {
  EXPECT_EQ(BetterCore("SkylakeX", kAvx512Intel), "");
  EXPECT_EQ(BetterCore("Cooperlake", kAvx512Amd), "");
  EXPECT_EQ(BetterCore("Haswell", kAvx2Amd), "");
  EXPECT_EQ(BetterCore("Sandybridge", kOld), "");
  EXPECT_EQ(BetterCore("Zen9", kAvx512Amd), "") << "a newer library knows more than we do";
  EXPECT_EQ(BetterCore("", kAvx512Amd), "");
  EXPECT_EQ(BetterCore("Prescott", CpuFeatures()), "");
}

// What the probe printed, and its exit code.
struct Probe {
  std::string output;
  int exit_code;
  std::string Line(const std::string& key) const {
    const std::size_t at = output.find(key + "=");
    return at == std::string::npos ? "" : output.substr(at, output.find('\n', at) - at);
  }
};

Probe RunProgram(const std::string& program, const std::string& environment) {
  const std::string command = "echo 'a line on stdin' | env -u OPENBLAS_CORETYPE -u CONSILIUM_BLAS_CURE " +
                              environment + " PROBE_TOKEN='kept as it is' " + program;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  Probe probe;
  std::array<char, 4096> buffer;
  while (const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), pipe))
    probe.output.append(buffer.data(), size);
  probe.exit_code = WEXITSTATUS(::pclose(pipe));
  return probe;
}

Probe RunProbe(const std::string& environment, const std::string& arguments) {
  return RunProgram(CONSILIUM_BIN_DIR "/blas_probe " + arguments, environment);
}

std::string Cure(BlasCure cure) { return "cure=" + std::to_string(static_cast<int>(cure)); }

// The probe's library falls into the trap, so a CPU that can do more than SSE is all that is needed to see the cure.
class CureBlasTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!ThisCpu().avx) GTEST_SKIP() << "this CPU has nothing better than SSE";
  }
};

TEST_F(CureBlasTest, TheCoreInUseIsThenAsGoodAsTheCpu) {
  EXPECT_EQ(RunProbe("CONSILIUM_BLAS_CURE=off", "").Line("core"), "core=Prescott") << "without the cure";
  const Probe cured = RunProbe("", "");
  EXPECT_EQ(BetterCore(cured.Line("core").substr(5), ThisCpu()), "") << cured.output;
  EXPECT_EQ(cured.Line("cure"), Cure(BlasCure::kApplied));
}

TEST_F(CureBlasTest, ArgumentsEnvironmentStandardInputAndExitCodeStay) {
  const Probe cured = RunProbe("", "train 'a b' --set x=1 ''");
  EXPECT_EQ(cured.exit_code, 6);
  EXPECT_EQ(cured.Line("cure"), Cure(BlasCure::kApplied));
  EXPECT_EQ(cured.Line("token"), "token=kept as it is");
  EXPECT_EQ(cured.Line("stdin"), "stdin=a line on stdin");
  EXPECT_THAT(cured.output, HasSubstr("argv1=train\nargv2=a b\nargv3=--set\nargv4=x=1\nargv5=\n"));
}

TEST_F(CureBlasTest, TheProcessKeepsItsNameForThoseWhoLookAtTheMachine) {
  const Probe cured = RunProbe("", "");
  ASSERT_EQ(cured.Line("cure"), Cure(BlasCure::kApplied));
  EXPECT_EQ(cured.Line("name"), "name=blas_probe");
}

TEST_F(CureBlasTest, AProgramWhoseFileIsGoneIsExecutedAnewAllTheSame) {
  const std::string copy = testing::TempDir() + "blas_probe_copy_" + std::to_string(::getpid());
  // The shell opens the copy, removes it, and runs what it has open.
  const Probe cured = RunProgram("sh -c 'cp " CONSILIUM_BIN_DIR "/blas_probe " + copy + " && exec 9<" + copy +
                                     " && rm " + copy + " && exec /proc/self/fd/9'",
                                 "");
  EXPECT_EQ(cured.Line("cure"), Cure(BlasCure::kApplied)) << cured.output;
}

TEST_F(CureBlasTest, TheUsersOwnChoiceIsLeftAlone) {
  const Probe probe = RunProbe("OPENBLAS_CORETYPE=Prescott", "");
  EXPECT_EQ(probe.Line("core"), "core=Prescott");
  EXPECT_EQ(probe.Line("cure"), Cure(BlasCure::kUsersChoice));
}

TEST_F(CureBlasTest, AMarkerInheritedFromAnotherProcessNeitherLoopsNorStopsTheCure) {
  EXPECT_EQ(RunProbe("CONSILIUM_BLAS_CURED='1 applied'", "").Line("cure"), Cure(BlasCure::kApplied));
  EXPECT_EQ(RunProbe("CONSILIUM_BLAS_CURED='1 undone'", "").Line("cure"), Cure(BlasCure::kApplied));
}

TEST_F(CureBlasTest, ACoreThatTheLibraryDoesNotHaveIsGivenUpWithoutALoop) {
  const Probe probe = RunProbe("FAKE_OPENBLAS_CORES=none", "");
  EXPECT_EQ(probe.Line("core"), "core=Prescott");
  EXPECT_EQ(probe.Line("cure"), Cure(BlasCure::kFailed));
  EXPECT_EQ(probe.Line("coretype"), "coretype=") << "the library's own pick must be back in use";
}

TEST(LoadedBlas, SaysThatThisTestLoadsNone) {
  const BlasLibrary library = LoadedBlas();
  EXPECT_EQ(library.kind, BlasKind::kOther);
  EXPECT_EQ(library.path, "");
}

}  // namespace
}  // namespace consilium::trainer
