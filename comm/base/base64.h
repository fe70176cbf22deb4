// Base64 of RFC 4648, section 4: with padding, without line breaks.
#pragma once

#include <string>

#include "comm/base/bytes.h"

namespace consilium {

std::string ToBase64(ByteSpan bytes);

}  // namespace consilium
