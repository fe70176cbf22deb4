#include "comm/transport/grpc/library_versions.h"

#include <grpcpp/grpcpp.h>
#include <openssl/crypto.h>

namespace consilium::transport {

std::string GrpcVersion() { return grpc::Version(); }
std::string OpenSslVersion() { return OpenSSL_version(OPENSSL_VERSION); }

}  // namespace consilium::transport
