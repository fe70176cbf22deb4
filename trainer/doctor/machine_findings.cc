#include "trainer/doctor/machine_findings.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "comm/base/file.h"
#include "comm/base/subprocess.h"

namespace consilium::trainer {
namespace {

namespace fs = std::filesystem;

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

std::string InGiB(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GiB", static_cast<double>(bytes) / kGiB);
  return text;
}

// What a program prints, or "" when it is absent, fails or takes longer than ten seconds.
std::string OutputOf(const std::vector<std::string>& arguments) {
  std::string pattern = (fs::temp_directory_path() / "consilium-doctor-XXXXXX").string();
  const int descriptor = ::mkstemp(pattern.data());
  if (descriptor < 0) return "";
  ::close(descriptor);
  std::string text;
  if (StatusOr<Subprocess> child = Subprocess::Start({.arguments = arguments, .output = pattern}); child.ok())
    if (const StatusOr<ExitResult> result = child->Wait(std::chrono::seconds(10)); result.ok() && result->ok())
      if (const StatusOr<std::string> output = ReadFile(pattern); output.ok()) text = *output;
  std::error_code ignored;
  fs::remove(pattern, ignored);
  return text;
}

}  // namespace

Finding ThreadsFinding(const CpuShare& share, int torch_threads) {
  const int threads = ThreadsFor(share, 1);
  Finding finding{.subject = "threads",
                  .detail = Concat(threads, " by default: ", share.cores, " cores in the affinity mask"),
                  .values = {{"threads", threads}, {"cores", share.cores}, {"libtorch_alone", torch_threads}}};
  if (share.quota) {
    finding.detail += Concat(", a quota of ", *share.quota, " cores");
    finding.values["quota"] = *share.quota;
  }
  finding.detail += Concat("; LibTorch alone would use ", torch_threads);
  if (share.cores == 1 && share.launcher_cores > 1) {
    finding.level = FindingLevel::kWarn;
    finding.detail += Concat("; the launcher has ", share.launcher_cores);
    finding.mend = "mpirun --bind-to none, unless one core a rank is meant";
  }
  return finding;
}

Finding MemoryFinding(std::uint64_t available_bytes) {
  Finding finding{
      .subject = "memory", .detail = InGiB(available_bytes) + " available", .values = {{"bytes", available_bytes}}};
  if (static_cast<double>(available_bytes) < 2 * kGiB) {
    finding.level = FindingLevel::kWarn;
    finding.mend = "training a 3D U-Net takes 1 to 4 GiB a process; lower model.patch_size or train.batch_size";
  }
  return finding;
}

std::uint64_t AvailableMemoryBytes() {
  std::uint64_t bytes = 0;
  std::ifstream meminfo("/proc/meminfo");
  for (std::string line; std::getline(meminfo, line);)
    if (unsigned long long kilobytes = 0; std::sscanf(line.c_str(), "MemAvailable: %llu kB", &kilobytes) == 1)
      bytes = std::uint64_t{kilobytes} * 1024;
  // Version 2, then 1, as a container sees its own group; "max" does not parse and is no limit.
  const char* const groups[][2] = {
      {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
      {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"}};
  for (const auto& [limit_file, usage_file] : groups) {
    std::uint64_t limit = 0, usage = 0;
    if (std::ifstream(limit_file) >> limit && std::ifstream(usage_file) >> usage)
      bytes = std::min(bytes, limit > usage ? limit - usage : 0);
  }
  return bytes;
}

Finding DiskFinding(const fs::path& folder, std::uint64_t free_bytes) {
  Finding finding{.subject = "disk",
                  .detail = InGiB(free_bytes) + " free in " + folder.string(),
                  .values = {{"bytes", free_bytes}}};
  if (static_cast<double>(free_bytes) < 5 * kGiB) {
    finding.level = static_cast<double>(free_bytes) < 0.5 * kGiB ? FindingLevel::kFail : FindingLevel::kWarn;
    finding.mend = "a run keeps several checkpoints of up to 360 MB each; free space or work in another folder";
  }
  return finding;
}

std::uint64_t FreeDiskBytes(const fs::path& folder) {
  struct statvfs info {};
  return ::statvfs(folder.c_str(), &info) == 0 ? std::uint64_t{info.f_bavail} * info.f_frsize : 0;
}

Finding DataFinding(const char* folder) {
  Finding finding{.subject = "data"};
  if (folder == nullptr || *folder == '\0') {
    finding.detail = "CONSILIUM_DATA is not set; data sets are given as folders";
    return finding;
  }
  std::error_code error;
  std::size_t count = 0;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    count += entry->path().filename().string().starts_with("Dataset") && fs::exists(entry->path() / "dataset.json");
  if (error) {
    finding.level = FindingLevel::kWarn;
    finding.detail = Concat("CONSILIUM_DATA=", folder, ": ", error.message());
    finding.mend = "set it to the folder that holds DatasetNNN_Name folders, or unset it";
  } else {
    finding.detail = Concat(count, count == 1 ? " data set" : " data sets", " in CONSILIUM_DATA=", folder);
    finding.values = {{"datasets", count}};
  }
  return finding;
}

Finding MpiFinding() {
  Finding finding{.subject = "mpi"};
  const std::string text = OutputOf({"mpirun", "--version"});  // "mpirun (Open MPI) 4.1.4\n..."
  if (!text.empty()) {
    finding.detail = text.substr(0, text.find('\n'));
    if (!CONSILIUM_HAVE_MPI) finding.detail += "; this build reads its variables, and links no MPI";
  } else if (CONSILIUM_HAVE_MPI) {
    finding.level = FindingLevel::kWarn;
    finding.detail = "mpirun is not on the PATH";
    finding.mend = "apt-get install openmpi-bin, or start ranks with another launcher";
  } else {
    finding.detail = "none, and this build needs none";
  }
  return finding;
}

Finding NiftiFinding() {
  if (CONSILIUM_HAVE_NIFTI) return {.subject = "nifti", .detail = ".nii and .nii.gz are read and written"};
  return {.level = FindingLevel::kWarn,
          .subject = "nifti",
          .detail = "this build reads PNG only",
          .mend = "apt-get install libnifti-dev, and configure with -DCONSILIUM_NIFTI=ON"};
}

}  // namespace consilium::trainer
