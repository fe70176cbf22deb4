#include "privacy/crypto/x509.h"

#include <openssl/pem.h>

#include <ctime>

#include "privacy/crypto/openssl.h"

namespace consilium::crypto {
namespace {

constexpr int kVersion3 = 2;

Status AddName(X509_NAME* name, const char* field, const std::string& value) {
  if (value.empty()) return Status();
  if (X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                                 static_cast<int>(value.size()), -1, 0) != 1)
    return OpensslFailure(Concat("certificate subject ", field, " = '", value, "'"));
  return Status();
}

Status AddExtension(X509* certificate, X509* authority, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, authority, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
  const bool added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added ? Status() : OpensslFailure(Concat("certificate extension ", OBJ_nid2sn(kind)));
}

Status AddUsage(X509* certificate, CertificateUse use) {
  const bool authority = use == CertificateUse::kAuthority;
  RETURN_IF_ERROR(AddExtension(certificate, certificate, NID_basic_constraints,
                               authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE"));
  RETURN_IF_ERROR(AddExtension(certificate, certificate, NID_key_usage,
                               authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature"));
  if (authority) return Status();
  if (use == CertificateUse::kSigning)
    return AddExtension(certificate, certificate, NID_ext_key_usage, Concat("critical,", kSigningUsage).c_str());
  return AddExtension(certificate, certificate, NID_ext_key_usage,
                      use == CertificateUse::kServer ? "serverAuth" : "clientAuth");
}

// Built as objects, not as a configuration string: a name with a comma in it stays one name.
Status AddAlternativeNames(X509* certificate, const CertificateSpec& spec) {
  const std::unique_ptr<GENERAL_NAMES, Freer<&GENERAL_NAMES_free>> names(GENERAL_NAMES_new());
  const auto add = [&](int kind, ASN1_STRING* value, const std::string& text) -> Status {
    GENERAL_NAME* name = value == nullptr ? nullptr : GENERAL_NAME_new();
    if (name == nullptr) return OpensslFailure("certificate name '" + text + "'");
    GENERAL_NAME_set0_value(name, kind, value);
    sk_GENERAL_NAME_push(names.get(), name);
    return Status();
  };
  const auto text_value = [](const std::string& text) {
    ASN1_STRING* value = ASN1_IA5STRING_new();
    ASN1_STRING_set(value, text.data(), static_cast<int>(text.size()));
    return value;
  };
  for (const std::string& name : spec.dns_names) RETURN_IF_ERROR(add(GEN_DNS, text_value(name), name));
  for (const std::string& name : spec.uris) RETURN_IF_ERROR(add(GEN_URI, text_value(name), name));
  for (const std::string& name : spec.ip_addresses) RETURN_IF_ERROR(add(GEN_IPADD, a2i_IPADDRESS(name.c_str()), name));
  if (sk_GENERAL_NAME_num(names.get()) == 0) return Status();
  if (X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) != 1)
    return OpensslFailure("certificate alternative names");
  return Status();
}

Status SetSerial(X509* certificate, Entropy& entropy) {
  std::uint8_t bytes[16];  // RFC 5280 4.1.2.2: positive, at most 20 octets; unique because random
  entropy.Fill(bytes);
  bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0x7f) | 0x40);
  const std::unique_ptr<BIGNUM, Freer<&BN_free>> number(BN_bin2bn(bytes, sizeof bytes, nullptr));
  if (!number || BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) == nullptr)
    return OpensslFailure("certificate serial number");
  return Status();
}

std::string InWords(const X509_NAME* name) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

WallTime FromAsn1(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return WallTime();
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

}  // namespace

StatusOr<Certificate> MakeCertificate(const CertificateSpec& spec, const PublicKey& subject_key,
                                      const Certificate* authority, const PrivateKey& authority_key, Entropy& entropy) {
  X509Ptr certificate(X509_new());
  X509* made = certificate.get();
  if (made == nullptr || X509_set_version(made, kVersion3) != 1) return OpensslFailure("making a certificate");
  RETURN_IF_ERROR(SetSerial(made, entropy));
  ASN1_TIME_set(X509_getm_notBefore(made), std::chrono::system_clock::to_time_t(spec.not_before));
  ASN1_TIME_set(X509_getm_notAfter(made), std::chrono::system_clock::to_time_t(spec.not_after));
  X509_NAME* subject = X509_get_subject_name(made);
  RETURN_IF_ERROR(AddName(subject, "O", spec.organization));
  RETURN_IF_ERROR(AddName(subject, "OU", spec.unit));
  RETURN_IF_ERROR(AddName(subject, "CN", spec.common_name));
  X509* issuer = authority == nullptr ? made : authority->get();
  if (X509_set_issuer_name(made, X509_get_subject_name(issuer)) != 1 || X509_set_pubkey(made, subject_key.get()) != 1)
    return OpensslFailure("making a certificate");
  RETURN_IF_ERROR(AddUsage(made, spec.use));
  RETURN_IF_ERROR(AddExtension(made, issuer, NID_subject_key_identifier, "hash"));
  RETURN_IF_ERROR(AddExtension(made, issuer, NID_authority_key_identifier, "keyid:always"));
  RETURN_IF_ERROR(AddAlternativeNames(made, spec));
  if (X509_sign(made, authority_key.get(), EVP_sha256()) == 0) return OpensslFailure("signing a certificate");
  return Certificate(std::shared_ptr<X509>(std::move(certificate)));
}

StatusOr<Certificate> SelfSign(const CertificateSpec& spec, const PrivateKey& key, Entropy& entropy) {
  return MakeCertificate(spec, PublicKey::Of(key), nullptr, key, entropy);
}

StatusOr<Certificate> SignCertificate(const CertificateSpec& spec, const PublicKey& subject_key,
                                      const Certificate& authority, const PrivateKey& authority_key, Entropy& entropy) {
  return MakeCertificate(spec, subject_key, &authority, authority_key, entropy);
}

StatusOr<Certificate> Certificate::FromPem(const std::string& pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!certificate) return InvalidArgument(OpensslFailure("not a certificate in PEM").message());
  return Certificate(std::shared_ptr<X509>(std::move(certificate)));
}

StatusOr<std::string> Certificate::ToPem() const {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), get()) != 1) return OpensslFailure("writing a certificate");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

std::string Certificate::subject() const { return InWords(X509_get_subject_name(get())); }
std::string Certificate::issuer() const { return InWords(X509_get_issuer_name(get())); }

std::string Certificate::serial() const {
  const std::unique_ptr<BIGNUM, Freer<&BN_free>> number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(get()), nullptr));
  if (!number) return "";
  Bytes bytes(static_cast<std::size_t>(BN_num_bytes(number.get())));
  BN_bn2bin(number.get(), bytes.data());
  return ToHex(bytes);
}

PublicKey Certificate::public_key() const {
  EVP_PKEY* key = X509_get_pubkey(get());
  // A key of a kind that OpenSSL does not know has no object; an empty one matches nothing.
  if (key == nullptr) key = EVP_PKEY_new();
  ERR_clear_error();
  return PublicKey(std::shared_ptr<EVP_PKEY>(key, &EVP_PKEY_free));
}

bool Certificate::HasUse(CertificateUse use) const {
  if (use == CertificateUse::kAuthority) return X509_check_ca(get()) == 1;
  const std::unique_ptr<EXTENDED_KEY_USAGE, Freer<&EXTENDED_KEY_USAGE_free>> usages(
      static_cast<EXTENDED_KEY_USAGE*>(X509_get_ext_d2i(get(), NID_ext_key_usage, nullptr, nullptr)));
  if (!usages || sk_ASN1_OBJECT_num(usages.get()) != 1) return false;
  const ASN1_OBJECT* usage = sk_ASN1_OBJECT_value(usages.get(), 0);
  if (use == CertificateUse::kServer) return OBJ_obj2nid(usage) == NID_server_auth;
  if (use == CertificateUse::kClient) return OBJ_obj2nid(usage) == NID_client_auth;
  char text[128];
  const int size = OBJ_obj2txt(text, sizeof text, usage, 1);
  return size > 0 && std::string(text) == kSigningUsage;
}

WallTime Certificate::not_before() const { return FromAsn1(X509_get0_notBefore(get())); }
WallTime Certificate::not_after() const { return FromAsn1(X509_get0_notAfter(get())); }
std::vector<std::string> Certificate::dns_names() const { return AlternativeNames(GEN_DNS); }
std::vector<std::string> Certificate::uris() const { return AlternativeNames(GEN_URI); }

std::vector<std::string> Certificate::AlternativeNames(int kind) const {
  std::vector<std::string> texts;
  const std::unique_ptr<GENERAL_NAMES, Freer<&GENERAL_NAMES_free>> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(get(), NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != kind) continue;
    const ASN1_IA5STRING* text = name->d.ia5;
    texts.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                       static_cast<std::size_t>(ASN1_STRING_length(text)));
  }
  return texts;
}

}  // namespace consilium::crypto
