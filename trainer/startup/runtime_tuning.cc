#include "trainer/startup/runtime_tuning.h"

#include <malloc.h>
#include <unistd.h>

#include <cstdlib>

#include "trainer/startup/blas.h"
#include "trainer/startup/execute_anew.h"

namespace consilium::trainer {
namespace {

constexpr char kPolicyVariable[] = "OMP_WAIT_POLICY";
constexpr int kTopPadBytes = 64 << 20;

}  // namespace

void KeepFreedMemory() {
  ::mallopt(M_MMAP_MAX, 0);            // everything from the heap ...
  ::mallopt(M_TRIM_THRESHOLD, -1);     // ... which never shrinks ...
  ::mallopt(M_TOP_PAD, kTopPadBytes);  // ... and grows in large steps
}

bool AskForSleepingThreads() {
  if (std::getenv(kPolicyVariable) != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return false;
  return ::setenv(kPolicyVariable, "passive", 1) == 0;
}

void PrepareProcess(char** argv) {
  const bool anew = AskForSleepingThreads();
  CureBlas(argv);  // where it executes the program anew, the policy goes along
  if (anew) ExecuteThisProgram(argv, environ);
  KeepFreedMemory();  // also when the system refuses to execute: then threads spin, and all else is as it was
}

}  // namespace consilium::trainer
