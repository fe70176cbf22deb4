#include "coordinator/service/secure_mean.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "comm/base/descriptor.h"
#include "comm/tensor/safetensors.h"
#include "comm/wire/shared_schema.h"
#include "coordinator/service/ordered_tiles.h"
#include "privacy/private_sum/noisy_vector.h"

namespace consilium::coordinator {
namespace {

StatusOr<tensor::Schema> SharedOf(const std::filesystem::path& model, const std::vector<std::string>& personal) {
  ASSIGN_OR_RETURN(const tensor::SafetensorsFile file, tensor::SafetensorsFile::Open(model));
  return wire::SharedSchema(file.schema(), personal);
}

// The protocol's refusals are final: the same vectors and shares give the same again.
Status AsFinal(const Status& status) {
  return status.ok() || status.code() == StatusCode::kStorage ? status : FailedPrecondition(status.message());
}

// The plan that the sites went by.
StatusOr<private_sum::NoisePlan> PlanOf(const SecureMeanRequest& request, const secagg::SessionTerms& terms,
                                        const tensor::Schema& shared) {
  ASSIGN_OR_RETURN(const private_sum::NoisePlan plan,
                   private_sum::PlanFor({.spec = request.site_privacy,
                                         .rounds = request.rounds,
                                         .elements = static_cast<std::uint64_t>(shared.elements())},
                                        terms));
  if (plan.digest() != terms.privacy)
    return FailedPrecondition("the sites' noise was agreed on by another build, which counts it differently");
  return plan;
}

}  // namespace

StatusOr<std::uint64_t> SharedElements(const std::filesystem::path& model, const std::vector<std::string>& personal) {
  ASSIGN_OR_RETURN(const tensor::Schema shared, SharedOf(model, personal));
  return static_cast<std::uint64_t>(shared.elements());
}

StatusOr<SecureMean> WriteSecureMean(const SecureMeanRequest& request) {
  UnmaskingBegan began{.transcript = request.secure.transcript};
  ASSIGN_OR_RETURN(secagg::ServerSession server, secagg::ServerSession::FromTranscript(began.transcript));
  for (const auto& [site, bytes] : request.secure.releases) {
    ASSIGN_OR_RETURN(const secagg::ShareRelease release, secagg::DecodeShareRelease(bytes));
    RETURN_IF_ERROR(server.AddRelease(release));
  }
  StatusOr<secagg::Unmasking> unmasking = server.Unmask();
  if (!unmasking.ok()) return AsFinal(unmasking.status());

  ASSIGN_OR_RETURN(const tensor::Schema shared, SharedOf(request.model, request.personal));
  std::vector<InputFile> vectors;
  for (const secagg::Place place : server.survivors()) {
    const SiteName& site = server.terms().cohort[place].name;
    const auto found = std::ranges::find(request.contributions, site, &Contribution::site);
    if (found == request.contributions.end())
      return DataLoss("the vector of ", site, " is not among the contributions");
    ASSIGN_OR_RETURN(InputFile file, InputFile::Open(request.path_of(found->update.digest)));
    vectors.push_back(std::move(file));
  }
  ASSIGN_OR_RETURN(tensor::SafetensorsWriter writer,
                   tensor::SafetensorsWriter::Create(
                       request.output, shared, {{"consilium.update", "delta"}, {"consilium.compression", "none"}}));
  const secagg::SumInput input = {.terms = server.terms(),
                                  .context = server.context(),
                                  .unmasking = &*unmasking,
                                  .survivors = vectors.size(),
                                  .threads = static_cast<unsigned>(FoldThreads(request.threads))};
  const auto read = [&](std::size_t survivor, std::uint64_t begin, std::span<std::uint32_t> out) {
    return vectors[survivor].Read(begin * sizeof(std::uint32_t),
                                  {reinterpret_cast<std::uint8_t*>(out.data()), out.size_bytes()});
  };
  const auto write = [&](std::span<const float> means) {
    return writer.Append({reinterpret_cast<const std::uint8_t*>(means.data()), means.size_bytes()});
  };
  SecureMean mean{.notes = Json::object(), .sites = vectors.size(), .share_below = {}};
  if (request.site_privacy.enabled) {
    ASSIGN_OR_RETURN(const private_sum::NoisePlan plan, PlanOf(request, server.terms(), shared));
    const StatusOr<private_sum::NoisySum> sum =
        private_sum::ReadNoisySum(input, plan, server.terms().clip, read, write);
    if (!sum.ok()) return AsFinal(sum.status());
    mean.notes["secure_weight"] = vectors.size();
    mean.share_below = sum->share_below;
  } else {
    const StatusOr<secagg::SumResult> sum = secagg::SumVectors(input, read, write);
    if (!sum.ok()) return AsFinal(sum.status());
    mean.notes["secure_weight"] = sum->weight;
    for (const auto& [name, value] : sum->metrics) mean.notes[name] = value;
  }
  RETURN_IF_ERROR(writer.Commit());
  std::string liars;
  for (const secagg::Place place : unmasking->liars)
    liars += (liars.empty() ? "" : ", ") + server.terms().cohort[place].name.value();
  if (!liars.empty()) mean.notes["liars"] = liars;
  return mean;
}

StatusOr<GroupMeans> WriteGroupMeans(SecureMeanRequest request, const std::vector<SecureFold>& groups,
                                     std::size_t groups_min) {
  GroupMeans means{.contributions = {}, .notes = {{"groups", Json::array()}}};
  const std::filesystem::path folder = request.output.parent_path();
  struct Mean {
    double value = 0, weight = 0;
  };
  std::map<std::string, Mean> metrics;
  double total = 0;
  std::string liars, last;
  for (const SecureFold& group : groups) {
    const std::string name = Concat("group-", group.group + 1);
    request.secure = group;
    request.output = folder / ("secure-mean-" + name + ".safetensors");
    Json line = {{"group", group.group + 1}};
    const StatusOr<SecureMean> mean = WriteSecureMean(request);
    if (!mean.ok() && mean.code() != StatusCode::kFailedPrecondition) return mean.status();
    if (!mean.ok()) {
      line["left_out"] = last = mean.status().message();
      means.notes["groups"].push_back(std::move(line));
      continue;
    }
    // A site that writes a false weight into its vector changes its group's mean and no other's; nobody weighs more
    // than 1, so neither does its group gain a voice by it.
    const double weight = std::min(mean->notes["secure_weight"].get<double>(), static_cast<double>(mean->sites));
    line["sites"] = mean->sites, line["weight"] = weight;
    for (const secagg::SummedMetric& metric : secagg::kMetrics) {
      const std::string key(metric.name);
      if (!mean->notes.contains(key)) continue;
      line[key] = mean->notes[key];
      metrics[key].value += weight * mean->notes[key].get<double>(), metrics[key].weight += weight;
    }
    if (mean->notes.contains("liars")) liars += (liars.empty() ? "" : ", ") + mean->notes["liars"].get<std::string>();
    means.notes["groups"].push_back(std::move(line));
    means.contributions.push_back(
        {.site = SiteName(name), .update = request.output, .base = request.model, .weight = weight});
    total += weight;
  }
  if (means.contributions.size() < groups_min)
    return FailedPrecondition("only ", means.contributions.size(), " groups' sums can be had, ", groups_min,
                              " are needed: ", last);
  means.notes["secure_weight"] = total;
  for (const auto& [key, mean] : metrics) means.notes[key] = mean.value / mean.weight;
  if (!liars.empty()) means.notes["liars"] = liars;
  return means;
}

}  // namespace consilium::coordinator
