// Findings about the machine that need no torch.
#pragma once

#include <cstdint>
#include <filesystem>

#include "comm/base/findings.h"
#include "trainer/startup/threads.h"

namespace consilium::trainer {

// `torch_threads` is what LibTorch would use by itself.
Finding ThreadsFinding(const CpuShare& share, int torch_threads);
Finding MemoryFinding(std::uint64_t available_bytes);
// What this process may still take: the system's MemAvailable, or less where a control group says so.
std::uint64_t AvailableMemoryBytes();
Finding DiskFinding(const std::filesystem::path& folder, std::uint64_t free_bytes);
// Of the file system that holds `folder`; 0 when it cannot be asked.
std::uint64_t FreeDiskBytes(const std::filesystem::path& folder);
// The folder in CONSILIUM_DATA (null: unset) and the nnU-Net raw data sets in it.
Finding DataFinding(const char* folder);
// mpirun on the PATH and its version.
Finding MpiFinding();
Finding NiftiFinding();

}  // namespace consilium::trainer
