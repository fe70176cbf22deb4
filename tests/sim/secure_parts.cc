#include "secure_parts.h"

#include <algorithm>
#include <cstring>

namespace consilium::simtest {

crypto::SigningKey SigningKeyOf(const SiteName& site) {
  const Digest digest = Sha256Of(site.value());
  return crypto::SigningKey::FromSeed(SecretBytes(Bytes(digest.bytes.begin(), digest.bytes.end()))).value();
}

std::map<SiteName, crypto::RawPublicKey> RosterOf(const Scenario& scenario) {
  std::map<SiteName, crypto::RawPublicKey> roster;
  for (const SiteName& site : SitesOf(scenario)) roster[site] = SigningKeyOf(site).public_key();
  return roster;
}

StatusOr<Bytes> MaskInMemory(const client::MaskVector& action, const Model& delta) {
  Bytes words;
  RETURN_IF_ERROR(secagg::MaskVector(
                      *action.masks, *std::get<std::shared_ptr<const secagg::VectorInput>>(action.content),
                      [&](std::uint64_t begin, std::span<float> out) {
                        std::copy_n(delta.begin() + static_cast<std::ptrdiff_t>(begin), out.size(), out.begin());
                        return Status();
                      },
                      [&](std::span<const std::uint32_t> piece) {
                        const auto* bytes = reinterpret_cast<const std::uint8_t*>(piece.data());
                        words.insert(words.end(), bytes, bytes + piece.size_bytes());
                        return Status();
                      })
                      .status());
  return words;
}

StatusOr<Model> MeanInMemory(const coordinator::SecureFold& secure, const std::vector<Bytes>& vectors) {
  ASSIGN_OR_RETURN(secagg::ServerSession server, secagg::ServerSession::FromTranscript(secure.transcript));
  for (const auto& [site, bytes] : secure.releases) {
    ASSIGN_OR_RETURN(const secagg::ShareRelease release, secagg::DecodeShareRelease(bytes));
    RETURN_IF_ERROR(server.AddRelease(release));
  }
  ASSIGN_OR_RETURN(const secagg::Unmasking unmasking, server.Unmask());
  Model mean;
  RETURN_IF_ERROR(
      secagg::SumVectors(
          {.terms = server.terms(), .context = server.context(), .unmasking = &unmasking, .survivors = vectors.size()},
          [&](std::size_t i, std::uint64_t begin, std::span<std::uint32_t> out) {
            std::memcpy(out.data(), vectors[i].data() + 4 * begin, out.size_bytes());
            return Status();
          },
          [&](std::span<const float> piece) {
            mean.insert(mean.end(), piece.begin(), piece.end());
            return Status();
          })
          .status());
  return mean;
}

}  // namespace consilium::simtest
