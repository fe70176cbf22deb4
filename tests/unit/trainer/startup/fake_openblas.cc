// An OpenBLAS that knows no CPU: it picks Prescott while it is being loaded, unless OPENBLAS_CORETYPE names a core that
// it has. With FAKE_OPENBLAS_CORES=none it has none, as a library that was built for one core.
#include <cstdlib>
#include <cstring>

namespace {

const char* core_name = [] {
  const char* asked = std::getenv("OPENBLAS_CORETYPE");
  const char* cores = std::getenv("FAKE_OPENBLAS_CORES");
  if (asked == nullptr || (cores != nullptr && std::strcmp(cores, "none") == 0)) return "Prescott";
  if (std::strcmp(asked, "SKYLAKEX") == 0) return "SkylakeX";
  if (std::strcmp(asked, "HASWELL") == 0) return "Haswell";
  if (std::strcmp(asked, "ZEN") == 0) return "Zen";
  if (std::strcmp(asked, "SANDYBRIDGE") == 0) return "Sandybridge";
  return "Prescott";
}();

}  // namespace

extern "C" {
const char* openblas_get_corename() { return core_name; }
const char* openblas_get_config() { return "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH MAX_THREADS=64"; }
void sgemm_() {}
}
