// Fields of an event or status, whatever is in the file: a missing one or one of another type is "" or 0.
#pragma once

#include <string>

#include "comm/base/json.h"

namespace consilium::demo {

inline std::string Text(const Json& event, const char* key) {
  return event.contains(key) && event[key].is_string() ? event[key].get<std::string>() : "";
}

inline double Number(const Json& event, const char* key) {
  return event.contains(key) && event[key].is_number() ? event[key].get<double>() : 0.0;
}

}  // namespace consilium::demo
