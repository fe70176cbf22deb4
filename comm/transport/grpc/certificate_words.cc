#include "comm/transport/grpc/certificate_words.h"

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "comm/base/status.h"
#include "comm/base/time.h"
#include "comm/transport/grpc/openssl_handles.h"

namespace consilium::transport {
namespace {

std::chrono::system_clock::time_point FromAsn1(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

std::string NowInWords() { return FormatUtc(SystemClock().WallNow()); }

}  // namespace

std::string NameInWords(const X509_NAME* name) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

std::string SubjectInWords(const X509* certificate) { return NameInWords(X509_get_subject_name(certificate)); }
std::string IssuerInWords(const X509* certificate) { return NameInWords(X509_get_issuer_name(certificate)); }

std::chrono::system_clock::time_point NotBefore(const X509* certificate) {
  return FromAsn1(X509_get0_notBefore(certificate));
}
std::chrono::system_clock::time_point NotAfter(const X509* certificate) {
  return FromAsn1(X509_get0_notAfter(certificate));
}

std::string UriInWords(const X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, Freer<&GENERAL_NAMES_free>> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_IA5STRING* text = name->d.uniformResourceIdentifier;
    return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                       static_cast<std::size_t>(ASN1_STRING_length(text)));
  }
  return "";
}

std::string VerifyErrorInWords(int verify_error, const std::string& whose, const X509* certificate,
                               const X509* authority) {
  const std::string uri = UriInWords(certificate);
  const std::string subject = SubjectInWords(certificate) + (uri.empty() ? "" : ", " + uri);
  const std::string trusted = authority == nullptr ? "" : Concat("; this kit trusts '", SubjectInWords(authority), "'");
  switch (verify_error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return Concat(whose, " (", subject, ") expired on ", FormatUtc(NotAfter(certificate)),
                    "; this machine's clock says ", NowInWords(),
                    ". A new certificate is needed (consilium provision), or the clock is wrong");
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return Concat(whose, " (", subject, ") is not valid before ", FormatUtc(NotBefore(certificate)),
                    "; this machine's clock says ", NowInWords(), ". Is the clock right?");
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return Concat(whose, " (", subject, ") is signed by another authority, '", IssuerInWords(certificate), "'",
                    trusted, ". Both parties need kits from the same run of `consilium provision`");
    case X509_V_ERR_INVALID_PURPOSE:
      return Concat(whose, " (", subject,
                    ") is not made for this role: a site's cannot be the coordinator, nor the other "
                    "way round");
    case X509_V_ERR_HOSTNAME_MISMATCH:
      return Concat(whose, " (", subject, ") is not the coordinator of this project");
    default:
      return Concat(whose, " (", subject, ") is not trusted: ", X509_verify_cert_error_string(verify_error));
  }
}

}  // namespace consilium::transport
