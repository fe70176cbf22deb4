// The arithmetic of federated averaging over one tile of a model: sum of share_i * update_i, in the order given (site
// names), in f64.
//
// McMahan et al., "Communication-efficient learning of deep networks from decentralized data", AISTATS 2017, Algorithm
// 1, with the weights themselves in place of deltas: one contributor has share exactly 1, so its values come out bit
// for bit (-0 included), and one site equals centralised training.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace consilium::coordinator {

// Weights count examples.  10^15 < 2^53, so they and their sum over up to 8 sites at the bound stay exact in f64.
inline constexpr double kWeightMax = 1e15;

// w_i / sum(w), each weight in (0, kWeightMax].
std::vector<double> SharesOf(std::span<const double> weights);

// All spans of one call have equal sizes.
void StartFold(double share, std::span<const float> values, std::span<double> sum);
void AddToFold(double share, std::span<const float> values, std::span<double> sum);
void FinishFold(std::span<const double> sum, std::span<float> out);

// The index of the first NaN or infinity.
std::optional<std::size_t> FirstNotFinite(std::span<const float> values);

}  // namespace consilium::coordinator
