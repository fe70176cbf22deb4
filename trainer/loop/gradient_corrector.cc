#include "trainer/loop/gradient_corrector.h"

#include <cstring>
#include <map>

#include "trainer/models/torch_guard.h"

namespace consilium::trainer {
namespace {

using torch::Tensor;

// Tensor number `i` of `vector` as a copy on the device of `like`.
Tensor CopyOf(const tensor::ParameterVector& vector, std::size_t i, const Tensor& like) {
  // from_blob wants a mutable pointer; it is only read.
  return torch::from_blob(const_cast<float*>(vector.tensor(i).data()), like.sizes(), torch::kFloat32)
      .to(like.device(), torch::kFloat32, /*non_blocking=*/false, /*copy=*/true);
}

Status CheckKnown(const tensor::ParameterVector& vector, const std::map<std::string, std::vector<std::int64_t>>& shapes,
                  const char* what) {
  for (const tensor::TensorSpec& spec : vector.schema().tensors()) {
    const auto found = shapes.find(spec.name);
    if (found == shapes.end()) return InvalidArgument(what, ": the model trains no tensor '", spec.name, "'");
    if (found->second != spec.shape) return InvalidArgument(what, ": tensor '", spec.name, "' has another shape");
  }
  return {};
}

}  // namespace

Status GradientCorrector::Set(GradientCorrection correction) {
  std::map<std::string, std::vector<std::int64_t>> shapes;
  std::map<std::string, std::size_t> at;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    shapes[parameters_[i].first] = parameters_[i].second.sizes().vec();
    at[parameters_[i].first] = i;
  }
  const bool pulls = correction.pull != 0 && correction.anchor;
  if (pulls) RETURN_IF_ERROR(CheckKnown(*correction.anchor, shapes, "the weights that training is pulled to"));
  if (correction.shift) RETURN_IF_ERROR(CheckKnown(*correction.shift, shapes, "the correction of the gradients"));
  return GuardTorch("preparing the correction of gradients", [&] {
    std::vector<Item> items;
    for (const auto& [name, parameter] : parameters_) items.push_back({.parameter = parameter});
    const auto place = [&](const tensor::ParameterVector& vector, Tensor Item::*member) {
      for (std::size_t i = 0; i < vector.schema().tensors().size(); ++i) {
        Item& item = items[at.at(vector.schema().tensors()[i].name)];
        item.*member = CopyOf(vector, i, item.parameter);
      }
    };
    if (pulls) place(*correction.anchor, &Item::anchor);
    if (correction.shift) place(*correction.shift, &Item::shift);
    if (correction.record == GradientCorrection::Record::kMeanGradient)
      for (Item& item : items) item.sum = torch::zeros_like(item.parameter);
    items_ = std::move(items);
    correction_ = std::move(correction);
    recorded_ = 0;
  });
}

void GradientCorrector::Apply() {
  const torch::NoGradGuard no_grad;
  for (Item& item : items_) {
    Tensor gradient = item.parameter.grad();
    if (!gradient.defined()) continue;
    if (item.sum.defined()) item.sum.add_(gradient);
    if (item.anchor.defined()) gradient.add_(item.parameter - item.anchor, correction_.pull);
    if (item.shift.defined()) gradient.add_(item.shift);
  }
  ++recorded_;
}

tensor::ParameterVector GradientCorrector::MeanGradient() const {
  std::vector<tensor::TensorSpec> specs;
  std::map<std::string, Tensor> sums;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    specs.push_back({parameters_[i].first, tensor::DType::kF32, parameters_[i].second.sizes().vec()});
    if (i < items_.size()) sums[parameters_[i].first] = items_[i].sum;
  }
  const StatusOr<tensor::Schema> schema = tensor::Schema::Create(std::move(specs));
  CONSILIUM_CHECK(schema.ok(), schema.status().message());  // a module's names are unique
  StatusOr<tensor::ParameterVector> mean =
      tensor::ParameterVector::Zeros(std::make_shared<const tensor::Schema>(*schema));
  CONSILIUM_CHECK(mean.ok(), mean.status().message());
  for (std::size_t i = 0; i < mean->schema().tensors().size() && recorded_ > 0; ++i) {
    const Tensor sum = sums[mean->schema().tensors()[i].name];
    if (!sum.defined()) continue;
    const Tensor host = (sum / static_cast<double>(recorded_)).to(torch::kCPU).contiguous();
    std::memcpy(mean->tensor(i).data(), host.data_ptr<float>(), mean->tensor(i).size_bytes());
  }
  return std::move(mean).value();
}

// The tensors that a vector has differ from the model's by the personal parts: one flag a tensor says which are there.
Status ShareCorrection(collective::Communicator& gang, const tensor::Schema& schema, GradientCorrection* correction) {
  if (gang.world() == 1) return {};
  const auto record = static_cast<double>(correction->record);
  Tensor head = torch::tensor({correction->pull, record}, torch::kFloat64);
  RETURN_IF_ERROR(gang.Broadcast(head, /*root=*/0, "sharing the correction of gradients"));
  correction->pull = head[0].item<double>();
  correction->record = static_cast<GradientCorrection::Record>(head[1].item<double>());
  const std::vector<tensor::TensorSpec>& all = schema.tensors();
  for (std::optional<tensor::ParameterVector>* vector : {&correction->anchor, &correction->shift}) {
    Tensor there = torch::zeros({static_cast<std::int64_t>(all.size())}, torch::kInt64);
    for (std::size_t i = 0; i < all.size() && *vector; ++i)
      for (const tensor::TensorSpec& spec : (*vector)->schema().tensors())
        if (spec.name == all[i].name) there[static_cast<std::int64_t>(i)] = 1;
    RETURN_IF_ERROR(gang.Broadcast(there, /*root=*/0, "sharing the correction of gradients"));
    if (gang.rank() != 0) {
      std::vector<tensor::TensorSpec> specs;
      for (std::size_t i = 0; i < all.size(); ++i)
        if (there[static_cast<std::int64_t>(i)].item<std::int64_t>() == 1) specs.push_back(all[i]);
      vector->reset();
      if (specs.empty()) continue;
      ASSIGN_OR_RETURN(const tensor::Schema part, tensor::Schema::Create(std::move(specs)));
      ASSIGN_OR_RETURN(*vector, tensor::ParameterVector::Zeros(std::make_shared<const tensor::Schema>(part)));
    }
    if (!*vector) continue;
    Tensor values = torch::from_blob((*vector)->values().data(),
                                     {static_cast<std::int64_t>((*vector)->values().size())}, torch::kFloat32);
    RETURN_IF_ERROR(gang.Broadcast(values, /*root=*/0, "sharing the correction of gradients"));
  }
  return {};
}

}  // namespace consilium::trainer
