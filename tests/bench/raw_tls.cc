#include "tests/bench/raw_tls.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

namespace consilium::bench {
namespace {

constexpr int kPieceBytes = 256 << 10;

SSL_CTX* MakeContext(const SSL_METHOD* method, const transport::TlsFiles& files) {
  SSL_CTX* context = SSL_CTX_new(method);
  CONSILIUM_CHECK(context != nullptr && SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
                  SSL_CTX_load_verify_locations(context, files.ca.c_str(), nullptr) == 1 &&
                  SSL_CTX_use_certificate_file(context, files.certificate.c_str(), SSL_FILETYPE_PEM) == 1 &&
                  SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) == 1);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return context;
}

// The two ends of a TCP connection on loopback.
std::pair<int, int> Connection() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CONSILIUM_CHECK(::bind(listener, raw, size) == 0 && ::listen(listener, 1) == 0 &&
                  ::getsockname(listener, raw, &size) == 0 && ::connect(client, raw, size) == 0);
  const int server = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  ::close(listener);
  return {server, client};
}

}  // namespace

struct RawTls::Impl {
  SSL_CTX *server_context = nullptr, *client_context = nullptr;
  SSL *server = nullptr, *client = nullptr;
};

RawTls::RawTls(const transport::TlsFiles& server, const transport::TlsFiles& client) : impl_(new Impl) {
  impl_->server_context = MakeContext(TLS_server_method(), server);
  impl_->client_context = MakeContext(TLS_client_method(), client);
  impl_->server = SSL_new(impl_->server_context);
  impl_->client = SSL_new(impl_->client_context);
  const auto [near, far] = Connection();
  SSL_set_fd(impl_->server, near);
  SSL_set_fd(impl_->client, far);
  std::thread accepting([this] { CONSILIUM_CHECK(SSL_accept(impl_->server) == 1); });
  CONSILIUM_CHECK(SSL_connect(impl_->client) == 1);
  accepting.join();
}

RawTls::~RawTls() {
  for (SSL* ssl : {impl_->client, impl_->server}) {
    ::close(SSL_get_fd(ssl));
    SSL_free(ssl);
  }
  SSL_CTX_free(impl_->server_context);
  SSL_CTX_free(impl_->client_context);
}

Digest RawTls::Send(ByteSpan bytes) {
  std::thread sending([&] {
    for (std::size_t at = 0; at < bytes.size();) {
      const int size = static_cast<int>(std::min<std::size_t>(kPieceBytes, bytes.size() - at));
      CONSILIUM_CHECK(SSL_write(impl_->client, bytes.data() + at, size) == size);
      at += static_cast<std::size_t>(size);
    }
  });
  Sha256 hash;
  Bytes buffer(kPieceBytes);
  for (std::size_t done = 0; done < bytes.size();) {
    const int size = SSL_read(impl_->server, buffer.data(), kPieceBytes);
    CONSILIUM_CHECK(size > 0);
    hash.Update({buffer.data(), static_cast<std::size_t>(size)});
    done += static_cast<std::size_t>(size);
  }
  sending.join();
  return hash.Finish();
}

}  // namespace consilium::bench
