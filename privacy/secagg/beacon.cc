#include "privacy/secagg/beacon.h"

#include <cstring>

namespace consilium::secagg {
namespace {

constexpr std::uint32_t kBeaconVersion = 1;
constexpr std::size_t kNameBytesMax = 256;

ByteWriter Start(std::string_view tag, const Digest& context) {
  ByteWriter writer;
  writer.PutString(tag);
  writer.PutRaw(context.bytes);
  return writer;
}

Digest CommitmentOf(const Digest& context, const SiteName& site, const BeaconNonce& nonce) {
  ByteWriter writer = Start("consilium secagg beacon nonce", context);
  writer.PutString(site.value());
  writer.PutRaw(nonce);
  return Sha256Of(writer.bytes());
}

Bytes SignedBytes(const Digest& context, const SiteName& site, const Digest& commitment) {
  ByteWriter writer = Start("consilium secagg beacon commit", context);
  writer.PutString(site.value());
  writer.PutRaw(commitment.bytes);
  return std::move(writer).Take();
}

void Put(ByteWriter& writer, const BeaconCommitment& commitment) {
  writer.PutRaw(commitment.commitment.bytes);
  writer.PutRaw(commitment.signature);
}

template <std::size_t N>
void Get(ByteReader& reader, std::array<std::uint8_t, N>& bytes) {
  const ByteSpan raw = reader.GetRaw(N);
  if (raw.size() == N) std::memcpy(bytes.data(), raw.data(), N);
}
void Get(ByteReader& reader, BeaconCommitment& commitment) {
  Get(reader, commitment.commitment.bytes);
  Get(reader, commitment.signature);
}

constexpr std::size_t kCommitmentBytes = sizeof(Digest::bytes) + sizeof(crypto::Signature);

// None, or one of each of `sites`.
template <typename T>
void GetEach(ByteReader& reader, std::size_t bytes_each, std::size_t sites, std::vector<T>& each) {
  const std::uint32_t count = reader.GetCount(bytes_each);
  if (count != 0 && count != sites) return reader.Fail(Concat(count, " for ", sites, " sites"));
  each.resize(reader.status().ok() ? count : 0);
  for (T& one : each) Get(reader, one);
}

}  // namespace

Status CheckBeaconTerms(const BeaconTerms& terms) {
  if (terms.sites.size() < terms.min_cohort)
    return InvalidArgument("a beacon of ", terms.sites.size(), " sites; at least ", terms.min_cohort, " are asked for");
  return CheckMembers(terms.sites);
}

Digest ContextOf(const BeaconTerms& terms) {
  ByteWriter writer;
  writer.PutString("consilium secagg beacon");
  writer.Put(kBeaconVersion);
  writer.PutString(terms.job.value());
  writer.Put(ToInt(terms.round));
  writer.Put(terms.attempt);
  writer.PutRaw(terms.configuration.bytes);
  writer.Put(static_cast<std::uint32_t>(terms.sites.size()));
  for (const Member& site : terms.sites) writer.PutString(site.name.value()), writer.PutRaw(site.key);
  return Sha256Of(writer.bytes());
}

BeaconCommitment CommitTo(const Digest& context, const SiteName& site, const BeaconNonce& nonce,
                          const crypto::SigningKey& signing) {
  const Digest commitment = CommitmentOf(context, site, nonce);
  return {commitment, signing.Sign(SignedBytes(context, site, commitment))};
}

Status CheckCommitment(const Digest& context, const Member& site, const BeaconCommitment& commitment) {
  if (crypto::Verify(site.key, SignedBytes(context, site.name, commitment.commitment), commitment.signature))
    return Status();
  return Unauthenticated("the commitment of '", site.name, "' is not signed by it for this beacon");
}

Status CheckNonce(const Digest& context, const SiteName& site, const BeaconCommitment& commitment,
                  const BeaconNonce& nonce) {
  if (CommitmentOf(context, site, nonce) == commitment.commitment) return Status();
  return Unauthenticated("the nonce of '", site, "' is not the one that it committed to");
}

Digest DigestOf(const Digest& context, std::span<const BeaconCommitment> commitments) {
  ByteWriter writer = Start("consilium secagg beacon commitments", context);
  writer.Put(static_cast<std::uint32_t>(commitments.size()));
  for (const BeaconCommitment& one : commitments) writer.PutRaw(one.commitment.bytes);
  return Sha256Of(writer.bytes());
}

StatusOr<Beacon> BeaconOf(const BeaconTerms& terms, std::span<const BeaconCommitment> commitments,
                          std::span<const BeaconNonce> nonces) {
  const std::size_t sites = terms.sites.size();
  if (commitments.size() != sites || nonces.size() != sites)
    return InvalidArgument(commitments.size(), " commitments and ", nonces.size(), " nonces of ", sites,
                           " sites; a beacon is made of all");
  const Digest context = ContextOf(terms);
  ByteWriter writer = Start("consilium secagg beacon value", context);
  Beacon beacon;
  for (std::size_t i = 0; i < sites; ++i) {
    RETURN_IF_ERROR(CheckNonce(context, terms.sites[i].name, commitments[i], nonces[i]));
    writer.PutRaw(nonces[i]);
    beacon.sites.push_back(terms.sites[i].name);
  }
  beacon.value = Sha256Of(writer.bytes());
  return beacon;
}

Bytes Encode(const BeaconNotice& notice) {
  ByteWriter writer;
  writer.Put(static_cast<std::uint32_t>(notice.sites.size()));
  for (const SiteName& site : notice.sites) writer.PutString(site.value());
  writer.Put(static_cast<std::uint32_t>(notice.commitments.size()));
  for (const BeaconCommitment& commitment : notice.commitments) Put(writer, commitment);
  writer.Put(static_cast<std::uint32_t>(notice.nonces.size()));
  for (const BeaconNonce& nonce : notice.nonces) writer.PutRaw(nonce);
  return std::move(writer).Take();
}

StatusOr<BeaconNotice> DecodeBeaconNotice(ByteSpan bytes) {
  ByteReader reader(bytes);
  BeaconNotice notice;
  const std::uint32_t count = reader.GetCount(sizeof(std::uint32_t));
  for (std::uint32_t i = 0; i < count && reader.status().ok(); ++i)
    notice.sites.emplace_back(reader.GetString(kNameBytesMax));
  GetEach(reader, kCommitmentBytes, notice.sites.size(), notice.commitments);
  GetEach(reader, sizeof(BeaconNonce), notice.commitments.size(), notice.nonces);
  RETURN_IF_ERROR(reader.Finish());
  return notice;
}

Bytes Encode(const BeaconCommitment& commitment) {
  ByteWriter writer;
  Put(writer, commitment);
  return std::move(writer).Take();
}

StatusOr<BeaconCommitment> DecodeBeaconCommitment(ByteSpan bytes) {
  ByteReader reader(bytes);
  BeaconCommitment commitment;
  Get(reader, commitment);
  RETURN_IF_ERROR(reader.Finish());
  return commitment;
}

Bytes Encode(const BeaconNonce& nonce) { return {nonce.begin(), nonce.end()}; }

StatusOr<BeaconNonce> DecodeBeaconNonce(ByteSpan bytes) {
  ByteReader reader(bytes);
  BeaconNonce nonce{};
  Get(reader, nonce);
  RETURN_IF_ERROR(reader.Finish());
  return nonce;
}

}  // namespace consilium::secagg
