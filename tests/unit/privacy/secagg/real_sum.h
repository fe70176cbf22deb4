// A secure sum of real updates by the product's own machines: what goes in, what the coordinator sees, what comes out.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "privacy/secagg/vector.h"
#include "tests/unit/privacy/secagg/session_fixture.h"

namespace consilium::secagg {

// A cohort with random updates, weights and losses, which a test may set otherwise.
struct RealSum {
  RealSum(std::size_t sites, std::size_t elements, std::uint64_t seed);

  // A site's whole part, in process.
  StatusOr<std::vector<std::uint32_t>> Masked(const MaskingSite& site, std::size_t i);
  // All sites take part; what SumVectors makes of it.
  StatusOr<SumResult> Run();

  double TotalWeight() const;
  double MeanAt(std::size_t k) const;

  Cohort cohort;
  std::size_t elements;
  std::vector<double> weights;
  std::vector<std::map<std::string, double>> metrics;
  std::vector<std::vector<float>> updates;
  std::vector<float> mean;
  // Between a site and the coordinator: sees a masked vector, and may change it.
  std::function<void(std::size_t, std::vector<std::uint32_t>*)> tamper;
};

}  // namespace consilium::secagg
