#include "tests/unit/privacy/secagg/session_fixture.h"

namespace consilium::secagg {

Outcome RunSession(Cohort& cohort, const std::map<Place, Until>& until, const Mischief& mischief) {
  Outcome outcome;
  const auto lives = [&](Place place, Until stage) {
    const auto found = until.find(place);
    return !outcome.refusals.contains(place) && (found == until.end() || found->second >= stage);
  };
  const auto abort = [&](Status status) {
    outcome.server = std::move(status);
    return outcome;
  };
  ServerSession server = ServerSession::Create(cohort.terms).value();
  const auto sites = static_cast<Place>(cohort.terms.cohort.size());

  std::map<Place, AdvertisedSite> advertised;
  for (Place i = 0; i < sites; ++i) {
    if (!lives(i, Until::kAdvert)) continue;
    advertised.emplace(i, AdvertisedSite::Begin(cohort.View(i), cohort.entropy).value());
    if (Status added = server.AddAdvert(DecodeAdvert(Encode(advertised.at(i).advert())).value()); !added.ok())
      return abort(added);
  }
  if (Status closed = server.CloseAdverts(); !closed.ok()) return abort(closed);

  std::map<Place, SharingSite> sharing;
  for (auto& [place, site] : advertised) {
    if (!lives(place, Until::kShares)) continue;
    std::vector<Advert> adverts = server.AdvertsFor(place);
    if (mischief.adverts) mischief.adverts(place, adverts);
    StatusOr<SharingSite> next = std::move(site).Share(adverts);
    if (!next.ok()) {
      outcome.refusals[place] = next.status();
      continue;
    }
    std::vector<SealedShares> sealed;
    for (const SealedShares& message : next->sealed()) sealed.push_back(DecodeSealedShares(Encode(message)).value());
    if (Status added = server.AddShares(place, sealed); !added.ok()) return abort(added);
    sharing.emplace(place, *std::move(next));
  }
  if (Status closed = server.CloseShares(); !closed.ok()) return abort(closed);

  std::map<Place, MaskedSite> masked;
  std::vector<std::uint32_t> sum(cohort.terms.dimension);
  for (auto& [place, site] : sharing) {
    if (!lives(place, Until::kVector)) continue;
    std::vector<SealedShares> received = server.SharesFor(place);
    if (mischief.shares) mischief.shares(place, received);
    StatusOr<MaskingSite> next = std::move(site).Open(received);
    if (!next.ok()) {
      outcome.refusals[place] = next.status();
      continue;
    }
    std::vector<std::uint32_t> vector = cohort.vectors[place];
    next->Mask(0, vector, 1);
    MaskedSite sealed = std::move(*next).Seal(
        Sha256Of(ByteSpan(reinterpret_cast<const std::uint8_t*>(vector.data()), 4 * vector.size())));
    if (Status added = server.AddVector(DecodeMaskedHead(Encode(sealed.head())).value()); !added.ok())
      return abort(added);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += vector[i];
    masked.emplace(place, std::move(sealed));
  }
  if (Status closed = server.CloseVectors({12, Sha256Of("audit")}); !closed.ok()) return abort(closed);
  outcome.survivors = server.survivors();

  const bool lied = mischief.survivors || mischief.audit;
  std::map<Place, ConfirmedSite> confirmed;
  for (auto& [place, site] : masked) {
    if (!lives(place, Until::kConfirmation)) continue;
    Places survivors = server.survivors();
    if (mischief.survivors) mischief.survivors(place, survivors);
    AuditPoint audit = server.audit();
    if (mischief.audit) mischief.audit(place, audit);
    StatusOr<ConfirmedSite> next = std::move(site).Confirm(survivors, audit);
    if (!next.ok()) {
      outcome.refusals[place] = next.status();
      continue;
    }
    const Confirmation confirmation = DecodeConfirmation(Encode(next->confirmation())).value();
    confirmed.emplace(place, *std::move(next));
    // A coordinator that lied about the list would keep what is signed for the lie.
    if (Status added = server.AddConfirmation(confirmation); !added.ok() && !lied) return abort(added);
  }
  std::vector<Confirmation> shown;
  if (lied) {
    for (const auto& [place, site] : confirmed) shown.push_back(site.confirmation());
  } else if (Status closed = server.CloseConfirmations(); !closed.ok()) {
    return abort(closed);
  }

  if (mischief.server_restarts) server = ServerSession::FromTranscript(server.Transcript()).value();

  for (auto& [place, site] : confirmed) {
    if (!lives(place, Until::kAll)) continue;
    std::vector<Confirmation> confirmations = lied ? shown : server.ConfirmationsFor(place);
    if (mischief.confirmations) mischief.confirmations(place, confirmations);
    StatusOr<ShareRelease> release = std::move(site).Release(confirmations);
    if (!release.ok()) {
      outcome.refusals[place] = release.status();
      continue;
    }
    outcome.released.insert(place);
    if (mischief.release) mischief.release(*release);
    if (lied) continue;
    if (Status added = server.AddRelease(DecodeShareRelease(Encode(*release)).value()); !added.ok())
      return abort(added);
  }
  if (!server.CanUnmask()) return abort(FailedPrecondition("too few released"));
  const StatusOr<Unmasking> unmasking = server.Unmask();
  if (!unmasking.ok()) return abort(unmasking.status());
  outcome.liars = unmasking->liars;
  ApplyMasks(unmasking->Terms(), {.cipher = cohort.terms.cipher, .context = server.context()}, 0, sum);
  outcome.sum = std::move(sum);
  return outcome;
}

}  // namespace consilium::secagg
