// A cohort of sites with random vectors, and a run of the whole protocol in which any site may vanish at any stage.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>

#include "comm/base/rng.h"
#include "privacy/secagg/server.h"
#include "privacy/secagg/site.h"

namespace consilium::secagg {

struct Cohort {
  Cohort(std::size_t sites, std::size_t dimension, std::uint64_t seed) : entropy(seed), rng(seed) {
    terms.job = JobId("job");
    terms.model = Sha256Of("model");
    terms.configuration = Sha256Of("configuration");
    terms.beacon = Sha256Of("beacon");
    terms.dimension = dimension;
    terms.clip = 1;
    terms.corrupt = static_cast<std::uint32_t>(sites / 3);
    for (std::size_t i = 0; i < sites; ++i) {
      keys.push_back(crypto::SigningKey::Generate(entropy));
      char name[32];
      std::snprintf(name, sizeof name, "site-%04zu", i);
      terms.cohort.push_back({SiteName(name), keys.back().public_key()});
      std::vector<std::uint32_t>& vector = vectors.emplace_back(dimension);
      for (std::uint32_t& value : vector) value = rng.NextU32();
    }
  }

  SiteViewPtr View(std::size_t i) { return SiteView::Create(terms, terms.cohort[i].name, keys[i]).value(); }

  std::vector<std::uint32_t> PlainSum(const Places& places) const {
    std::vector<std::uint32_t> sum(terms.dimension);
    for (const Place place : places)
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += vectors[place][i];
    return sum;
  }

  SeededEntropy entropy;
  Rng rng;
  SessionTerms terms;
  std::vector<crypto::SigningKey> keys;
  std::vector<std::vector<std::uint32_t>> vectors;
};

// The last stage that a site takes part in; kAll by default.
enum class Until { kNothing, kAdvert, kShares, kVector, kConfirmation, kAll };

// What a test may change on the way; identity where it is not set.
struct Mischief {
  std::function<void(Place to, std::vector<Advert>&)> adverts;
  std::function<void(Place to, std::vector<SealedShares>&)> shares;
  std::function<void(Place to, Places&)> survivors;
  std::function<void(Place to, AuditPoint&)> audit;
  std::function<void(Place to, std::vector<Confirmation>&)> confirmations;
  std::function<void(ShareRelease&)> release;  // a lying site
  // Once the survivors have confirmed, another server goes on from the transcript of the first.
  bool server_restarts = false;
};

struct Outcome {
  std::map<Place, Status> refusals;  // of sites
  Status server;                     // why the session was aborted
  Places survivors;
  std::set<Place> liars;
  std::set<Place> released;  // who sent any share in the end
  std::optional<std::vector<std::uint32_t>> sum;
};

Outcome RunSession(Cohort& cohort, const std::map<Place, Until>& until, const Mischief& mischief = {});

}  // namespace consilium::secagg
