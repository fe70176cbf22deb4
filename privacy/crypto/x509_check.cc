#include <openssl/x509_vfy.h>

#include "comm/base/time.h"
#include "privacy/crypto/openssl.h"
#include "privacy/crypto/x509.h"

namespace consilium::crypto {
namespace {

using StorePtr = std::unique_ptr<X509_STORE, Freer<&X509_STORE_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, Freer<&X509_STORE_CTX_free>>;

std::string_view UseName(CertificateUse use) {
  switch (use) {
    case CertificateUse::kAuthority:
      return "an authority's";
    case CertificateUse::kServer:
      return "a TLS server's";
    case CertificateUse::kClient:
      return "a TLS client's";
    case CertificateUse::kSigning:
      return "a signing certificate";
  }
  return "?";
}

std::string_view UseOf(const Certificate& certificate) {
  for (const CertificateUse use :
       {CertificateUse::kAuthority, CertificateUse::kServer, CertificateUse::kClient, CertificateUse::kSigning})
    if (certificate.HasUse(use)) return UseName(use);
  return "of a use that is unknown here";
}

// X509_V_OK, or why the chain of two does not hold at `now`.
int VerifyError(const Certificate& certificate, const Certificate& authority, WallTime now) {
  const StorePtr store(X509_STORE_new());
  const StoreContextPtr context(X509_STORE_CTX_new());
  if (!store || !context || X509_STORE_add_cert(store.get(), authority.get()) != 1 ||
      X509_STORE_CTX_init(context.get(), store.get(), certificate.get(), nullptr) != 1)
    return X509_V_ERR_OUT_OF_MEM;
  X509_STORE_CTX_set_time(context.get(), 0, std::chrono::system_clock::to_time_t(now));
  X509_verify_cert(context.get());
  const int error = X509_STORE_CTX_get_error(context.get());
  ERR_clear_error();
  return error;
}

}  // namespace

Status CheckCertificate(const Certificate& certificate, const Certificate& authority, CertificateUse use, WallTime now,
                        const std::string& whose) {
  const std::string who = Concat(whose, " (", certificate.subject(), ")");
  // Times first and by hand: OpenSSL names one fault, and a person mends an expired certificate before anything else.
  if (now > authority.not_after())
    return Unauthenticated("the authority '", authority.subject(), "' expired on ", FormatUtc(authority.not_after()),
                           "; every party needs a kit from a new one");
  if (now > certificate.not_after())
    return Unauthenticated(who, " expired on ", FormatUtc(certificate.not_after()), "; the clock here says ",
                           FormatUtc(now), ". Renew it with `consilium enroll --renew`, or mend the clock");
  if (now < certificate.not_before())
    return Unauthenticated(who, " is not valid before ", FormatUtc(certificate.not_before()), "; the clock here says ",
                           FormatUtc(now), ". Is the clock right?");
  const int error = VerifyError(certificate, authority, now);
  if (error != X509_V_OK)
    return Unauthenticated(who, " is not signed by the authority '", authority.subject(), "' but by '",
                           certificate.issuer(), "' (", X509_verify_cert_error_string(error),
                           "): files of two kits are mixed, or it was changed");
  if (!certificate.HasUse(use))
    return Unauthenticated(who, " is ", UseOf(certificate), ", where ", UseName(use),
                           " is needed: TLS and signing certificates do not stand in for each other");
  return Status();
}

}  // namespace consilium::crypto
