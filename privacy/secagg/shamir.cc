#include "privacy/secagg/shamir.h"

#include <cstring>
#include <set>

namespace consilium::secagg {
namespace {

constexpr std::uint64_t kLimbMask = (std::uint64_t{1} << 52) - 1;

// All ones when a >= kFieldPrime (a < 2^63), else zero: without a branch.
std::uint64_t AtLeastPrime(std::uint64_t a) { return ((a - kFieldPrime) >> 63) - 1; }
std::uint64_t ReduceOnce(std::uint64_t a) { return a - (kFieldPrime & AtLeastPrime(a)); }

// Secret numbers on the stack, which nobody else would wipe.
template <std::size_t N>
struct SecretWords {
  std::array<std::uint64_t, N> at{};
  ~SecretWords() { OPENSSL_cleanse(at.data(), sizeof at); }
};

// 52-bit limbs of 256 bits, lowest first.
SecretWords<kLimbs> ToLimbs(ByteSpan bytes) {
  SecretWords<4> words;
  std::memcpy(words.at.data(), bytes.data(), kSecretBytes);
  const auto& [a, b, c, d] = words.at;
  return {{a & kLimbMask, (a >> 52 | b << 12) & kLimbMask, (b >> 40 | c << 24) & kLimbMask,
           (c >> 28 | d << 36) & kLimbMask, d >> 16}};
}

SecretBytes FromLimbs(const SecretWords<kLimbs>& limbs) {
  const auto& [a, b, c, d, e] = limbs.at;
  const SecretWords<4> words = {{a | b << 52, b >> 12 | c << 40, c >> 24 | d << 28, d >> 36 | e << 16}};
  SecretBytes secret(kSecretBytes);
  std::memcpy(secret.RevealMutable().data(), words.at.data(), kSecretBytes);
  return secret;
}

// Uniform in the field: 61 bits, drawn again in the one case in 2^61 that is the prime itself.
std::uint64_t FieldElement(Entropy& entropy) {
  for (;;) {
    SecretWords<1> drawn;
    entropy.Fill({reinterpret_cast<std::uint8_t*>(drawn.at.data()), sizeof drawn.at});
    const std::uint64_t value = drawn.at[0] & kFieldPrime;  // the low 61 bits
    if (value != kFieldPrime) return value;
  }
}

Status CheckPoints(std::span<const ShareX> xs) {
  if (xs.empty()) return InvalidArgument("no points to share at");
  std::set<ShareX> seen;
  for (const ShareX x : xs)
    if (x == 0 || !seen.insert(x).second)
      return InvalidArgument("share point ", x, x == 0 ? " is where the secret itself lies" : " is there twice");
  return Status();
}

}  // namespace

std::uint64_t FieldAdd(std::uint64_t a, std::uint64_t b) { return ReduceOnce(a + b); }
std::uint64_t FieldSubtract(std::uint64_t a, std::uint64_t b) { return ReduceOnce(a + kFieldPrime - b); }
std::uint64_t FieldMultiply(std::uint64_t a, std::uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  // 2^61 = 1 in this field: high and low parts add.
  const auto low = static_cast<std::uint64_t>(product) & kFieldPrime;
  const auto high = static_cast<std::uint64_t>(product >> 61);
  return ReduceOnce(low + high);
}
std::uint64_t FieldInverse(std::uint64_t a) {
  CONSILIUM_CHECK(a != 0 && a < kFieldPrime, "0 has no inverse");
  std::uint64_t result = 1, power = a;  // a^(p-2); p - 2 is public
  for (std::uint64_t exponent = kFieldPrime - 2; exponent != 0; exponent >>= 1) {
    if (exponent & 1) result = FieldMultiply(result, power);
    power = FieldMultiply(power, power);
  }
  return result;
}

StatusOr<std::vector<Share>> Split(const SecretBytes& secret, std::size_t threshold, std::span<const ShareX> xs,
                                   Entropy& entropy) {
  if (secret.Reveal().size() != kSecretBytes)
    return InvalidArgument("a secret of ", secret.Reveal().size(), " bytes, expected ", kSecretBytes);
  RETURN_IF_ERROR(CheckPoints(xs));
  if (threshold == 0 || threshold > xs.size())
    return InvalidArgument("a threshold of ", threshold, " with ", xs.size(), " holders");
  std::vector<Share> shares(xs.size());
  for (std::size_t i = 0; i < xs.size(); ++i) shares[i].x = xs[i];
  const SecretWords<kLimbs> limbs = ToLimbs(secret.Reveal());
  SecretBytes store(threshold * sizeof(std::uint64_t));  // wiped when it dies
  auto* coefficients = reinterpret_cast<std::uint64_t*>(store.RevealMutable().data());
  for (std::size_t limb = 0; limb < kLimbs; ++limb) {
    coefficients[0] = limbs.at[limb];
    for (std::size_t k = 1; k < threshold; ++k) coefficients[k] = FieldElement(entropy);
    for (Share& share : shares) {
      std::uint64_t value = 0;  // Horner
      for (std::size_t k = threshold; k-- > 0;) value = FieldAdd(FieldMultiply(value, share.x), coefficients[k]);
      share.y[limb] = value;
    }
  }
  return shares;
}

StatusOr<Rebuilder> Rebuilder::For(std::span<const ShareX> xs) {
  RETURN_IF_ERROR(CheckPoints(xs));
  Rebuilder rebuilder;
  rebuilder.xs_.assign(xs.begin(), xs.end());
  // Lagrange at 0: prod_{j != i} x_j / (x_j - x_i).
  for (const ShareX xi : xs) {
    std::uint64_t numerator = 1, denominator = 1;
    for (const ShareX xj : xs) {
      if (xj == xi) continue;
      numerator = FieldMultiply(numerator, xj);
      denominator = FieldMultiply(denominator, FieldSubtract(xj, xi));
    }
    rebuilder.coefficients_.push_back(FieldMultiply(numerator, FieldInverse(denominator)));
  }
  return rebuilder;
}

StatusOr<SecretBytes> Rebuilder::Rebuild(std::span<const Share> shares) const {
  if (shares.size() != xs_.size()) return DataLoss(shares.size(), " shares where ", xs_.size(), " are needed");
  SecretWords<kLimbs> limbs;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (shares[i].x != xs_[i]) return DataLoss("a share at ", shares[i].x, " where one at ", xs_[i], " is needed");
    for (std::size_t limb = 0; limb < kLimbs; ++limb) {
      if (shares[i].y[limb] >= kFieldPrime) return DataLoss("the share at ", xs_[i], " is not in the field");
      limbs.at[limb] = FieldAdd(limbs.at[limb], FieldMultiply(coefficients_[i], shares[i].y[limb]));
    }
  }
  std::uint64_t excess = limbs.at[kLimbs - 1] >> 48;  // 4 x 52 + 48 = 256 bits
  for (std::size_t limb = 0; limb + 1 < kLimbs; ++limb) excess |= limbs.at[limb] >> 52;
  if (excess != 0) return DataLoss("the shares do not make a secret: one of them is wrong");
  return FromLimbs(limbs);
}

}  // namespace consilium::secagg
