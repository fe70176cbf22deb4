// Two settings that every training on a CPU wants and no default gives.
//
// OpenMP's idle threads. libgomp lets a thread that waits for the others spin for milliseconds. Where cores are shared
// (three sites on one machine, ranks beside each other, a laptop that does something else) it spins away the time of
// the very thread it waits for: two threads on two busy cores trained at 0.6 patches/s spinning and 4.1 sleeping, on
// two quiet ones at 8.1 and 10.1. The policy is read while the library is being loaded, before main(): so the program
// must be executed anew with OMP_WAIT_POLICY=passive.
//
// The heap. glibc maps every block above 128 KiB (at most 32 MiB) anew and gives it back when it is freed; an
// activation of a 3D network is such a block, and its pages are zeroed and faulted in at every layer of every step:
// keeping them makes one thread 20 % faster.
#pragma once

namespace consilium::trainer {

// Keeps freed memory. Peak use is as before; it is not given back to the system in between.
void KeepFreedMemory();

// Sets OMP_WAIT_POLICY=passive in this process's environment, unless the user has chosen a policy (OMP_WAIT_POLICY or
// GOMP_SPINCOUNT). True when the program must be executed anew for it to act.
bool AskForSleepingThreads();

// First things in main(): both of the above and CureBlas(), with at most one execution anew for the two together (one
// more when OpenBLAS does not know its core).
void PrepareProcess(char** argv);

}  // namespace consilium::trainer
