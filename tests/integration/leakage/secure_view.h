// What a coordinator holds after a secure sum, made by the product's own machines.
#pragma once

#include <vector>

#include "tests/integration/leakage/site_update.h"

namespace consilium::attacks {

struct SecureView {
  std::vector<Update> masked;  // each site's words, read as the values that unmasked ones would stand for
  Update mean;                 // of all sites, masks taken off
};

// One update a site, all of the same weight.
SecureView SumInSecret(const std::vector<Update>& updates, std::uint64_t seed);

}  // namespace consilium::attacks
