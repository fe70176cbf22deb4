#include "tests/integration/leakage/secure_view.h"

#include "privacy/secagg/quantizer.h"
#include "tests/unit/privacy/secagg/real_sum.h"

namespace consilium::attacks {

SecureView SumInSecret(const std::vector<Update>& updates, std::uint64_t seed) {
  secagg::RealSum sum(updates.size(), updates.front().size(), seed);
  sum.cohort.terms.clip = 4;  // as wire::SecureSpec has it
  sum.updates = updates;
  sum.weights.assign(updates.size(), 1);
  const double unit = secagg::Quantizer::For(sum.cohort.terms.clip, updates.size())->step();
  SecureView view;
  sum.tamper = [&](std::size_t, std::vector<std::uint32_t>* words) {
    Update& values = view.masked.emplace_back();
    for (std::size_t i = 0; i < sum.elements; ++i)
      values.push_back(static_cast<float>(unit * static_cast<std::int32_t>((*words)[i])));
  };
  const auto result = sum.Run();
  CONSILIUM_CHECK(result.ok(), result.status());
  view.mean = sum.mean;
  return view;
}

}  // namespace consilium::attacks
