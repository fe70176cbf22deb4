#include "comm/base/digest.h"

#include <openssl/evp.h>

#include <cerrno>
#include <cstdio>

namespace consilium {

StatusOr<Digest> Digest::FromHex(std::string_view text) {
  if (text.size() != 64) return InvalidArgument("a SHA-256 digest has 64 hexadecimal digits, not ", text.size());
  ASSIGN_OR_RETURN(const Bytes bytes, consilium::FromHex(text));
  Digest digest;
  std::copy(bytes.begin(), bytes.end(), digest.bytes.begin());
  return digest;
}

std::ostream& operator<<(std::ostream& out, const Digest& digest) { return out << digest.ToHex(); }

struct Sha256::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Impl() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {
  CONSILIUM_CHECK(impl_->context != nullptr && EVP_DigestInit_ex(impl_->context, EVP_sha256(), nullptr) == 1);
}
Sha256::~Sha256() = default;

void Sha256::Update(ByteSpan bytes) {
  CONSILIUM_CHECK(EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()) == 1);
}

Digest Sha256::Finish() {
  Digest digest;
  CONSILIUM_CHECK(EVP_DigestFinal_ex(impl_->context, digest.bytes.data(), nullptr) == 1);
  return digest;
}

Digest Sha256Of(ByteSpan bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

StatusOr<Digest> Sha256OfFile(const std::filesystem::path& path) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) return ErrnoStatus(errno, "opening " + path.string());
  Sha256 hash;
  Bytes buffer(1 << 18);
  while (const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), file.get()))
    hash.Update({buffer.data(), size});
  if (std::ferror(file.get())) return ErrnoStatus(errno, "reading " + path.string());
  return hash.Finish();
}

}  // namespace consilium
