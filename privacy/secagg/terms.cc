#include "privacy/secagg/terms.h"

#include <cmath>
#include <set>

#include "privacy/secagg/neighbours.h"
#include "privacy/secagg/quantizer.h"
#include "privacy/secagg/thresholds.h"

namespace consilium::secagg {
namespace {

constexpr std::uint32_t kProtocolVersion = 2;  // 1 sealed shares for their session alone
constexpr double kDropoutRate = 0.1;           // that a k-regular graph is made for

void Put(ByteWriter& writer, const Digest& digest) { writer.PutRaw(digest.bytes); }

Digest GraphSeed(const SessionTerms& terms) {
  ByteWriter writer;
  writer.PutString("consilium secagg graph");
  for (const Member& member : terms.cohort) writer.PutString(member.name.value()), writer.PutRaw(member.key);
  Put(writer, terms.beacon);
  writer.PutString(terms.job.value());
  writer.Put(ToInt(terms.round));
  return Sha256Of(writer.bytes());
}

}  // namespace

Status CheckMembers(std::span<const Member> members) {
  std::set<crypto::RawPublicKey> keys;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const Member& member = members[i];
    if (i > 0 && !(members[i - 1].name < member.name))
      return InvalidArgument("the cohort is not in name order, or '", member.name, "' is in it twice");
    if (!keys.insert(member.key).second)
      return InvalidArgument("two sites of the cohort have the signing key of '", member.name, "'");
  }
  return Status();
}

Status CheckTerms(const SessionTerms& terms) {
  const std::size_t sites = terms.cohort.size();
  if (terms.min_cohort < 3)
    return InvalidArgument("a minimum cohort of ", terms.min_cohort, "; 3 is the least that hides a site");
  if (sites < terms.min_cohort)
    return InvalidArgument("a cohort of ", sites, " sites; at least ", terms.min_cohort, " are asked for");
  RETURN_IF_ERROR(CheckMembers(terms.cohort));
  if (terms.dimension == 0) return InvalidArgument("a vector without coordinates");
  RETURN_IF_ERROR(Quantizer::For(terms.clip, sites).status());
  if (terms.corrupt >= sites) return InvalidArgument(terms.corrupt, " corrupt of ", sites, " sites");
  return Status();
}

StatusOr<SessionShape> ShapeOf(const SessionTerms& terms) {
  RETURN_IF_ERROR(CheckTerms(terms));
  const std::size_t sites = terms.cohort.size();
  SessionShape shape;
  shape.complete = sites <= kCompleteMax;
  if (shape.complete) {
    ASSIGN_OR_RETURN(const CompleteThreshold threshold, ThresholdFor(sites, terms.corrupt));
    shape.degree = sites - 1;
    shape.threshold = threshold.threshold;
    shape.survivors_min = std::max<std::size_t>(threshold.threshold, terms.min_cohort);
  } else {
    const double corrupt = static_cast<double>(terms.corrupt) / static_cast<double>(sites);
    ASSIGN_OR_RETURN(const GraphParameters graph, FindGraph(sites, {.corrupt = corrupt, .dropout = kDropoutRate}));
    shape.degree = graph.degree;
    shape.threshold = graph.threshold;
    shape.survivors_min = std::max<std::size_t>(GraphSurvivorsMin(sites), terms.min_cohort);
  }
  ASSIGN_OR_RETURN(const auto graph, HararyGraph(sites, shape.degree, GraphSeed(terms)));
  for (const auto& row : graph) shape.neighbours.emplace_back(row.begin(), row.end());
  return shape;
}

Digest ContextOf(const SessionTerms& terms, const SessionShape& shape) {
  ByteWriter writer;
  writer.PutString("consilium secagg session");
  writer.Put(kProtocolVersion);
  writer.PutString(terms.job.value());
  writer.Put(ToInt(terms.round));
  writer.Put(ToInt(terms.attempt));
  writer.Put(static_cast<std::uint32_t>(terms.cohort.size()));
  for (const Member& member : terms.cohort) writer.PutString(member.name.value()), writer.PutRaw(member.key);
  for (const Digest* digest : {&terms.model, &terms.configuration, &terms.beacon, &terms.privacy}) Put(writer, *digest);
  writer.Put(terms.dimension);
  writer.Put(terms.clip);
  writer.Put(terms.corrupt);
  writer.Put(terms.min_cohort);
  writer.Put(terms.cipher);
  for (const std::size_t number : {shape.degree, shape.threshold, shape.survivors_min})
    writer.Put(static_cast<std::uint32_t>(number));
  return Sha256Of(writer.bytes());
}

}  // namespace consilium::secagg
