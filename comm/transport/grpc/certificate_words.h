// Certificates in words, for messages that a hospital's IT engineer reads.
#pragma once

#include <openssl/x509.h>

#include <chrono>
#include <string>

namespace consilium::transport {

std::string NameInWords(const X509_NAME* name);  // "O = hippocampus, CN = consilium CA 3f9a1c2b"
std::string SubjectInWords(const X509* certificate);
std::string IssuerInWords(const X509* certificate);
std::string UriInWords(const X509* certificate);  // the first URI among its names, or ""
std::chrono::system_clock::time_point NotBefore(const X509* certificate);
std::chrono::system_clock::time_point NotAfter(const X509* certificate);

// Why OpenSSL does not trust `certificate` (whose: "our certificate tls.crt", "the coordinator's certificate"), and
// what to do.  `verify_error` is an X509_V_ERR_ code, `authority` our CA, or null.
std::string VerifyErrorInWords(int verify_error, const std::string& whose, const X509* certificate,
                               const X509* authority);

}  // namespace consilium::transport
