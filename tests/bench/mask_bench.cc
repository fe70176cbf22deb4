// How fast masks are made and added, beside AES-128-CTR alone on the same core: at best as fast as the cipher.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <vector>

#include "privacy/secagg/mask.h"
#include "privacy/secagg/shamir.h"

namespace consilium::secagg {
namespace {

// CPU time of this thread: what other programs do meanwhile does not count.
double ThreadSeconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Of at least three runs and half a second: a run of a millisecond is easily disturbed.
template <typename Work>
double BestOf(const Work& work) {
  double best = 1e300, spent = 0;
  for (int i = 0; i < 3 || spent < 0.5; ++i) {
    const double begin = ThreadSeconds();
    work();
    const double seconds = ThreadSeconds() - begin;
    best = std::min(best, seconds), spent += seconds;
  }
  return best;
}

void Run(std::size_t parameters, std::size_t masks) {
  std::vector<SecretBytes> seeds;
  std::vector<MaskTerm> terms;
  for (std::size_t i = 0; i < masks; ++i) seeds.emplace_back(Bytes(32, static_cast<std::uint8_t>(i)));
  for (std::size_t i = 0; i < masks; ++i) terms.push_back({&seeds[i], i % 2 == 0 ? Sign::kAdd : Sign::kSubtract});
  std::vector<std::uint32_t> sum(parameters);
  const double masking = BestOf([&] { ApplyMasks(terms, {}, 0, sum); });

  // The cipher alone, 16 KiB at a time into one buffer that stays in the cache.
  crypto::KeyStream stream(crypto::StreamCipher::kAes128Ctr, SecretBytes(16), {});
  Bytes buffer(16 << 10);
  const std::size_t reads = parameters * masks * 4 / buffer.size() + 1;
  const double raw = BestOf([&] {
    for (std::size_t i = 0; i < reads; ++i) stream.Read(buffer);
  });
  const double gigabytes = 4e-9 * static_cast<double>(parameters * masks);
  std::printf(
      "%9zu parameters, %2zu masks (%.2f GB): masks %.3f s, %.2f GB/s; AES-128-CTR alone %.2f GB/s; ratio %.2f\n",
      parameters, masks, gigabytes, masking, gigabytes / masking, gigabytes / raw, raw / masking);
}

void RunShares(std::size_t sites) {
  SeededEntropy entropy(1);
  std::vector<ShareX> xs;
  for (std::size_t i = 0; i < sites; ++i) xs.push_back(static_cast<ShareX>(i + 1));
  const SecretBytes secret{Bytes(32, 9)};
  const std::size_t threshold = (sites + sites / 3) / 2 + 1;
  std::vector<Share> shares;
  const double splitting = BestOf([&] { shares = Split(secret, threshold, xs, entropy).value(); });
  shares.resize(threshold);
  xs.resize(threshold);
  const Rebuilder rebuilder = Rebuilder::For(xs).value();
  const double rebuilding = BestOf([&] { CONSILIUM_CHECK(rebuilder.Rebuild(shares).ok()); });
  std::printf("shares for %zu sites, threshold %zu: split %.1f us, rebuild %.1f us\n", sites, threshold,
              1e6 * splitting, 1e6 * rebuilding);
}

}  // namespace
}  // namespace consilium::secagg

int main() {
  using consilium::secagg::Run;
  std::printf("CPU time of one thread, the best of half a second\n");
  Run(100'000, 20);
  Run(1'000'000, 20);
  Run(30'000'000, 20);
  for (const std::size_t sites : {20u, 100u, 1000u}) consilium::secagg::RunShares(sites);
}
