#include "datasets/preprocess/class_locations.h"

#include <algorithm>

#include "comm/base/rng.h"
#include "comm/base/status.h"

namespace consilium::datasets {
namespace {

constexpr std::size_t kKeepMin = 10000;

// Keeps `keep` of the items, each subset equally likely, in order (Knuth, TAOCP 2, algorithm S).
void Thin(std::size_t keep, Rng* rng, std::vector<std::uint32_t>* items) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < items->size() && kept < keep; ++i) {
    if (rng->Below(items->size() - i) < keep - kept) (*items)[kept++] = (*items)[i];
  }
  items->resize(kept);
  items->shrink_to_fit();
}

}  // namespace

std::vector<std::vector<std::uint32_t>> ClassLocations(std::span<const std::int16_t> labels, std::int64_t num_classes,
                                                       std::uint64_t seed) {
  CONSILIUM_CHECK(labels.size() <= UINT32_MAX, labels.size());
  std::vector<std::vector<std::uint32_t>> locations(
      static_cast<std::size_t>(std::max<std::int64_t>(num_classes - 1, 0)));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] > 0 && labels[i] < num_classes)
      locations[static_cast<std::size_t>(labels[i] - 1)].push_back(static_cast<std::uint32_t>(i));
  }
  for (std::size_t c = 0; c < locations.size(); ++c) {
    const std::size_t count = locations[c].size();
    Rng rng(seed, StreamOf({c + 1}));
    if (count > kKeepMin) Thin(std::max(kKeepMin, (count + 99) / 100), &rng, &locations[c]);
  }
  return locations;
}

}  // namespace consilium::datasets
