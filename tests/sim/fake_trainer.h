// What a trainer makes of a model, without training: a pure function, so that the whole job's result can be written
// down without running it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "scenario.h"

namespace consilium::simtest {

using Model = std::vector<float>;

Bytes BytesOf(const Model& model);
Model ModelOf(ByteSpan bytes);
Model InitialModel(const Scenario& scenario);

struct TrainedModel {
  Model update;
  double weight = 1;  // examples, 1 to 50
  std::string state;  // what the site keeps for its next round
};

// Depends on all that training may depend on: the model, the site, the round, and the state that the site kept from
// its earlier rounds ("" for none).  A lost or swapped state shows in the weights.
TrainedModel Train(const Model& model, const SiteName& site, Round round, const std::string& state);

// The weighted mean in f64, summed in the order given; written without the product's fold, to judge it.
Model MeanOf(const std::vector<std::pair<const Model*, double>>& updates);

// What a job in which every site contributes to every round must end with.
Model UndisturbedResult(const Scenario& scenario);

}  // namespace consilium::simtest
