#include "trainer/local/vector_math.h"

#include <algorithm>
#include <map>

namespace consilium::trainer {
namespace {

// For each tensor of `part` its number in `whole`.
StatusOr<std::vector<std::size_t>> PlacesOf(const tensor::Schema& part, const tensor::Schema& whole) {
  std::map<std::string_view, std::size_t> numbers;
  for (std::size_t i = 0; i < whole.tensors().size(); ++i) numbers[whole.tensors()[i].name] = i;
  std::vector<std::size_t> places;
  for (const tensor::TensorSpec& spec : part.tensors()) {
    const auto found = numbers.find(spec.name);
    if (found == numbers.end()) return InvalidArgument("tensor '", spec.name, "' is missing");
    if (!(whole.tensors()[found->second] == spec))
      return InvalidArgument("tensor '", spec.name, "' has another shape or type");
    places.push_back(found->second);
  }
  return places;
}

}  // namespace

tensor::ParameterVector Difference(const tensor::ParameterVector& a, const tensor::ParameterVector& b) {
  tensor::ParameterVector difference = a;
  const std::span<float> out = difference.values();
  const std::span<const float> subtrahend = b.values();
  for (std::size_t i = 0; i < out.size(); ++i) out[i] -= subtrahend[i];
  return difference;
}

void AddScaled(tensor::ParameterVector* sum, const tensor::ParameterVector& x, float factor) {
  const std::span<float> out = sum->values();
  const std::span<const float> values = x.values();
  for (std::size_t i = 0; i < out.size(); ++i) out[i] += factor * values[i];
}

bool IsZero(const tensor::ParameterVector& x) {
  return std::all_of(x.values().begin(), x.values().end(), [](float value) { return value == 0; });
}

StatusOr<tensor::ParameterVector> Selected(const tensor::ParameterVector& whole,
                                           std::shared_ptr<const tensor::Schema> part) {
  ASSIGN_OR_RETURN(const std::vector<std::size_t> places, PlacesOf(*part, whole.schema()));
  ASSIGN_OR_RETURN(tensor::ParameterVector selected, tensor::ParameterVector::Zeros(std::move(part)));
  for (std::size_t i = 0; i < places.size(); ++i) {
    const std::span<const float> values = whole.tensor(places[i]);
    std::copy(values.begin(), values.end(), selected.tensor(i).begin());
  }
  return selected;
}

Status Overlay(const tensor::ParameterVector& part, tensor::ParameterVector* whole) {
  ASSIGN_OR_RETURN(const std::vector<std::size_t> places, PlacesOf(part.schema(), whole->schema()));
  for (std::size_t i = 0; i < places.size(); ++i) {
    const std::span<const float> values = part.tensor(i);
    std::copy(values.begin(), values.end(), whole->tensor(places[i]).begin());
  }
  return {};
}

}  // namespace consilium::trainer
