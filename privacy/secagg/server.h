// The coordinator's side of a secure sum: collects, checks, relays, and at the end knows the masks of the sum.
//
// It can ask for one kind of share of each site only, because the request is one partition of the sharers into
// survivors and dropped.  Calls come in the order of the phases; a message that does not fit is an error and changes
// nothing. Everything that it holds is made of messages: fed again from a journal, the same session stands again.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>

#include "privacy/secagg/mask.h"
#include "privacy/secagg/messages.h"

namespace consilium::secagg {

// The masks that are left in the sum of the survivors' vectors; apply them and the plain sum remains.
struct Unmasking {
  std::vector<SecretBytes> seeds;
  std::vector<Sign> signs;  // how each is to be applied
  std::set<Place> liars;    // who sent shares that do not fit the others'
  std::vector<MaskTerm> Terms() const;
};

// Value semantics apart from secrets; strand-bound.
class ServerSession {
 public:
  enum class Phase : std::uint8_t { kAdverts, kShares, kVectors, kConfirmations, kReleases, kDone };

  // Errors: those of ShapeOf.
  static StatusOr<ServerSession> Create(SessionTerms terms);
  Phase phase() const { return phase_; }
  const SessionTerms& terms() const { return terms_; }
  const SessionShape& shape() const { return shape_; }
  const Digest& context() const { return context_; }

  // Errors of Add...: FailedPrecondition in another phase, for a place that does not take part or a repeated message;
  // Unauthenticated for a signature that is not that site's for this session.
  Status AddAdvert(const Advert& advert);
  Status AddShares(Place from, std::vector<SealedShares> shares);  // exactly one for each live neighbour
  Status AddVector(const MaskedHead& head);                        // its vector is whole and has that digest
  Status AddConfirmation(const Confirmation& confirmation);
  Status AddRelease(const ShareRelease& release);

  // Ends a phase with those who answered.  Errors: FailedPrecondition when too few did: the session is to be aborted.
  Status CloseAdverts();
  Status CloseShares();
  // `audit`: of the coordinator's own log; every survivor is told it, and signs it.
  Status CloseVectors(const AuditPoint& audit);
  Status CloseConfirmations();

  // What a site is sent after the phase before was closed.
  std::vector<Advert> AdvertsFor(Place place) const;
  std::vector<SealedShares> SharesFor(Place place) const;
  const Places& survivors() const { return survivors_; }
  const AuditPoint& audit() const { return audit_; }
  std::vector<Confirmation> ConfirmationsFor(Place place) const;

  // What another process needs to take up this session where the survivors have confirmed (phase kReleases): no
  // secrets, and without the sealed shares, which were relayed.  Releases are added to what comes back.
  Bytes Transcript() const;
  // Everything in it is checked again.  Errors: DataLoss for what Transcript cannot have written, and those of Add...
  static StatusOr<ServerSession> FromTranscript(ByteSpan transcript);

  // Who may still answer in this phase, and how many have.
  Places Awaited() const;
  std::size_t Answered() const;
  // Enough shares of every secret are there.
  bool CanUnmask() const;
  // Rebuilds every secret from shares and checks it against what its owner committed to; wrong shares are left out by
  // trying other subsets, and their senders named.  Errors: FailedPrecondition when there are too few shares; DataLoss
  // naming the site whose secret no subset rebuilds.
  StatusOr<Unmasking> Unmask();

 private:
  ServerSession(SessionTerms terms, SessionShape shape);
  Status CheckPhase(Phase phase, Place place, const std::set<Place>& expected) const;
  std::string NameOf(Place place) const { return terms_.cohort[place].name.value(); }
  bool AreNeighbours(Place a, Place b) const;
  std::size_t CountAround(Place place, const std::set<Place>& places) const;
  // On a graph: each of `places` has a threshold of `live` around it, or its secrets could not be rebuilt, and honest
  // sites would be right to refuse.
  Status CheckAround(const std::set<Place>& places, const std::set<Place>& live) const;

  SessionTerms terms_;
  SessionShape shape_;
  Digest context_;
  Phase phase_ = Phase::kAdverts;
  std::map<Place, Advert> adverts_;
  std::map<Place, std::map<Place, SealedShares>> shares_;  // by sender, by receiver
  std::map<Place, MaskedHead> heads_;
  Places survivors_;
  AuditPoint audit_;
  std::map<Place, Confirmation> confirmations_;
  std::map<Place, ShareRelease> releases_;
  std::set<Place> advertised_, shared_;  // after their phases were closed
};

}  // namespace consilium::secagg
