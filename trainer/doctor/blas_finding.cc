#include "trainer/doctor/blas_finding.h"

#include <cstdio>

namespace consilium::trainer {
namespace {

std::string Rounded(double gflops) {
  char text[32];
  std::snprintf(text, sizeof text, gflops < 10 ? "%.1f" : "%.0f", gflops);
  return text;
}

Finding OpenBlasFinding(const BlasFacts& facts, Finding finding, const std::string& speed) {
  const std::string better = BetterCore(facts.library.core, facts.cpu);
  const std::string name = facts.library.version + ", core " + facts.library.core;
  const std::string otherwise = facts.gflops_otherwise ? Rounded(*facts.gflops_otherwise) + " GFLOP/s" : "not measured";
  if (facts.cure == BlasCure::kApplied) {
    finding.detail = name + " (set by us, its own pick is below this CPU): " + speed + "; without: " + otherwise;
    return finding;
  }
  finding.detail = name + ": " + speed;
  if (better.empty()) return finding;
  finding.level = FindingLevel::kWarn;
  finding.detail += "; this CPU can do " + better;
  switch (facts.cure) {
    case BlasCure::kUsersChoice:
      finding.detail += " (" + otherwise + ")";
      finding.mend = "unset OPENBLAS_CORETYPE; it is set in this environment";
      break;
    case BlasCure::kOff:
      finding.detail += " (" + otherwise + ")";
      finding.mend = "unset CONSILIUM_BLAS_CURE";
      break;
    default:
      finding.mend = "this OpenBLAS has no such core; install a newer one, or one that is built with DYNAMIC_ARCH";
  }
  return finding;
}

}  // namespace

Finding BlasFinding(const BlasFacts& facts) {
  Finding finding{.level = FindingLevel::kOk, .subject = "blas"};
  finding.values = {{"gflops", facts.gflops}, {"threads", facts.threads}, {"core", facts.library.core}};
  if (facts.gflops_otherwise) finding.values["gflops_otherwise"] = *facts.gflops_otherwise;
  const std::string speed = Concat("2048x2048 product at ", Rounded(facts.gflops), " GFLOP/s on ", facts.threads,
                                   facts.threads == 1 ? " thread" : " threads");
  if (facts.library.kind == BlasKind::kOpenBlas) return OpenBlasFinding(facts, std::move(finding), speed);
  if (facts.mkl) {
    finding.detail = "MKL inside LibTorch: " + speed;
  } else {
    finding.level = FindingLevel::kWarn;
    finding.detail = (facts.library.path.empty() ? "unknown library" : facts.library.path) + ", not OpenBLAS: " + speed;
    finding.mend =
        "apt-get install libopenblas0-pthread; if it is installed: "
        "update-alternatives --auto libblas.so.3-x86_64-linux-gnu";
  }
  return finding;
}

}  // namespace consilium::trainer
