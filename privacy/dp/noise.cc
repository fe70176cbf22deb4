#include "privacy/dp/noise.h"

#include <cmath>
#include <cstring>
#include <numbers>

#include "privacy/crypto/hkdf.h"

namespace consilium::dp {
namespace {

constexpr std::size_t kBufferBytes = 16 << 10;
constexpr double kUnit = 0x1.0p-53;

crypto::KeyStream StreamFor(const SecretBytes& secret, std::string_view purpose) {
  CONSILIUM_CHECK(secret.Reveal().size() >= 16, "a secret for noise needs 16 bytes");
  const SecretBytes key = crypto::HkdfSha256(secret.Reveal(), AsBytes(std::string_view("consilium dp noise 1")),
                                             AsBytes(purpose), crypto::KeyBytes(crypto::StreamCipher::kAes256Ctr));
  return {crypto::StreamCipher::kAes256Ctr, key, {}};
}

}  // namespace

NoiseSource::NoiseSource(const SecretBytes& secret, std::string_view purpose)
    : stream_(StreamFor(secret, purpose)), buffer_(kBufferBytes), at_(kBufferBytes) {}

void NoiseSource::Refill() {
  stream_.Read(buffer_);
  at_ = 0;
}

double NoiseSource::Uniform() {
  if (at_ == buffer_.size()) Refill();
  std::uint64_t bits = 0;
  std::memcpy(&bits, buffer_.data() + at_, sizeof bits);
  at_ += sizeof bits;
  return static_cast<double>(bits >> 11) * kUnit;
}

double NoiseSource::OpenUniform() { return 1 - Uniform(); }

double NoiseSource::Gaussian() {
  double sum = 0;
  for (int pair = 0; pair < 2; ++pair) {
    const double radius = std::sqrt(-2 * std::log(OpenUniform()));
    const double angle = 2 * std::numbers::pi * Uniform();
    sum += radius * (std::cos(angle) + std::sin(angle));
  }
  return sum / 2;
}

void NoiseSource::AddGaussian(double deviation, std::span<float> values) {
  for (float& value : values) value = static_cast<float>(value + deviation * Gaussian());
}

std::vector<std::int64_t> PoissonSample(std::int64_t units, double rate, NoiseSource* source) {
  std::vector<std::int64_t> sample;
  for (std::int64_t unit = 0; unit < units; ++unit)
    if (source->Uniform() < rate) sample.push_back(unit);
  return sample;
}

}  // namespace consilium::dp
