// SHA-256: what content is addressed, compared and signed by.
#pragma once

#include <array>
#include <filesystem>
#include <memory>

#include "comm/base/bytes.h"

namespace consilium {

struct Digest {
  std::array<std::uint8_t, 32> bytes{};
  friend auto operator<=>(const Digest&, const Digest&) = default;
  std::string ToHex() const { return consilium::ToHex(bytes); }
  static StatusOr<Digest> FromHex(std::string_view text);
};
std::ostream& operator<<(std::ostream& out, const Digest& digest);

// Incremental.  Strand-bound.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void Update(ByteSpan bytes);
  Digest Finish();  // once

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

Digest Sha256Of(ByteSpan bytes);
inline Digest Sha256Of(std::string_view text) { return Sha256Of(AsBytes(text)); }
StatusOr<Digest> Sha256OfFile(const std::filesystem::path& path);

}  // namespace consilium
