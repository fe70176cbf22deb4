// Whole numbers out of JSON that anybody may have written.  nlohmann's get<int>() takes 1.5 for 1 and a number that is
// too large for anything.
#pragma once

#include <concepts>
#include <utility>

#include "comm/base/json.h"

namespace consilium {

// Throws Json::type_error, as nlohmann's own conversions do, when `json` is no whole number or T cannot hold it.
template <std::integral T>
T WholeNumber(const Json& json) {
  const bool fits = json.is_number_unsigned()  ? std::in_range<T>(json.get<std::uint64_t>())
                    : json.is_number_integer() ? std::in_range<T>(json.get<std::int64_t>())
                                               : false;
  if (!fits) throw Json::type_error::create(302, "expected a whole number in range, found " + json.dump(), &json);
  return json.is_number_unsigned() ? static_cast<T>(json.get<std::uint64_t>())
                                   : static_cast<T>(json.get<std::int64_t>());
}

}  // namespace consilium
