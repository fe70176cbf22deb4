#include "client/service/site_capability.h"

#include <sched.h>
#include <unistd.h>

#include <filesystem>

#include "comm/base/command.h"

namespace consilium::client {
namespace {

std::uint32_t Cores() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  return ::sched_getaffinity(0, sizeof mask, &mask) == 0 ? static_cast<std::uint32_t>(CPU_COUNT(&mask)) : 0;
}

std::uint64_t MemoryBytes() {
  const long pages = ::sysconf(_SC_PHYS_PAGES), page_bytes = ::sysconf(_SC_PAGE_SIZE);
  return pages > 0 && page_bytes > 0 ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes) : 0;
}

// The driver lists them one a folder; a site without it has none that LibTorch could use.
std::uint32_t Gpus() {
  std::error_code error;
  std::uint32_t count = 0;
  const std::filesystem::directory_iterator none;
  for (std::filesystem::directory_iterator entry("/proc/driver/nvidia/gpus", error); !error && entry != none;
       entry.increment(error))
    ++count;
  return count;
}

}  // namespace

wire::Capability SiteCapability() {
  return {.cores = Cores(),
          .memory_bytes = MemoryBytes(),
          .gpus = Gpus(),
          .trainer = kVersion,
          .features = wire::FeaturesOfThisBuild()};
}

}  // namespace consilium::client
