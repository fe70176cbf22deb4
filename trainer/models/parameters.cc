#include "trainer/models/parameters.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "trainer/models/torch_guard.h"

namespace consilium::trainer {
namespace {

// f32 parameters and buffers by name; std::map's order is the schema's.
std::map<std::string, torch::Tensor> FloatTensors(const torch::nn::Module& module) {
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& item : module.named_parameters())
    if (item.value().scalar_type() == torch::kFloat32) tensors[item.key()] = item.value();
  for (const auto& item : module.named_buffers())
    if (item.value().scalar_type() == torch::kFloat32) tensors[item.key()] = item.value();
  return tensors;
}

// `text` with every `from` replaced.
std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

std::string ShapeText(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t size : shape) text += Concat(text.empty() ? "[" : ", ", size);
  return text.empty() ? "[]" : text + "]";
}

struct Source {
  std::string name;  // as it stands in the file
  std::span<const float> values;
};

bool SameBits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

}  // namespace

std::string CanonicalName(const std::string& name) {
  constexpr std::string_view kSecondEncoder = "decoder.encoder.";
  std::string canonical = name.rfind(kSecondEncoder, 0) == 0 ? name.substr(std::string_view("decoder.").size()) : name;
  canonical = Replaced(std::move(canonical), ".all_modules.0.", ".conv.");
  return Replaced(std::move(canonical), ".all_modules.1.", ".norm.");
}

tensor::Schema SchemaOf(const torch::nn::Module& module) {
  std::vector<tensor::TensorSpec> specs;
  for (const auto& [name, value] : FloatTensors(module))
    specs.push_back({name, tensor::DType::kF32, value.sizes().vec()});
  StatusOr<tensor::Schema> schema = tensor::Schema::Create(std::move(specs));
  CONSILIUM_CHECK(schema.ok(), schema.status().message());  // names come from a map: neither twice nor empty
  return std::move(schema).value();
}

tensor::ParameterVector ExportParameters(const torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  StatusOr<tensor::ParameterVector> parameters =
      tensor::ParameterVector::Zeros(std::make_shared<const tensor::Schema>(SchemaOf(module)));
  CONSILIUM_CHECK(parameters.ok(), parameters.status().message());
  std::size_t i = 0;
  for (const auto& [name, value] : FloatTensors(module)) {
    const std::span<float> out = parameters->tensor(i++);
    if (out.empty()) continue;
    const torch::Tensor host = value.detach().to(torch::kCPU).contiguous();
    std::memcpy(out.data(), host.data_ptr<float>(), out.size_bytes());
  }
  return std::move(parameters).value();
}

Status ImportParameters(const tensor::ParameterVector& parameters, torch::nn::Module& module) {
  std::map<std::string, torch::Tensor> targets = FloatTensors(module);
  std::map<std::string, Source> sources;  // by canonical name
  const std::vector<tensor::TensorSpec>& specs = parameters.schema().tensors();
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const std::string& name = specs[i].name;
    const std::string canonical = targets.count(name) ? name : CanonicalName(name);
    const auto target = targets.find(canonical);
    if (target == targets.end())
      return InvalidArgument("tensor '", name, "' is not part of this model: was it made for another architecture?");
    if (target->second.sizes().vec() != specs[i].shape)
      return InvalidArgument("tensor '", name, "' has shape ", ShapeText(specs[i].shape), ", this model expects ",
                             ShapeText(target->second.sizes().vec()));
    const auto [other, is_new] = sources.try_emplace(canonical, Source{name, parameters.tensor(i)});
    if (!is_new && !SameBits(other->second.values, parameters.tensor(i)))
      return InvalidArgument("tensors '", other->second.name, "' and '", name,
                             "' are one and the same in this model, but their values differ");
  }
  for (const auto& [name, value] : targets)
    if (!sources.count(name)) return InvalidArgument("tensor '", name, "' is missing");

  return GuardTorch("copying weights into the model", [&] {
    const torch::NoGradGuard no_grad;
    for (auto& [name, value] : targets) {
      const std::span<const float> from = sources.at(name).values;
      if (from.empty()) continue;
      // from_blob wants a mutable pointer; it is only read.
      value.copy_(torch::from_blob(const_cast<float*>(from.data()), value.sizes(), torch::kFloat32));
    }
  });
}

}  // namespace consilium::trainer
