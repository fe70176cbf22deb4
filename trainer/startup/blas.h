// The BLAS trap, and its cure.
//
// LibTorch multiplies matrices through the system's BLAS. OpenBLAS chooses its kernels once, while it is being loaded,
// by CPU model; a model that is newer than the library gets kernels for an old one: OpenBLAS 0.3.21 (Debian 12) took an
// AVX-512 machine for a Prescott (SSE3). On an EPYC of family 26, one core makes a 2048x2048 product at 18 GFLOP/s with
// Prescott's kernels, 48 with Haswell's (AVX2) and 98 with SkylakeX's (AVX-512).
// The choice can only be overridden by OPENBLAS_CORETYPE in the environment at load time, which is before main(): so
// the cure is to start the program once more, with the variable set.
#pragma once

#include <string>
#include <string_view>

namespace consilium::trainer {

// What the CPU and the operating system allow together.
struct CpuFeatures {
  bool avx = false;
  bool avx2_fma = false;
  bool avx512 = false;  // F, CD, BW, DQ and VL: what OpenBLAS's SkylakeX kernels use
  bool amd = false;
};
CpuFeatures ThisCpu();

// What OPENBLAS_CORETYPE should be on this CPU when OpenBLAS picked `core` ("Prescott"), or "" when the pick is as good
// as the CPU, or a name that we do not know.
std::string BetterCore(std::string_view core, const CpuFeatures& cpu);

enum class BlasKind {
  kOpenBlas,
  kOther,  // the reference BLAS (slow), or one built into LibTorch (MKL)
};

struct BlasLibrary {
  BlasKind kind = BlasKind::kOther;
  std::string core;     // OpenBLAS: "SkylakeX"
  std::string version;  // OpenBLAS: "OpenBLAS 0.3.21"
  std::string path;     // the shared library that holds sgemm_, symbolic links followed; "" when none is loaded
};
BlasLibrary LoadedBlas();

// First thing in main(): where OpenBLAS picked kernels below this CPU's, sets OPENBLAS_CORETYPE and executes this
// program anew, once, with the same arguments, environment and open files; returns when there is nothing to do. Does
// nothing when the user set OPENBLAS_CORETYPE himself, or CONSILIUM_BLAS_CURE=off. If the library does not know the
// core that was asked for (and fell back to something), the program is executed once more without the variable. Works
// under mpirun: nothing of MPI has been touched yet, and process id and open files stay.
void CureBlas(char** argv);

// How the cure went in this process.
enum class BlasCure {
  kNotNeeded,
  kApplied,     // this process was executed anew with a better core
  kFailed,      // it was, but OpenBLAS does not have that core; its own pick is in use
  kOff,         // CONSILIUM_BLAS_CURE=off
  kUsersChoice  // OPENBLAS_CORETYPE was set before we started
};
BlasCure CureOfThisProcess();

}  // namespace consilium::trainer
