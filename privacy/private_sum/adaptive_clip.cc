#include "privacy/private_sum/adaptive_clip.h"

#include <algorithm>
#include <cmath>

#include "comm/wire/job.h"

namespace consilium::private_sum {
namespace {

constexpr double kRate = 0.2;

}  // namespace

double NextClip(double clip, double share_below, double quantile) {
  const double next = clip * std::exp(-kRate * (std::clamp(share_below, 0.0, 1.0) - quantile));
  return std::clamp(next, wire::kSiteClipMin, wire::kSiteClipMax);
}

}  // namespace consilium::private_sum
