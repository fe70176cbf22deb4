// The coordinator's JSON documents as text for people.
#pragma once

#include <string>

#include "comm/base/json.h"

namespace consilium::coordinator {

std::string ListText(const Json& list, std::size_t columns);
std::string StatusText(const Json& status, std::size_t columns);
std::string WhyText(const Json& why);
// One line of a log: "10:48:14 round_closed  round 3, contributors a, b".
std::string EventText(const Json& event);

}  // namespace consilium::coordinator
