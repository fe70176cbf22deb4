// What a site remembers of an update that is to be summed in secret.
#pragma once

#include <optional>
#include <string>

#include "comm/base/bytes.h"
#include "comm/base/digest.h"
#include "comm/base/time.h"
#include "comm/wire/job.h"
#include "privacy/secagg/beacon.h"
#include "privacy/secagg/groups.h"

namespace consilium::client {

// That the job has privacy.sites: what the site's own noise and account follow from.
struct SitePrivacyWork {
  wire::SitePrivacySpec spec;
  std::int64_t rounds = 1;  // of the job
  std::string data_set;     // whose account pays
  friend bool operator==(const SitePrivacyWork&, const SitePrivacyWork&) = default;
};

SitePrivacyWork SitePrivacyOf(const wire::JobSpec& job);

// What is to be summed: kept with the trained update until it counts.
struct SecureWork {
  Digest model;                // of the model that the site received and trained
  Digest configuration;        // of the job that it was given
  std::uint64_t elements = 0;  // of the update
  double clip = 1;
  std::uint32_t min_cohort = 3;
  double share = 1;  // the site's weight, in (0, 1]
  std::optional<SitePrivacyWork> privacy{};
  std::optional<secagg::Beacon> beacon{};    // the newest that this site has part in, for the round or the job's groups
  std::optional<secagg::Grouping> groups{};  // the site is summed with its group of the beacon's sites, and no others
  // A sum about which nothing is asked for so long is given up, and its keys are wiped; whole seconds.
  Duration silence_max = std::chrono::hours(2);
  friend bool operator==(const SecureWork&, const SecureWork&) = default;
};

// The last message of a sum, kept until the coordinator's receipt: it is all that the site will ever say of the round.
struct ReleasedShares {
  std::uint32_t session = 0;
  Bytes body;
  friend bool operator==(const ReleasedShares&, const ReleasedShares&) = default;
};

}  // namespace consilium::client
