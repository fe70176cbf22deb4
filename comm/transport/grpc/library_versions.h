// The versions of the vendors' libraries that carry the transport, for doctor and logs.
#pragma once

#include <string>

namespace consilium::transport {

std::string GrpcVersion();     // "1.51.1"
std::string OpenSslVersion();  // "OpenSSL 3.0.15 3 Sep 2024"

}  // namespace consilium::transport
