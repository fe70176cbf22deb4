// When a secure sum is over, its secrets are nowhere in the process's memory: not in freed blocks, not on the stack
// below, not in OpenSSL's.  All writable memory is searched.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "privacy/secagg/server.h"
#include "privacy/secagg/site.h"

namespace consilium::secagg {
namespace {

// What is searched for must not itself lie in memory: it is kept with every bit of this turned.
constexpr std::uint8_t kVeil = 0xa5;

Bytes Veiled(ByteSpan secret) {
  Bytes veiled(secret.size());
  for (std::size_t i = 0; i < secret.size(); ++i) veiled[i] = secret[i] ^ kVeil;
  return veiled;
}

// Random bytes of which no copy is kept.
class VeiledEntropy final : public Entropy {
 public:
  explicit VeiledEntropy(std::uint64_t seed) : source_(seed) {}
  void Fill(std::span<std::uint8_t> out) override {
    Bytes veiled(out.size());
    source_.Fill(veiled);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = veiled[i] ^ kVeil;
    drawn_.push_back(std::move(veiled));
  }
  const std::vector<Bytes>& drawn() const { return drawn_; }  // veiled

 private:
  SeededEntropy source_;
  std::vector<Bytes> drawn_;
};

// Veiled draws once more, from one of them on.
class ReplayedEntropy final : public Entropy {
 public:
  ReplayedEntropy(std::span<const Bytes> draws, std::size_t from) : draws_(draws), next_(from) {}
  void Fill(std::span<std::uint8_t> out) override {
    const Bytes& draw = draws_[next_++];
    CONSILIUM_CHECK(draw.size() == out.size(), "another draw than the first time");
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = draw[i] ^ kVeil;
  }

 private:
  std::span<const Bytes> draws_;
  std::size_t next_;
};

// How often the process's writable memory has these bytes.
class MemorySearch {
 public:
  MemorySearch()
      : memory_(::open("/proc/self/mem", O_RDONLY | O_CLOEXEC)),
        buffer_(static_cast<std::uint8_t*>(
            ::mmap(nullptr, kBufferBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {}
  ~MemorySearch() {
    ::close(memory_);
    ::munmap(buffer_, kBufferBytes);
  }
  bool ready() const { return memory_ >= 0 && buffer_ != MAP_FAILED; }
  std::size_t searched() const { return searched_; }

  std::size_t Count(const std::vector<Bytes>& veiled) {
    std::size_t found = 0;
    searched_ = 0;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      std::uint64_t begin = 0, end = 0;
      char dash = 0;
      std::string rights;
      std::istringstream(line) >> std::hex >> begin >> dash >> end >> rights;
      if (rights.size() < 2 || rights[0] != 'r' || rights[1] != 'w') continue;
      // The buffer would find what it was filled with; the kernel may have put it into one mapping with others.
      const auto own = reinterpret_cast<std::uint64_t>(buffer_);
      if (begin <= own && own < end) {
        found += CountIn(begin, own, veiled);
        begin = own + kBufferBytes;
      }
      found += CountIn(begin, end, veiled);
    }
    OPENSSL_cleanse(buffer_, kBufferBytes);
    return found;
  }

 private:
  static constexpr std::size_t kBufferBytes = 1 << 20;
  static constexpr std::size_t kLongest = 64;

  std::size_t CountIn(std::uint64_t begin, std::uint64_t end, const std::vector<Bytes>& veiled) {
    std::size_t found = 0;
    // Pieces overlap, so that nothing is cut; what lies in the overlap whole may be counted twice.
    for (std::uint64_t at = begin; at < end; at += kBufferBytes - kLongest) {
      const ssize_t got =
          ::pread(memory_, buffer_, std::min<std::uint64_t>(kBufferBytes, end - at), static_cast<off_t>(at));
      if (got <= 0) break;  // a guard page
      searched_ += static_cast<std::size_t>(got);
      for (const Bytes& needle : veiled) found += CountInBuffer(static_cast<std::size_t>(got), needle);
    }
    return found;
  }

  std::size_t CountInBuffer(std::size_t size, const Bytes& veiled) const {
    std::size_t found = 0;
    const std::uint8_t* at = buffer_;
    const std::uint8_t* const stop = buffer_ + size;
    while (at < stop) {
      at = static_cast<const std::uint8_t*>(std::memchr(at, veiled[0] ^ kVeil, static_cast<std::size_t>(stop - at)));
      if (at == nullptr) break;
      std::size_t same = 0;
      while (same < veiled.size() && at + same < stop && (at[same] ^ kVeil) == veiled[same]) ++same;
      found += same == veiled.size();
      ++at;
    }
    return found;
  }

  int memory_;
  std::uint8_t* buffer_;
  std::size_t searched_ = 0;
};

constexpr Place kSites = 4, kDropped = 2;
constexpr std::size_t kThreshold = 3;

// Four sites, the third of which vanishes once it has shared.
struct Parties {
  Parties() {
    terms = {.job = JobId("job"),
             .model = Sha256Of("model"),
             .configuration = Sha256Of("configuration"),
             .beacon = Sha256Of("beacon"),
             .dimension = 5000,
             .clip = 1,
             .corrupt = 1};
    for (Place place = 0; place < kSites; ++place) {
      keys.push_back(crypto::SigningKey::Generate(SystemEntropy()));
      terms.cohort.push_back({SiteName(Concat("site-", place)), keys.back().public_key()});
      entropy.push_back(std::make_unique<VeiledEntropy>(place + 1));
    }
  }
  SessionTerms terms;
  std::vector<crypto::SigningKey> keys;
  std::vector<std::unique_ptr<VeiledEntropy>> entropy;
};

// What `search` says where a site's secrets live, and where they must be gone though its machine still lives.
struct Seen {
  std::size_t advertised = 0, masking = 0, masked = 0, shares = 0;
};

// Whole keys, seeds and coefficients of the sharing, as they were drawn.
std::vector<Bytes> DrawnBy(const Parties& parties, Place place) {
  std::vector<Bytes> drawn = parties.entropy[place]->drawn();
  std::erase_if(drawn, [](const Bytes& draw) { return draw.size() != 32; });
  return drawn;
}

// The shares that a site was sent, as its peers made them: of a secret, the coefficients and the point give them.
std::vector<Bytes> SharesHeldBy(const Parties& parties, Place holder) {
  std::vector<Bytes> shares;
  for (Place owner = 0; owner < kSites; ++owner) {
    const std::vector<Bytes>& drawn = parties.entropy[owner]->drawn();
    std::vector<Bytes> seeds, coefficients;
    for (const Bytes& draw : drawn) (draw.size() == 32 ? seeds : coefficients).push_back(draw);
    for (const std::size_t secret : {0u, 2u}) {  // the mask key's seed and the self-mask's; between them the channel's
      const SecretBytes plain(Veiled(seeds[secret]));
      ReplayedEntropy again(coefficients, secret == 0 ? 0 : kLimbs * (kThreshold - 1));
      const ShareX at = holder + 1, xs[] = {at, 100, 101};
      const std::vector<Share> made = Split(plain, kThreshold, xs, again).value();
      for (const std::uint64_t& y : made[0].y)  // each by itself: a freed block may have lost the first of them
        shares.push_back(Veiled({reinterpret_cast<const std::uint8_t*>(&y), sizeof y}));
    }
  }
  return shares;
}

[[gnu::noinline]] Seen RunAndDestroy(Parties& parties, MemorySearch& search) {
  Seen seen;
  ServerSession server = ServerSession::Create(parties.terms).value();
  std::vector<AdvertisedSite> advertised;
  for (Place place = 0; place < kSites; ++place) {
    const SiteViewPtr view =
        SiteView::Create(parties.terms, parties.terms.cohort[place].name, parties.keys[place]).value();
    advertised.push_back(AdvertisedSite::Begin(view, *parties.entropy[place]).value());
    EXPECT_TRUE(server.AddAdvert(advertised.back().advert()).ok());
  }
  seen.advertised = search.Count(DrawnBy(parties, 0));
  EXPECT_TRUE(server.CloseAdverts().ok());
  std::vector<SharingSite> sharing;
  for (Place place = 0; place < kSites; ++place) {
    sharing.push_back(std::move(advertised[place]).Share(server.AdvertsFor(place)).value());
    EXPECT_TRUE(server.AddShares(place, sharing.back().sealed()).ok());
  }
  advertised.clear();
  EXPECT_TRUE(server.CloseShares().ok());
  std::vector<MaskingSite> masking;
  std::vector<MaskedSite> masked;
  std::vector<std::uint32_t> sum(parties.terms.dimension);
  for (Place place = 0; place < kSites; ++place) {
    if (place == kDropped) continue;
    masking.push_back(std::move(sharing[place]).Open(server.SharesFor(place)).value());
  }
  sharing.clear();  // the one that vanished, too
  seen.masking = search.Count(DrawnBy(parties, 0));
  for (MaskingSite& site : masking) {
    std::vector<std::uint32_t> vector(sum.size(), 7);
    site.Mask(0, vector, 2);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += vector[i];
    masked.push_back(std::move(site).Seal(Sha256Of("vector")));
    EXPECT_TRUE(server.AddVector(masked.back().head()).ok());
  }
  seen.masked = search.Count(DrawnBy(parties, 0));
  seen.shares = search.Count(SharesHeldBy(parties, 0));
  EXPECT_TRUE(server.CloseVectors({1, Sha256Of("audit")}).ok());
  std::vector<ConfirmedSite> confirmed;
  for (MaskedSite& site : masked) {
    confirmed.push_back(std::move(site).Confirm(server.survivors(), server.audit()).value());
    EXPECT_TRUE(server.AddConfirmation(confirmed.back().confirmation()).ok());
  }
  EXPECT_TRUE(server.CloseConfirmations().ok());
  for (ConfirmedSite& site : confirmed)
    EXPECT_TRUE(server.AddRelease(std::move(site).Release(server.ConfirmationsFor(0)).value()).ok());
  const Unmasking unmasking = server.Unmask().value();
  ApplyMasks(unmasking.Terms(), {.cipher = parties.terms.cipher, .context = server.context()}, 0, sum);
  EXPECT_EQ(sum, std::vector<std::uint32_t>(sum.size(), 7 * (kSites - 1)));
  return seen;
}

TEST(Memory, HasNoSecretOfASecureSumThatIsOver) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's shadow memory is too large to search, and it keeps freed memory";
#endif
  MemorySearch search;
  if (!search.ready()) GTEST_SKIP() << "/proc/self/mem cannot be read here";
  Parties parties;
  const Seen seen = RunAndDestroy(parties, search);
  ASSERT_GT(search.searched(), 100'000u);
  EXPECT_GE(seen.advertised, 3u) << "a site's seeds are found while it lives, else the search could not fail";
  EXPECT_GE(seen.masking, 1u) << "its self-mask's, until the vector is masked";
  EXPECT_GE(seen.shares, 2u * kSites * kLimbs) << "it still holds one share of each secret";
  EXPECT_EQ(seen.masked, 0u) << "a site that has masked its vector has no seed any more";
  for (Place place = 0; place < kSites; ++place) {
    EXPECT_EQ(search.Count(DrawnBy(parties, place)), 0u) << "seeds of site " << place;
    EXPECT_EQ(search.Count(SharesHeldBy(parties, place)), 0u) << "shares that site " << place << " held";
  }
}

TEST(Memory, IsSearchedWhole) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's shadow memory is too large to search";
#endif
  MemorySearch search;
  if (!search.ready()) GTEST_SKIP() << "/proc/self/mem cannot be read here";
  Bytes veiled(32);
  SystemEntropy().Fill(veiled);
  EXPECT_EQ(search.Count({veiled}), 0u);
  Bytes heap = Veiled(veiled);
  EXPECT_EQ(search.Count({veiled}), 1u) << "on the heap";
  [[maybe_unused]] volatile std::uint8_t stack[32];
  for (std::size_t i = 0; i < 32; ++i) stack[i] = heap[i];
  EXPECT_EQ(search.Count({veiled}), 2u) << "on the stack";
  volatile std::uint8_t* freed = new std::uint8_t[64 << 10];
  for (std::size_t i = 0; i < 32; ++i) freed[(48 << 10) + i] = heap[i];  // far from what is allocated next
  delete[] freed;                                                        // what leaks usually do
  EXPECT_EQ(search.Count({veiled}), 3u) << "in a freed block";
}

}  // namespace
}  // namespace consilium::secagg
