#include "secure_sum_orders.h"

#include "target.h"
#include "tests/unit/privacy/secagg/session_fixture.h"

namespace consilium::fuzz {
namespace {

using namespace secagg;

// Drops, repeats, swaps, or takes one of another receiver's.
template <typename Message>
void Disorder(Choices* choices, std::vector<Message>* list) {
  if (list->empty()) return;
  const std::size_t at = choices->Below(list->size()), other = choices->Below(list->size());
  switch (choices->Below(4)) {
    case 0:
      list->erase(list->begin() + static_cast<std::ptrdiff_t>(at));
      break;
    case 1:
      list->push_back((*list)[at]);
      break;
    case 2:
      std::swap((*list)[at], (*list)[other]);
      break;
    default:
      (*list)[at] = (*list)[other];
  }
}

// A bit of the message's canonical bytes, if what comes of it is still a message.
template <typename Message, typename Decode>
void FlipBit(Choices* choices, std::vector<Message>* list, const Decode& decode) {
  if (list->empty()) return;
  Message& message = (*list)[choices->Below(list->size())];
  Bytes bytes = Encode(message);
  bytes[choices->Below(bytes.size())] ^= static_cast<std::uint8_t>(1 << choices->Below(8));
  if (StatusOr<Message> changed = decode(bytes); changed.ok()) message = *std::move(changed);
}

}  // namespace

SecureSumOutcome RunSecureSumOrders(Choices* choices) {
  const std::size_t sites = 3 + choices->Below(4);
  Cohort cohort(sites, 5, 1 + choices->Below(256));
  std::map<Place, Until> until;
  for (std::size_t i = choices->Below(3); i > 0; --i)
    until[static_cast<Place>(choices->Below(sites))] = static_cast<Until>(choices->Below(6));

  Mischief mischief;
  const auto kind = [choices] { return choices->Below(40); };  // one in twenty lists is changed, one way or the other
  mischief.adverts = [&](Place, std::vector<Advert>& list) {
    const std::size_t way = kind();
    if (way == 1) Disorder(choices, &list);
    if (way == 2) FlipBit(choices, &list, DecodeAdvert);
  };
  mischief.shares = [&](Place, std::vector<SealedShares>& list) {
    const std::size_t way = kind();
    if (way == 1) Disorder(choices, &list);
    if (way == 2) FlipBit(choices, &list, DecodeSealedShares);
  };
  mischief.confirmations = [&](Place, std::vector<Confirmation>& list) {
    const std::size_t way = kind();
    if (way == 1) Disorder(choices, &list);
    if (way == 2) FlipBit(choices, &list, DecodeConfirmation);
  };
  if (choices->OneIn(4))
    mischief.survivors = [&](Place, Places& places) {
      if (kind() == 1) Disorder(choices, &places);
    };
  mischief.server_restarts = !mischief.survivors && choices->OneIn(2);
  mischief.release = [&](ShareRelease& release) {
    if (kind() != 1 || release.shares.empty()) return;
    Share& share = release.shares[choices->Below(release.shares.size())].share;
    share.y[choices->Below(share.y.size())] ^= std::uint64_t{1} << choices->Below(8);
  };

  const Outcome outcome = RunSession(cohort, until, mischief);
  for (const auto& [place, refusal] : outcome.refusals) {
    Require(!refusal.message().empty(), "a refusal says why");
    Require(!outcome.released.contains(place), "who refuses releases nothing");
  }
  if (outcome.sum)
    Require(*outcome.sum == cohort.PlainSum(outcome.survivors), "a sum is the plain sum of its survivors");
  return {outcome.sum.has_value(), outcome.refusals.size()};
}

}  // namespace consilium::fuzz
