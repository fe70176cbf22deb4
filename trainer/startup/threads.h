// How many threads a process may use: LibTorch starts with 1 on some machines, and with every core of the host in a
// container that is allowed two.
#pragma once

#include <optional>
#include <string>

namespace consilium::trainer {

// What the operating system lets this process have.
struct CpuShare {
  int cores = 1;                // in the affinity mask
  int launcher_cores = 1;       // in the parent's mask: larger when the launcher bound this rank to a part
  std::optional<double> quota;  // the control group's CPU time per time, e.g. 1.5; nothing when unlimited
};
CpuShare ThisShare();

// Threads for one of `local_ranks` processes that share the host: the mask divided by the ranks, unless the launcher
// has already given each its own part (mpirun --bind-to), and no more than the quota. At least 1.
int ThreadsFor(const CpuShare& share, int local_ranks);

inline int DefaultThreads(int local_ranks) { return ThreadsFor(ThisShare(), local_ranks); }

// A control group's "cpu.max", e.g. "150000 100000" -> 1.5; nothing for "max 100000" and for text of another form.
std::optional<double> ParseCpuMax(const std::string& text);

}  // namespace consilium::trainer
