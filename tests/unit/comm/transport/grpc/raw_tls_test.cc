// The port against peers that speak less than gRPC: older TLS, random bytes, silence.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include "comm/base/entropy.h"
#include "comm/transport/grpc/openssl_handles.h"
#include "comm/transport/grpc/tcp_dial.h"
#include "tests/unit/comm/transport/grpc/rig.h"

namespace consilium::transport::testing {
namespace {

using ::testing::HasSubstr;

Socket Dial(Rig* rig) {
  return DialTcp("127.0.0.1", rig->coordinator().port(), SystemClock().Now() + kPatience).value();
}

// The version that was agreed on, or "".
std::string Negotiate(Rig* rig, const TlsFiles& files, int version_max) {
  const SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(context.get(), version_max);
  SSL_CTX_set_cipher_list(context.get(), "ALL:@SECLEVEL=0");
  SSL_CTX_use_certificate_file(context.get(), files.certificate.c_str(), SSL_FILETYPE_PEM);
  SSL_CTX_use_PrivateKey_file(context.get(), files.key.c_str(), SSL_FILETYPE_PEM);
  const SslPtr ssl(SSL_new(context.get()));
  const Socket socket = Dial(rig);
  SSL_set_fd(ssl.get(), socket.get());
  static constexpr unsigned char kHttp2[] = {2, 'h', '2'};
  SSL_set_alpn_protos(ssl.get(), kHttp2, sizeof kHttp2);
  int result = 0;
  while ((result = SSL_connect(ssl.get())) != 1) {
    const int error = SSL_get_error(ssl.get(), result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) break;
    if (!WaitFor(socket, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, SystemClock().Now() + kPatience)) break;
  }
  ERR_clear_error();
  return result == 1 ? SSL_get_version(ssl.get()) : "";
}

TEST(RawTls, OnlyVersion13IsSpoken) {
  Rig rig;
  const TlsFiles alpha = rig.parties().tls("alpha");
  EXPECT_EQ(Negotiate(&rig, alpha, TLS1_3_VERSION), "TLSv1.3");
  EXPECT_EQ(Negotiate(&rig, alpha, TLS1_2_VERSION), "");
  EXPECT_EQ(Negotiate(&rig, alpha, TLS1_1_VERSION), "");
  rig.ExpectWorks(rig.Connect("alpha").get());
}

TEST(RawTls, GarbageOnThePortDisturbsNobodyAndIsLogged) {
  Rig rig;
  const auto site = rig.Connect("alpha");
  std::vector<Socket> open;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Bytes noise(1 + seed * 97);
    SeededEntropy(seed).Fill(noise);
    open.push_back(Dial(&rig));
    (void)::send(open.back().get(), noise.data(), noise.size(), MSG_NOSIGNAL);
  }
  for (const std::string text : {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                                 "SSH-2.0-x\r\n", "\x16\x03\x01\xff\xff", ""}) {
    open.push_back(Dial(&rig));
    (void)::send(open.back().get(), text.data(), text.size(), MSG_NOSIGNAL);
  }
  rig.ExpectWorks(site.get());
  rig.ExpectWorks(rig.Connect("beta").get());
  open.clear();
  rig.ExpectWorks(site.get());
  EXPECT_THAT(rig.log(), HasSubstr("wrong version number: what the peer sent is not TLS"));
}

TEST(RawTls, GarbageInsideAnAuthenticatedConnectionEndsOnlyThatConnection) {
  Rig rig;
  const auto site = rig.Connect("alpha");
  const TlsFiles beta = rig.parties().tls("beta");
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const SslContextPtr context(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_use_certificate_file(context.get(), beta.certificate.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context.get(), beta.key.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_set_mode(context.get(), SSL_MODE_AUTO_RETRY);
    const SslPtr ssl(SSL_new(context.get()));
    const Socket socket = Dial(&rig);
    SSL_set_fd(ssl.get(), socket.get());
    static constexpr unsigned char kHttp2[] = {2, 'h', '2'};
    SSL_set_alpn_protos(ssl.get(), kHttp2, sizeof kHttp2);
    while (SSL_connect(ssl.get()) != 1) ASSERT_TRUE(WaitFor(socket, POLLIN, SystemClock().Now() + kPatience));
    Bytes noise(4000);
    SeededEntropy(seed).Fill(noise);
    const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    if (seed % 2 == 0) SSL_write(ssl.get(), preface.data(), static_cast<int>(preface.size()));
    SSL_write(ssl.get(), noise.data(), static_cast<int>(noise.size()));
  }
  ERR_clear_error();
  rig.ExpectWorks(site.get());
  EXPECT_EQ(rig.events().events().size(), 1u);  // alpha's connection
}

}  // namespace
}  // namespace consilium::transport::testing
