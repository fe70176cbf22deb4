// Secret sharing: A. Shamir, "How to share a secret", CACM 1979, in the field of 2^61 - 1.
//
// A secret of 32 bytes is five limbs of 52 bits (the last one has 48), each shared by a polynomial of its own with
// uniform coefficients.  Any `threshold` shares rebuild it; fewer say nothing.  Time does not depend on secrets:
// products and reductions are branch-free.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "comm/base/entropy.h"
#include "comm/base/secret.h"
#include "comm/base/status.h"

namespace consilium::secagg {

inline constexpr std::uint64_t kFieldPrime = (std::uint64_t{1} << 61) - 1;
inline constexpr std::size_t kLimbs = 5;
inline constexpr std::size_t kSecretBytes = 32;

// Where a share's polynomials were evaluated: 1 + the holder's place in the sorted roster; never 0.
using ShareX = std::uint32_t;
struct Share {
  ShareX x = 0;
  std::array<std::uint64_t, kLimbs> y{};  // each < kFieldPrime; wiped, because most shares are never released
  ~Share() { OPENSSL_cleanse(y.data(), sizeof y); }
  friend bool operator==(const Share&, const Share&) = default;
};

// One share for each of 1 .. `holders` that `xs` names.  Errors: InvalidArgument when the secret has not 32 bytes, the
// threshold is 0 or more than there are holders, or an x is 0 or repeated.
StatusOr<std::vector<Share>> Split(const SecretBytes& secret, std::size_t threshold, std::span<const ShareX> xs,
                                   Entropy& entropy);

// The coefficients that rebuild from shares at these points: computed once for all secrets that the same holders
// return.
class Rebuilder {
 public:
  // Errors: InvalidArgument when there are no points, or one is 0 or repeated.
  static StatusOr<Rebuilder> For(std::span<const ShareX> xs);
  // The shares are at the points, in their order.  Errors: DataLoss when what comes out is no secret (a share was
  // wrong, or there were too few); a wrong share need not be noticed here, the caller checks the secret itself.
  StatusOr<SecretBytes> Rebuild(std::span<const Share> shares) const;

 private:
  std::vector<ShareX> xs_;
  std::vector<std::uint64_t> coefficients_;
};

// Field arithmetic; arguments and results < kFieldPrime.
std::uint64_t FieldAdd(std::uint64_t a, std::uint64_t b);
std::uint64_t FieldSubtract(std::uint64_t a, std::uint64_t b);
std::uint64_t FieldMultiply(std::uint64_t a, std::uint64_t b);
std::uint64_t FieldInverse(std::uint64_t a);  // of a != 0

}  // namespace consilium::secagg
