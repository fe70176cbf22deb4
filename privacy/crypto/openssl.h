// OpenSSL's objects with owners, and its error queue as a Status.  Internal to privacy/crypto.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <memory>

#include "comm/base/status.h"

namespace consilium::crypto {

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using BioPtr = std::unique_ptr<BIO, Freer<&BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Freer<&X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<&EVP_PKEY_free>>;

// The oldest entry of this thread's queue, which it empties: the first thing that went wrong.
inline Status OpensslFailure(const std::string& what) {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  return Failed(what, ": ", reason == nullptr ? "OpenSSL gives no reason" : reason);
}

}  // namespace consilium::crypto
