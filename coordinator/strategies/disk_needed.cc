#include "coordinator/strategies/disk_needed.h"

#include "coordinator/strategies/strategy.h"

namespace consilium::coordinator {

std::uint64_t DiskNeeded(const wire::FederationSpec& federation, std::uint64_t model_bytes, std::size_t sites) {
  constexpr std::uint64_t kFoldersAndLogs = 16 << 20;
  const std::unique_ptr<const Strategy> strategy = MakeStrategy(federation);
  const std::uint64_t an_update = strategy->spec().aux_up.empty() ? 1 : 2;
  const std::uint64_t collections = strategy->spec().name == "fedbuff" ? 2 : 1;
  const std::uint64_t own_models = strategy->spec().several_models ? 2 * sites : 0;
  const std::uint64_t models = 2 + an_update * collections * sites + 2 * strategy->state().size() + own_models;
  return models * model_bytes + kFoldersAndLogs;
}

}  // namespace consilium::coordinator
