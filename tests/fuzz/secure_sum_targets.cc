// Messages of secure sums, alone and in the lists that the coordinator relays.
#include "privacy/secagg/beacon.h"
#include "privacy/secagg/message_lists.h"
#include "privacy/secagg/server.h"
#include "real_rounds.h"
#include "round_trip.h"

namespace consilium::fuzz {
namespace {

using namespace secagg;

const auto kEncode = [](const auto& message) { return Encode(message); };

// Bodies of the sites' answers, or of the coordinator's questions, at one stage.
std::vector<Bytes> Answers(wire::SecureStage stage) {
  std::vector<Bytes> seeds;
  for (const wire::SiteMessage& message : SomeRealRounds().from_sites)
    if (const auto* answer = std::get_if<wire::SecureAnswer>(&message); answer != nullptr && answer->stage == stage)
      seeds.push_back(answer->body);
  return seeds;
}
std::vector<Bytes> Questions(wire::SecureStage stage) {
  std::vector<Bytes> seeds;
  for (const wire::CoordinatorMessage& message : SomeRealRounds().from_coordinator)
    if (const auto* question = std::get_if<wire::SecureRequest>(&message);
        question != nullptr && question->stage == stage)
      seeds.push_back(question->body);
  return seeds;
}

// Of the three stages of a beacon, which rounds of few sites do not have.
std::vector<Bytes> BeaconNotices() {
  BeaconNotice notice{{SiteName("a"), SiteName("b"), SiteName("c")}, {}, {}};
  std::vector<Bytes> seeds = {Encode(notice)};
  notice.commitments.resize(3);
  seeds.push_back(Encode(notice));
  notice.nonces = {{1}, {2}, {3}};
  seeds.push_back(Encode(notice));
  return seeds;
}

constexpr Target kTargets[] = {
    {"secure_advert", [](ByteSpan input) { RoundTrip(input, DecodeAdvert, kEncode); },
     [] { return Answers(wire::SecureStage::kKeys); }},
    {"secure_shares", [](ByteSpan input) { RoundTrip(input, DecodeShares, EncodeShares); },
     [] { return Answers(wire::SecureStage::kShares); }},
    {"secure_masked_head", [](ByteSpan input) { RoundTrip(input, DecodeMaskedHead, kEncode); },
     [] { return Answers(wire::SecureStage::kVector); }},
    {"secure_confirmation", [](ByteSpan input) { RoundTrip(input, DecodeConfirmation, kEncode); },
     [] { return Answers(wire::SecureStage::kConfirm); }},
    {"secure_release", [](ByteSpan input) { RoundTrip(input, DecodeShareRelease, kEncode); },
     [] { return Answers(wire::SecureStage::kRelease); }},
    {"secure_names", [](ByteSpan input) { RoundTrip(input, DecodeNames, EncodeNames); },
     [] { return Questions(wire::SecureStage::kKeys); }},
    {"secure_opening", [](ByteSpan input) { RoundTrip(input, DecodeNoisyOpening, kEncode); },
     [] {
       return std::vector<Bytes>{Encode(NoisyOpening{{SiteName("a"), SiteName("b"), SiteName("c")}, 0.5})};
     }},
    {"secure_adverts", [](ByteSpan input) { RoundTrip(input, DecodeAdverts, EncodeAdverts); },
     [] { return Questions(wire::SecureStage::kShares); }},
    {"secure_survivors", [](ByteSpan input) { RoundTrip(input, DecodeSurvivorList, kEncode); },
     [] { return Questions(wire::SecureStage::kConfirm); }},
    {"secure_confirmations", [](ByteSpan input) { RoundTrip(input, DecodeConfirmations, EncodeConfirmations); },
     [] { return Questions(wire::SecureStage::kRelease); }},
    {"secure_beacon_notice", [](ByteSpan input) { RoundTrip(input, DecodeBeaconNotice, kEncode); }, BeaconNotices},
    {"secure_beacon_commitment", [](ByteSpan input) { RoundTrip(input, DecodeBeaconCommitment, kEncode); },
     [] { return std::vector<Bytes>{Encode(BeaconCommitment{})}; }},
    {"secure_beacon_nonce", [](ByteSpan input) { RoundTrip(input, DecodeBeaconNonce, kEncode); },
     [] {
       return std::vector<Bytes>{Encode(BeaconNonce{1, 2, 3})};
     }},
    {"secure_share_pair",  // the plaintext that another site sealed for us
     [](ByteSpan input) { (void)DecodePair(input); }, [] { return std::vector<Bytes>{Bytes(kSharePairBytes)}; }},
    {"secure_transcript",
     [](ByteSpan input) {
       const StatusOr<ServerSession> server = ServerSession::FromTranscript(input);
       if (server.ok()) Require(server->Transcript() == Bytes(input.begin(), input.end()), "a transcript is canonical");
     },
     [] {
       std::vector<Bytes> seeds;
       for (const coordinator::Record& record : SomeRealRounds().records)
         if (const auto* began = std::get_if<coordinator::UnmaskingBegan>(&record)) seeds.push_back(began->transcript);
       return seeds;
     }},
};

}  // namespace

std::span<const Target> SecureSumTargets() { return kTargets; }

}  // namespace consilium::fuzz
