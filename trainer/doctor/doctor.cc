#include "trainer/doctor/doctor.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>

#include "comm/base/file.h"
#include "comm/base/findings.h"
#include "comm/base/subprocess.h"
#include "trainer/doctor/blas_finding.h"
#include "trainer/doctor/machine_findings.h"
#include "trainer/doctor/measure.h"
#include "trainer/startup/blas.h"
#include "trainer/startup/threads.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;

constexpr char kMatmulKey[] = "matmul_gflops=";

// The matrix product's speed in a child of ours whose environment lacks `unset` and has `set`; nothing when that fails,
// because the measurement at hand stands without it.
std::optional<double> MatmulGflopsOfChild(const std::vector<std::string>& unset, const std::string& set) {
  std::vector<std::string> arguments{"env"};  // Subprocess can add to our environment, not take from it
  for (const std::string& name : unset) arguments.insert(arguments.end(), {"-u", name});
  if (!set.empty()) arguments.push_back(set);
  std::error_code error;
  arguments.insert(arguments.end(), {fs::read_symlink("/proc/self/exe", error).string(), "doctor", "--matmul-only"});
  std::string pattern = (fs::temp_directory_path(error) / "consilium-doctor-XXXXXX").string();
  const int descriptor = ::mkstemp(pattern.data());
  if (descriptor < 0) return std::nullopt;
  ::close(descriptor);
  std::optional<double> gflops;
  if (StatusOr<Subprocess> child = Subprocess::Start({.arguments = arguments, .output = pattern}); child.ok()) {
    (void)child->Wait(std::chrono::seconds(60));
    const StatusOr<std::string> output = ReadFile(pattern);
    const std::size_t at = output.ok() ? output->find(kMatmulKey) : std::string::npos;
    if (at != std::string::npos) gflops = std::strtod(output->c_str() + at + sizeof kMatmulKey - 1, nullptr);
  }
  fs::remove(pattern, error);
  return gflops;
}

Finding MeasuredBlasFinding(bool mkl, int threads) {
  BlasFacts facts{
      .library = LoadedBlas(), .mkl = mkl, .cpu = ThisCpu(), .cure = CureOfThisProcess(), .threads = threads};
  facts.gflops = MatmulGflops();
  if (facts.cure == BlasCure::kApplied) {
    facts.gflops_otherwise = MatmulGflopsOfChild({"OPENBLAS_CORETYPE"}, "CONSILIUM_BLAS_CURE=off");
  } else if (!BetterCore(facts.library.core, facts.cpu).empty() && facts.cure != BlasCure::kFailed) {
    facts.gflops_otherwise = MatmulGflopsOfChild({"OPENBLAS_CORETYPE", "CONSILIUM_BLAS_CURE"}, "");
  }
  return BlasFinding(facts);
}

Finding TorchFinding(const TorchFacts& torch) {
  return {.subject = "libtorch",
          .detail = "LibTorch " + torch.version + (torch.cuda_built ? " with CUDA" : ", CPU only"),
          .values = {{"version", torch.version}, {"cuda", torch.cuda_built}}};
}

Finding ConvolutionFinding(bool onednn) {
  const double gflops = Conv3dGflops();
  char text[96];
  std::snprintf(text, sizeof text, "3x3x3, 32 channels at %.0f GFLOP/s through %s", gflops,
                onednn ? "oneDNN" : "LibTorch");
  Finding finding{.subject = "conv3d", .detail = text, .values = {{"gflops", gflops}}};
  if (!onednn) {
    finding.level = FindingLevel::kWarn;
    finding.mend = "use a LibTorch that is built with oneDNN (MKLDNN); convolutions are most of the work";
  }
  return finding;
}

Finding GpuFinding(const TorchFacts& torch) {
  Finding finding{.subject = "gpus", .detail = std::to_string(torch.gpus), .values = {{"count", torch.gpus}}};
  std::error_code unused;
  if (torch.gpus == 0) {
    finding.detail = "none; training runs on the CPU";
    if (fs::exists("/dev/nvidia0", unused)) {
      finding.level = FindingLevel::kWarn;
      finding.detail = "an NVIDIA device is here, but LibTorch " +
                       std::string(torch.cuda_built ? "cannot use it" : "is built without CUDA");
      finding.mend = torch.cuda_built ? "compare the driver's CUDA version (nvidia-smi) with LibTorch's"
                                      : "build with an official LibTorch for CUDA (deploy/README.md)";
    }
  }
  return finding;
}

Finding BackendFinding(const TorchFacts& torch) {
  Finding finding{.subject = "ranks",
                  .detail = torch.gloo && torch.nccl ? "gloo, nccl"
                            : torch.gloo             ? "gloo"
                            : torch.nccl             ? "nccl"
                                                     : "none",
                  .values = {{"gloo", torch.gloo}, {"nccl", torch.nccl}}};
  if (!torch.gloo) {
    finding.level = FindingLevel::kWarn;
    finding.mend = "apt-get install libgloo-dev and build anew; until then one process trains alone";
  } else if (torch.gpus > 1 && !torch.nccl) {
    finding.level = FindingLevel::kWarn;
    finding.mend = "apt-get install libnccl-dev and build anew; until then gradients travel through the CPU";
  }
  return finding;
}

std::vector<Finding> Examine() {
  const TorchFacts torch = ThisTorch();
  const CpuShare share = ThisShare();
  const int threads = ThreadsFor(share, 1);
  SetTorchThreads(threads);
  const fs::path here = fs::current_path();
  std::vector<Finding> findings{TorchFinding(torch), ThreadsFinding(share, torch.threads)};
  findings.push_back(MeasuredBlasFinding(torch.mkl, threads));
  findings.push_back(ConvolutionFinding(torch.onednn));
  findings.push_back(GpuFinding(torch));
  findings.push_back(BackendFinding(torch));
  findings.push_back(MpiFinding());
  findings.push_back(NiftiFinding());
  findings.push_back(DataFinding(std::getenv("CONSILIUM_DATA")));
  findings.push_back(MemoryFinding(AvailableMemoryBytes()));
  findings.push_back(DiskFinding(here, FreeDiskBytes(here)));
  return findings;
}

}  // namespace

int DoctorVerb(const Arguments& arguments) {
  bool matmul_only = false;
  FindingLevel worst = FindingLevel::kOk;
  Command command(
      "consilium-trainer doctor",
      "What the data plane is built with and how fast this machine computes: one line per finding, with the "
      "mend. Takes a few seconds.",
      "consilium-trainer doctor --json");
  command.Flag("--matmul-only", &matmul_only, "measure the matrix product alone, as the comparison does");
  const int exit_code = command.Run(arguments, [&] {
    if (matmul_only) {
      SetTorchThreads(DefaultThreads(1));
      std::printf("%s%.3f\n", kMatmulKey, MatmulGflops());
      return Status();
    }
    const std::vector<Finding> findings = Examine();
    worst = WorstOf(findings);
    if (command.json()) {
      Command::PrintJson(FindingsToJson(findings));
    } else {
      PrintFindings(findings, std::cout);
    }
    return Status();
  });
  return exit_code == 0 && worst == FindingLevel::kFail ? static_cast<int>(ExitCode::kFailed) : exit_code;
}

}  // namespace consilium::trainer
