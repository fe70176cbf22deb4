// What a secure sum costs a site and the coordinator, beside AES-128-CTR alone on the same cores: all messages are
// real, and the mean that comes out is checked.
//
//   secure_bench [small|large|graph|rebuild ...]      all of them when none is named
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "comm/base/entropy.h"
#include "privacy/secagg/message_lists.h"
#include "privacy/secagg/server.h"
#include "privacy/secagg/shamir.h"
#include "privacy/secagg/site.h"
#include "privacy/secagg/thresholds.h"
#include "privacy/secagg/vector.h"

namespace consilium::secagg {
namespace {

constexpr unsigned kCores = 2;

double Now(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Cost {
  double wall = 0, cpu = 0;
};
template <typename Work>
Cost Measure(const Work& work) {
  const double wall = Now(CLOCK_MONOTONIC), cpu = Now(CLOCK_PROCESS_CPUTIME_ID);
  work();
  return {Now(CLOCK_MONOTONIC) - wall, Now(CLOCK_PROCESS_CPUTIME_ID) - cpu};
}

// Bytes a second of CPU, of one core while all are busy.
double RawRate() {
  constexpr std::size_t kReads = 40'000;  // of 16 KiB
  const auto read = [] {
    crypto::KeyStream stream(crypto::StreamCipher::kAes128Ctr, SecretBytes(16), {});
    Bytes buffer(16 << 10);
    for (std::size_t i = 0; i < kReads; ++i) stream.Read(buffer);
  };
  double best = 1e300;
  for (int run = 0; run < 3; ++run)
    best = std::min(best, Measure([&] {
                            std::vector<std::jthread> threads;
                            for (unsigned i = 1; i < kCores; ++i) threads.emplace_back(read);
                            read();
                          }).cpu);
  return static_cast<double>(kReads) * (16 << 10) * kCores / best;
}

// What site i's update is at coordinate k.
float ValueOf(std::uint64_t k) { return 0.01F * (static_cast<float>(k % 7) - 3); }

struct Trial {
  std::size_t sites = 0, dropped = 0;
  std::uint64_t elements = 0;
  std::uint32_t corrupt = 0;
};

SessionTerms TermsOf(const Trial& trial, std::vector<crypto::SigningKey>* keys, SeededEntropy& entropy) {
  SessionTerms terms{.job = JobId("bench"), .round = {}, .attempt = {}, .cohort = {}};
  terms.dimension = DimensionFor(trial.elements);
  terms.clip = 1;
  terms.corrupt = trial.corrupt;
  for (std::size_t i = 0; i < trial.sites; ++i) {
    keys->push_back(crypto::SigningKey::Generate(entropy));
    char name[32];
    std::snprintf(name, sizeof name, "site-%05zu", i);
    terms.cohort.push_back({SiteName(name), keys->back().public_key()});
  }
  return terms;
}

void Run(const char* title, const Trial& trial, double raw) {
  SeededEntropy entropy(1);
  std::vector<crypto::SigningKey> keys;
  const SessionTerms terms = TermsOf(trial, &keys, entropy);
  ServerSession server = ServerSession::Create(terms).value();
  const std::size_t survivors = trial.sites - trial.dropped;
  Cost messages;       // of all sites: keys, shares, signatures
  std::size_t up = 0;  // bytes that one site sends beside its vector's update
  const auto site_work = [&](const auto& work) {
    const Cost cost = Measure(work);
    messages.wall += cost.wall, messages.cpu += cost.cpu;
  };

  std::vector<AdvertisedSite> advertised;
  site_work([&] {
    for (std::size_t i = 0; i < trial.sites; ++i)
      advertised.push_back(
          AdvertisedSite::Begin(SiteView::Create(terms, terms.cohort[i].name, keys[i]).value(), entropy).value());
  });
  Cost relay;
  const auto server_work = [&](const auto& work) {
    const Cost cost = Measure(work);
    relay.wall += cost.wall, relay.cpu += cost.cpu;
  };
  server_work([&] {
    for (const AdvertisedSite& site : advertised) CONSILIUM_CHECK(server.AddAdvert(site.advert()).ok());
    CONSILIUM_CHECK(server.CloseAdverts().ok());
  });
  up += Encode(advertised[0].advert()).size();
  std::vector<SharingSite> sharing;
  for (Place i = 0; i < trial.sites; ++i) {
    const std::vector<Advert> adverts = server.AdvertsFor(i);
    site_work([&] { sharing.push_back(std::move(advertised[i]).Share(adverts).value()); });
    if (i == 0) up += EncodeShares(sharing[0].sealed()).size();
    server_work([&] { CONSILIUM_CHECK(server.AddShares(i, sharing[i].sealed()).ok()); });
  }
  CONSILIUM_CHECK(server.CloseShares().ok());

  // The last ones vanish here.
  std::vector<std::uint32_t> sum(terms.dimension);
  std::vector<MaskedSite> masked;
  Cost masking;
  for (Place i = 0; i < survivors; ++i) {
    const std::vector<SealedShares> received = server.SharesFor(i);
    std::optional<MaskingSite> site;
    site_work([&] { site.emplace(std::move(sharing[i]).Open(received).value()); });
    std::uint64_t at = 0;
    const Cost cost = Measure([&] {
      const auto clipped = MaskVector(
          *site,
          {.elements = trial.elements,
           .clip = terms.clip,
           .cohort = trial.sites,
           .weight = 0.5,
           .metrics = {},
           .noise = SecretBytes(32)},
          [](std::uint64_t begin, std::span<float> out) {
            for (std::size_t k = 0; k < out.size(); ++k) out[k] = ValueOf(begin + k);
            return Status();
          },
          [&](std::span<const std::uint32_t> words) {
            for (std::size_t k = 0; k < words.size(); ++k) sum[at + k] += words[k];
            at += words.size();
            return Status();
          });
      CONSILIUM_CHECK(clipped.ok());
    });
    masking.wall += cost.wall, masking.cpu += cost.cpu;
    site_work([&] { masked.push_back(std::move(*site).Seal(Sha256Of(Concat("vector", i)))); });
    server_work([&] { CONSILIUM_CHECK(server.AddVector(masked[i].head()).ok()); });
  }
  CONSILIUM_CHECK(server.CloseVectors({1, Sha256Of("log")}).ok());
  std::vector<ConfirmedSite> confirmed;
  for (Place i = 0; i < survivors; ++i) {
    site_work([&] { confirmed.push_back(std::move(masked[i]).Confirm(server.survivors(), server.audit()).value()); });
    server_work([&] { CONSILIUM_CHECK(server.AddConfirmation(confirmed[i].confirmation()).ok()); });
  }
  CONSILIUM_CHECK(server.CloseConfirmations().ok());
  up += Encode(masked[0].head()).size() + Encode(confirmed[0].confirmation()).size();
  for (Place i = 0; i < survivors; ++i) {
    std::optional<ShareRelease> release;
    site_work([&] { release = std::move(confirmed[i]).Release(server.ConfirmationsFor(i)).value(); });
    if (i == 0) up += Encode(*release).size();
    server_work([&] { CONSILIUM_CHECK(server.AddRelease(*release).ok()); });
  }

  std::optional<Unmasking> unmasking;
  const Cost rebuilding = Measure([&] { unmasking.emplace(server.Unmask().value()); });
  std::vector<std::uint32_t> masked_sum = sum;
  const Cost removing =
      Measure([&] { ApplyMasks(unmasking->Terms(), {.context = server.context(), .threads = kCores}, 0, masked_sum); });
  double worst = 0;
  std::uint64_t at = 0;
  // The vectors' own sum stands for the first of them, so that reading from memory costs what it costs once.
  const Cost summing = Measure([&] {
    const auto result = SumVectors(
        {.terms = terms,
         .context = server.context(),
         .unmasking = &*unmasking,
         .survivors = survivors,
         .threads = kCores},
        [&](std::size_t survivor, std::uint64_t begin, std::span<std::uint32_t> out) {
          if (survivor == 0)
            std::copy_n(sum.begin() + static_cast<std::ptrdiff_t>(begin), out.size(), out.begin());
          else
            std::fill(out.begin(), out.end(), 0);
          return Status();
        },
        [&](std::span<const float> means) {
          for (std::size_t k = 0; k < means.size(); k += 97)
            worst = std::max(worst, std::fabs(double{means[k]} - double{ValueOf(at + k)}));
          at += means.size();
          return Status();
        });
    CONSILIUM_CHECK(result.ok(), result.status().ToString());
  });
  CONSILIUM_CHECK(worst < 1e-3, "the mean is wrong by ", worst);

  const double vector_bytes = 4.0 * static_cast<double>(trial.elements);
  const double server_bytes = vector_bytes * static_cast<double>(unmasking->seeds.size());
  const double site_masks = 1 + static_cast<double>(server.shape().degree);
  const double limit = server_bytes / (raw * kCores);
  const auto per_site = [&](double seconds) { return 1e3 * seconds / static_cast<double>(trial.sites); };
  std::printf("%s: %zu sites, %zu neighbours, threshold %zu, %llu parameters, %zu dropped after sharing\n", title,
              trial.sites, server.shape().degree, server.shape().threshold,
              static_cast<unsigned long long>(trial.elements), trial.dropped);
  std::printf("  site     %.2f s CPU for its vector (%.2f GB of masks; %.2f of AES alone), %.1f ms for messages\n",
              masking.cpu / static_cast<double>(survivors), 1e-9 * vector_bytes * site_masks,
              vector_bytes * site_masks / raw / (masking.cpu / static_cast<double>(survivors)), per_site(messages.cpu));
  std::printf("  wire     %zu bytes beside the vector, %.4f %% of it\n", up + 4 * DimensionFor(0),
              100 * static_cast<double>(up + 4 * DimensionFor(0)) / vector_bytes);
  std::printf(
      "  server   secrets %.2f s CPU, masks out of the sum %.2f s, %.2f s CPU (%.2f GB): %.2f times their AES on %u "
      "cores (%.2f s)\n",
      rebuilding.cpu, removing.wall, removing.cpu, 1e-9 * server_bytes, (rebuilding.wall + removing.wall) / limit,
      kCores, limit);
  std::printf("           all of it, vectors added and the mean written: %.2f s, %.2f s CPU; messages %.2f s CPU\n",
              rebuilding.wall + summing.wall, rebuilding.cpu + summing.cpu, relay.cpu);
  std::printf("  checked  worst error of a mean %.1e\n", worst);
  std::fflush(stdout);
}

// 1,000 sites, everybody with everybody, 300 dropped: more than the k-regular graph admits, so no session can be had of
// it here; what the server would compute.
void RunRebuild(double raw) {
  constexpr std::size_t kSites = 1000, kDropped = 300, kElements = 100'000;
  SeededEntropy entropy(2);
  const std::size_t threshold = ThresholdFor(kSites, kSites / 3).value().threshold;
  std::vector<ShareX> xs;
  for (std::size_t i = 0; i < kSites; ++i) xs.push_back(static_cast<ShareX>(i + 1));
  const Digest context = Sha256Of("context");
  std::vector<std::vector<Share>> shares;  // of a few secrets: the arithmetic of all is the same
  constexpr std::size_t kMade = 20;
  for (std::size_t i = 0; i < kMade; ++i) {
    shares.push_back(Split(SecretBytes(Bytes(32, static_cast<std::uint8_t>(i + 1))), threshold, xs, entropy).value());
    shares.back().resize(threshold);
  }
  xs.resize(threshold);
  std::vector<crypto::RawPublicKey> peers;
  for (std::size_t i = 0; i < kSites - kDropped; ++i)
    peers.push_back(crypto::AgreementKey::Generate(entropy).public_key());
  std::vector<SecretBytes> secrets, seeds;
  const Cost rebuilding = Measure([&] {
    const Rebuilder rebuilder = Rebuilder::For(xs).value();
    for (std::size_t i = 0; i < kSites; ++i) secrets.push_back(rebuilder.Rebuild(shares[i % kMade]).value());
  });
  const Cost agreeing = Measure([&] {
    for (std::size_t i = 0; i < kDropped; ++i) {
      const crypto::AgreementKey key = crypto::AgreementKey::FromSeed(secrets[i]).value();
      for (std::size_t k = 0; k < peers.size(); ++k)
        seeds.push_back(
            PairSeed(context, key.Agree(peers[k]).value(), static_cast<Place>(i), static_cast<Place>(kDropped + k)));
    }
  });
  std::vector<MaskTerm> terms;
  for (const SecretBytes& seed : seeds) terms.push_back({&seed, Sign::kAdd});
  for (std::size_t i = kDropped; i < kSites; ++i) terms.push_back({&secrets[i], Sign::kSubtract});
  std::vector<std::uint32_t> sum(DimensionFor(kElements));
  const Cost masking = Measure([&] { ApplyMasks(terms, {.context = context, .threads = kCores}, 0, sum); });
  const double bytes = 4.0 * kElements * static_cast<double>(terms.size());
  const double limit = bytes / (raw * kCores);
  std::printf(
      "complete graph: %zu sites, threshold %zu, %zu parameters, %zu dropped\n"
      "  server   %.1f s CPU: %zu secrets from shares %.1f, %zu keys agreed %.1f, %zu masks (%.0f GB) %.1f\n"
      "  ratio    masks alone %.2f times their AES on %u cores (%.1f s)\n",
      kSites, threshold, kElements, kDropped, rebuilding.cpu + agreeing.cpu + masking.cpu, kSites, rebuilding.cpu,
      seeds.size(), agreeing.cpu, terms.size(), 1e-9 * bytes, masking.cpu, masking.wall / limit, kCores, limit);
}

}  // namespace
}  // namespace consilium::secagg

int main(int argc, char** argv) {
  using consilium::secagg::Run;
  const auto wanted = [&](const std::string& name) {
    return argc == 1 || std::find(argv + 1, argv + argc, name) != argv + argc;
  };
  const double raw = consilium::secagg::RawRate();
  std::printf("AES-128-CTR alone, both cores busy: %.2f GB/s a core and second of CPU\n", 1e-9 * raw);
  if (wanted("small")) Run("small", {.sites = 5, .dropped = 1, .elements = 1'000'000, .corrupt = 1}, raw);
  if (wanted("large")) Run("large", {.sites = 20, .dropped = 2, .elements = 30'000'000, .corrupt = 6}, raw);
  if (wanted("graph")) {
    Run("graph", {.sites = 100, .dropped = 10, .elements = 100'000, .corrupt = 10}, raw);
    Run("graph", {.sites = 300, .dropped = 30, .elements = 100'000, .corrupt = 30}, raw);
    Run("graph", {.sites = 1000, .dropped = 100, .elements = 100'000, .corrupt = 100}, raw);
  }
  if (wanted("rebuild")) consilium::secagg::RunRebuild(raw);
}
