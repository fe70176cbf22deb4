#include "trainer/startup/threads.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;

int CoresInMaskOf(pid_t pid) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  return ::sched_getaffinity(pid, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 0;
}

std::string FirstLine(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The folder under /sys/fs/cgroup that this process is in, for version 2 ("0::/user.slice/...").
fs::path ControlGroup() {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("0::/")) return line.substr(4);
  return {};
}

// The tightest limit on the way from our control group up to the root, which is where a container sees its own.
std::optional<double> Quota() {
  const fs::path root = "/sys/fs/cgroup";
  std::optional<double> tightest;
  const auto consider = [&](const std::string& text) {
    if (const std::optional<double> quota = ParseCpuMax(text)) tightest = std::min(tightest.value_or(*quota), *quota);
  };
  for (fs::path group = ControlGroup();; group = group.parent_path()) {
    consider(FirstLine(root / group / "cpu.max"));
    if (group.empty()) break;
  }
  // Version 1: two files; "-1" is no limit.
  const std::string period = FirstLine(root / "cpu" / "cpu.cfs_period_us");
  if (const std::string quota = FirstLine(root / "cpu" / "cpu.cfs_quota_us"); !quota.empty() && quota.front() != '-')
    consider(quota + " " + period);
  return tightest;
}

}  // namespace

CpuShare ThisShare() {
  CpuShare share;
  share.cores = std::max(1, CoresInMaskOf(0));
  share.launcher_cores = std::max(share.cores, CoresInMaskOf(::getppid()));
  share.quota = Quota();
  return share;
}

int ThreadsFor(const CpuShare& share, int local_ranks) {
  const int ranks = std::max(1, local_ranks);
  const bool bound_by_launcher = ranks > 1 && share.cores < share.launcher_cores;
  int threads = bound_by_launcher ? share.cores : share.cores / ranks;
  // More threads than the quota would all be stopped for the rest of each period.
  if (share.quota) threads = std::min(threads, static_cast<int>(std::floor(*share.quota / ranks)));
  return std::max(1, threads);
}

std::optional<double> ParseCpuMax(const std::string& text) {
  std::istringstream words(text);
  double quota = 0, period = 0;
  if (!(words >> quota >> period) || quota <= 0 || period <= 0) return std::nullopt;
  return quota / period;
}

}  // namespace consilium::trainer
