#include "trainer/loop/environment.h"

#include <sys/utsname.h>
#include <torch/version.h>

#include "comm/base/command.h"
#include "comm/base/time.h"
#include "trainer/startup/blas.h"

namespace consilium::trainer {

std::string BuildName() { return Concat(kVersion, ", LibTorch ", TORCH_VERSION); }

Json DescribeEnvironment(const Trainer& trainer, const collective::Communicator& communicator) {
  utsname system{};
  ::uname(&system);
  const BlasLibrary blas = LoadedBlas();
  return {{"consilium", kVersion},
          {"libtorch", TORCH_VERSION},
          {"host", system.nodename},
          {"system", Concat(system.sysname, " ", system.release, " ", system.machine)},
          {"device", trainer.device()},
          {"threads", trainer.threads()},
          {"ranks", communicator.world()},
          {"communicator", communicator.name()},
          {"blas", {{"library", blas.version.empty() ? blas.path : blas.version}, {"core", blas.core}}},
          {"started", FormatUtc(SystemClock().WallNow())}};
}

}  // namespace consilium::trainer
