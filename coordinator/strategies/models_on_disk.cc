#include "coordinator/strategies/models_on_disk.h"

#include <algorithm>

#include "coordinator/strategies/strategy.h"

namespace consilium::coordinator {

std::size_t ModelsOnDisk(const wire::FederationSpec& federation, std::size_t sites) {
  const std::unique_ptr<const Strategy> strategy = MakeStrategy(federation);
  const std::size_t an_update = strategy->spec().aux_up.empty() ? 1 : 2;
  const std::size_t collections = strategy->spec().name == "fedbuff" ? 2 : 1;
  const std::size_t own_models = strategy->spec().several_models ? 2 * sites : 0;
  const std::size_t means =
      federation.secure.enabled ? static_cast<std::size_t>(std::max<std::int64_t>(1, federation.secure.groups)) : 0;
  return 3 + means + an_update * collections * sites + 2 * strategy->state().size() + own_models;
}

}  // namespace consilium::coordinator
