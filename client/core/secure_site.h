// This site's part in one secure sum, message by message: what is asked, and what is answered.  The protocol and its
// checks are privacy/secagg's; here the site's own knowledge meets what the coordinator says.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <variant>

#include "client/core/secure_work.h"
#include "comm/base/entropy.h"
#include "comm/wire/messages.h"
#include "privacy/private_sum/noise_plan.h"
#include "privacy/secagg/site.h"

namespace consilium::client {

// Who the site is among the others, from its kit.  Immutable; thread-safe as far as `entropy` is.
struct SecureParty {
  SiteName name;
  crypto::SigningKey signing;
  std::map<SiteName, crypto::RawPublicKey> roster;  // the sites' signing keys, by the consortium's word
  Entropy* entropy = nullptr;                       // outlives the party
  std::uint32_t min_cohort = 3;                     // this site's own floor, whatever the job says
};

// The sites that the coordinator names, with their keys from the roster.  Errors: PermissionDenied for fewer than this
// site takes part among, or a stranger.
StatusOr<std::vector<secagg::Member>> MembersOf(const SecureParty& party, const std::vector<SiteName>& names);

// Strand-bound.  Destroyed: its secrets are wiped.
class SecureSite {
 public:
  // `question` is of stage kKeys.  Errors: DataLoss for a body that is none; PermissionDenied for a cohort below this
  // site's floor or with a stranger, a sum of so many sites that it needs a beacon and has none of exactly these sites,
  // or a clip that is none; those of secagg::SiteView::Create and private_sum::PlanFor.
  static StatusOr<SecureSite> Open(const SecureParty& party, const SecureWork& work,
                                   const wire::SecureRequest& question);

  std::uint32_t session() const { return session_; }
  // The newest answer; said again when the question comes again.
  const wire::SecureAnswer& answer() const { return answer_; }
  // The question that comes next.
  wire::SecureStage expected() const;
  // Answered already.
  bool IsOld(const wire::SecureRequest& question) const;

  // kShares, kConfirm, kRelease: the answer.  Errors end the session; they name what the coordinator did wrong.
  Status Answer(const wire::SecureRequest& question);
  // kVector: what masks the vector, to be applied elsewhere.
  StatusOr<std::shared_ptr<const secagg::MaskingSite>> OpenShares(const wire::SecureRequest& question);
  // The vector is masked, and uploaded or about to be.
  void Seal(const wire::BlobManifest& vector);
  bool masking() const { return masking_ != nullptr; }
  std::size_t cohort() const { return cohort_.size(); }
  // Of a job with privacy.sites.
  struct Noise {
    private_sum::NoisePlan plan;
    double clip = 1;  // the coordinator's word; the promise does not depend on it
    Digest terms;  // of all that the sum is about but the session's number, so that a sum with the same sites that is
                   // begun again has the same
  };
  const std::optional<Noise>& noise() const { return noise_; }
  // What it has confirmed; nothing before stage kConfirm.
  struct Confirmed {
    std::vector<SiteName> survivors;
    secagg::AuditPoint audit;  // of the coordinator's log, as it was told
  };
  const std::optional<Confirmed>& confirmed() const { return confirmed_; }
  // The coordinator went on with the sum.  A question that comes again is no sign of life of it.
  void GoneOn(Instant now) { gone_on_ = now; }
  // Nothing was asked for so long that the keys are not to be kept any longer.
  bool IsForgotten(Instant now) const { return now - gone_on_ >= silence_max_; }
  Duration silence_max() const { return silence_max_; }

 private:
  SecureSite(secagg::AdvertisedSite advertised, const wire::SecureRequest& question, std::vector<SiteName> cohort,
             Duration silence_max);
  wire::SecureAnswer AnswerOf(wire::SecureStage stage, Bytes body) const;

  wire::TaskKey task_;
  std::uint32_t session_ = 0;
  std::vector<SiteName> cohort_;
  std::optional<Noise> noise_;
  std::optional<Confirmed> confirmed_;
  std::variant<std::monostate, secagg::AdvertisedSite, secagg::SharingSite, secagg::MaskedSite, secagg::ConfirmedSite>
      state_;
  std::shared_ptr<secagg::MaskingSite> masking_;
  wire::SecureAnswer answer_;
  Duration silence_max_;
  Instant gone_on_{};
};

}  // namespace consilium::client
