#include "privacy/secagg/thresholds.h"

namespace consilium::secagg {

StatusOr<CompleteThreshold> ThresholdFor(std::size_t sites, std::size_t corrupt) {
  if (sites < 3)
    return InvalidArgument(sites,
                           " sites; a secure sum needs at least 3, or a site could subtract itself and see the other");
  if (corrupt >= sites) return InvalidArgument(corrupt, " corrupt of ", sites, " sites");
  const std::size_t threshold = (sites + corrupt) / 2 + 1;
  if (threshold > sites) return InvalidArgument("with ", corrupt, " of ", sites, " sites corrupt no threshold is safe");
  return CompleteThreshold{threshold, sites - threshold};
}

std::size_t DefaultCorrupt(std::size_t sites) { return sites / 3; }

}  // namespace consilium::secagg
