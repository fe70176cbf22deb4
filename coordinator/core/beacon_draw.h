// One attempt at a beacon as the job machine sees it: sites by name, message bodies as bytes, who is still counted on.
// What is signed and hashed is privacy/secagg's (beacon.h).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "comm/wire/messages.h"
#include "privacy/secagg/beacon.h"

namespace consilium::coordinator {

// Strand-bound.
class BeaconDraw {
 public:
  // Errors: those of secagg::CheckBeaconTerms.
  static StatusOr<BeaconDraw> Open(secagg::BeaconTerms terms);

  std::uint32_t number() const { return terms_.attempt; }
  std::vector<SiteName> sites() const;
  // kCommit, then kReveal.
  wire::SecureStage stage() const { return stage_; }
  // All have committed.
  void AskForNonces() { stage_ = wire::SecureStage::kReveal; }

  // Errors: FailedPrecondition for an answer to another stage or of somebody else; DataLoss for a body that is none;
  // those of secagg::CheckCommitment and CheckNonce.
  Status Take(const SiteName& site, const wire::SecureAnswer& answer);
  // Would Take be in vain: it has answered this stage or an earlier one.
  bool HasAnswered(const SiteName& site, wire::SecureStage stage) const;
  // The site will answer no more.  All have to, so nothing comes of the attempt.
  void GiveUp(const SiteName& site);
  const std::set<SiteName>& given_up() const { return given_up_; }

  std::vector<SiteName> Awaited() const;
  // The question that the site has to answer now; nothing for who is not awaited.
  std::optional<wire::SecureRequest> QuestionFor(const SiteName& site, const wire::TaskKey& task) const;
  // Everything that has come.
  secagg::BeaconNotice Notice() const;
  // All have revealed.
  secagg::Beacon Agreed() const;

 private:
  explicit BeaconDraw(secagg::BeaconTerms terms) : terms_(std::move(terms)), context_(secagg::ContextOf(terms_)) {}
  const secagg::Member* MemberOf(const SiteName& site) const;

  secagg::BeaconTerms terms_;
  Digest context_;
  wire::SecureStage stage_ = wire::SecureStage::kCommit;
  std::map<SiteName, secagg::BeaconCommitment> commitments_;
  std::map<SiteName, secagg::BeaconNonce> nonces_;
  std::set<SiteName> given_up_;
};

}  // namespace consilium::coordinator
