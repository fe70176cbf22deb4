// One secure sum as the job machine sees it: sites by name, message bodies as bytes, and who is still counted on.  The
// protocol itself is privacy/secagg's.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "comm/wire/messages.h"
#include "coordinator/core/records.h"
#include "privacy/secagg/server.h"

namespace consilium::coordinator {

// What the coordinator knows beside the journal, made again by the shell in every life.
struct SecureSetting {
  std::uint64_t elements = 0;                       // of the update: values of the tensors that travel
  std::map<SiteName, crypto::RawPublicKey> roster;  // the sites' signing keys
  secagg::AuditPoint audit{};                       // of the coordinator's own log; AuditAdvanced tells how it grows
  friend bool operator==(const SecureSetting&, const SecureSetting&) = default;
};

// Strand-bound.
class SecureSession {
 public:
  using Phase = secagg::ServerSession::Phase;

  // Errors: those of secagg::ServerSession::Create.
  static StatusOr<SecureSession> Open(secagg::SessionTerms terms, std::size_t survivors_wanted);
  // From the journal, where its releases are collected.  Errors: DataLoss.
  static StatusOr<SecureSession> Restore(const UnmaskingBegan& began, const std::map<SiteName, Bytes>& releases);

  std::uint32_t number() const { return ToInt(server_.terms().attempt); }
  Phase phase() const { return server_.phase(); }
  wire::SecureStage stage() const;  // what is asked in this phase
  const secagg::ServerSession& server() const { return server_; }

  // A site's answer; `vector` is in the blob store, whole.  Errors: as secagg::ServerSession::Add..., DataLoss for a
  // body that is none, FailedPrecondition for an answer to another stage or of a site that was given up.
  Status Take(const SiteName& site, const wire::SecureAnswer& answer);
  // Would Take be in vain: it has answered this stage or an earlier one.
  bool HasAnswered(const SiteName& site, wire::SecureStage stage) const;
  // The site will answer no more: it went away, failed, or has lost its keys.
  void GiveUp(const SiteName& site) { given_up_.insert(site); }
  bool IsGivenUp(const SiteName& site) const { return given_up_.contains(site); }

  // Whose answer the phase waits for.
  std::vector<SiteName> Awaited() const;
  // The question that the site has to answer now; nothing for who is not awaited.
  std::optional<wire::SecureRequest> QuestionFor(const SiteName& site, const wire::TaskKey& task) const;
  // Too few are left for the phase to end well: why, else "".
  std::string WhyHopeless() const;
  bool CanUnmask() const { return server_.CanUnmask(); }
  // Its graph was drawn from a beacon, which its sites have to be told before its first question.
  bool HasBeacon() const { return server_.terms().beacon != Digest{}; }
  // Ends the phase with those who answered.  `audit`: the coordinator's log as it is now, which the survivors confirm.
  // Errors: FailedPrecondition: too few did, the session is over.
  Status ClosePhase(const secagg::AuditPoint& audit);

  std::vector<SiteName> cohort() const;
  std::vector<SiteName> survivors() const;
  const std::map<SiteName, wire::BlobManifest>& vectors() const { return vectors_; }  // that were taken

 private:
  SecureSession(secagg::ServerSession server, std::size_t survivors_wanted)
      : server_(std::move(server)), survivors_wanted_(survivors_wanted) {}
  std::optional<secagg::Place> PlaceOf(const SiteName& site) const;
  const SiteName& NameOf(secagg::Place place) const { return server_.terms().cohort[place].name; }
  std::size_t Needed() const;

  secagg::ServerSession server_;
  std::size_t survivors_wanted_;
  std::set<SiteName> given_up_;
  std::map<SiteName, wire::BlobManifest> vectors_;
};

}  // namespace consilium::coordinator
