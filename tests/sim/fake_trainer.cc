#include "fake_trainer.h"

#include <cstring>

#include "comm/base/digest.h"
#include "comm/base/rng.h"

namespace consilium::simtest {

Bytes BytesOf(const Model& model) {
  Bytes bytes(model.size() * sizeof(float));
  std::memcpy(bytes.data(), model.data(), bytes.size());
  return bytes;
}

Model ModelOf(ByteSpan bytes) {
  Model model(bytes.size() / sizeof(float));
  std::memcpy(model.data(), bytes.data(), model.size() * sizeof(float));
  return model;
}

Model InitialModel(const Scenario& scenario) {
  Model model(scenario.model_values);
  for (std::size_t i = 0; i < model.size(); ++i) model[i] = 0.5f * static_cast<float>(i) - 1.0f;
  return model;
}

TrainedModel Train(const Model& model, const SiteName& site, Round round, const std::string& state) {
  TrainedModel trained{.update = model};
  const Digest kept = Sha256Of(Concat(state, "|", site, "|", round));
  std::uint64_t seed = 0;
  std::memcpy(&seed, kept.bytes.data(), sizeof seed);
  Rng rng(seed);
  for (float& value : trained.update) value += static_cast<float>(rng.Uniform(-1, 1));
  trained.weight = static_cast<double>(1 + rng.Below(50));
  trained.state = kept.ToHex();
  return trained;
}

Model MeanOf(const std::vector<std::pair<const Model*, double>>& updates) {
  double total = 0;
  for (const auto& [update, weight] : updates) total += weight;
  Model mean(updates.front().first->size());
  for (std::size_t i = 0; i < mean.size(); ++i) {
    double sum = 0;
    for (const auto& [update, weight] : updates) sum += weight / total * static_cast<double>((*update)[i]);
    mean[i] = static_cast<float>(sum);
  }
  return mean;
}

Model UndisturbedResult(const Scenario& scenario) {
  Model model = InitialModel(scenario);
  std::map<SiteName, std::string> states;
  for (std::uint32_t round = 0; round < scenario.rounds; ++round) {
    std::map<SiteName, TrainedModel> trained;
    std::vector<std::pair<const Model*, double>> updates;
    for (const SiteName& site : SitesOf(scenario)) {
      trained[site] = Train(model, site, Round{round}, states[site]);
      states[site] = trained[site].state;
      updates.emplace_back(&trained[site].update, scenario.weighting == "equal" ? 1.0 : trained[site].weight);
    }
    model = MeanOf(updates);
  }
  return model;
}

}  // namespace consilium::simtest
