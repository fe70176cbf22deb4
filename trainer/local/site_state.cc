#include "trainer/local/site_state.h"

#include <algorithm>

#include "comm/tensor/safetensors.h"

namespace consilium::trainer {
namespace {

constexpr char kVersionKey[] = "consilium.state", kVersion[] = "1", kJobKey[] = "consilium.job";
constexpr const char* kParts[] = {state_part::kMomentum,     state_part::kControl,  state_part::kDynamics,
                                  state_part::kResidual,     state_part::kPersonal, state_part::kDitto,
                                  state_part::kDittoMomentum};
constexpr char kMend[] =
    "; if the site was upgraded or the job replaced, remove the job's folder below the client's state folder";

Status CheckOrigin(const tensor::Metadata& metadata, const Digest& job) {
  const auto value = [&](const char* key) {
    const auto found = metadata.find(key);
    return found == metadata.end() ? std::string() : found->second;
  };
  if (value(kVersionKey).empty()) return DataLoss("this is no site's state (no metadata '", kVersionKey, "')");
  if (value(kVersionKey) != kVersion)
    return FailedPrecondition("state of version ", value(kVersionKey), ", this program reads ", kVersion, kMend);
  if (value(kJobKey) != job.ToHex())
    return FailedPrecondition("state of another job (", value(kJobKey).substr(0, 12), ", this one is ",
                              job.ToHex().substr(0, 12), ")", kMend);
  return {};
}

}  // namespace

StatusOr<SiteState> SiteState::Read(const std::filesystem::path& path, const Digest& job) {
  ASSIGN_OR_RETURN(const tensor::SafetensorsFile file, tensor::SafetensorsFile::Open(path));
  RETURN_IF_ERROR(Annotate(CheckOrigin(file.metadata(), job), path.string()));
  std::map<std::string, std::vector<tensor::TensorSpec>> specs;
  for (const tensor::TensorSpec& spec : file.schema().tensors()) {
    const std::size_t slash = spec.name.find('/');
    const std::string part = spec.name.substr(0, slash);
    if (slash == std::string::npos || std::find(std::begin(kParts), std::end(kParts), part) == std::end(kParts))
      return DataLoss(path.string(), ": tensor '", spec.name, "' belongs to no known part of a site's state");
    specs[part].push_back({spec.name.substr(slash + 1), spec.dtype, spec.shape});
  }
  SiteState state;
  for (auto& [part, tensors] : specs) {
    StatusOr<tensor::Schema> schema = tensor::Schema::Create(std::move(tensors));
    if (!schema.ok()) return DataLoss(path.string(), ": part '", part, "': ", schema.status().message());
    auto values = tensor::ParameterVector::Zeros(std::make_shared<const tensor::Schema>(*std::move(schema)));
    if (!values.ok()) return DataLoss(path.string(), ": part '", part, "': ", values.status().message());
    state.parts_[part] = *std::move(values);
  }
  // Within a part the file's name order is the part's, because all its names share a prefix.
  std::map<std::string, std::size_t> next;
  for (std::size_t i = 0; i < file.schema().tensors().size(); ++i) {
    const std::string& name = file.schema().tensors()[i].name;
    const std::string part = name.substr(0, name.find('/'));
    const std::span<float> values = state.parts_[part].tensor(next[part]++);
    RETURN_IF_ERROR(file.Read(i, 0, {reinterpret_cast<std::uint8_t*>(values.data()), values.size_bytes()}));
  }
  return state;
}

Status SiteState::Write(const std::filesystem::path& path, const Digest& job) const {
  std::vector<tensor::TensorSpec> specs;
  std::map<std::string, std::span<const float>> values;
  for (const auto& [part, vector] : parts_)
    for (std::size_t i = 0; i < vector.schema().tensors().size(); ++i) {
      tensor::TensorSpec spec = vector.schema().tensors()[i];
      spec.name = part + "/" + spec.name;
      values[spec.name] = vector.tensor(i);
      specs.push_back(std::move(spec));
    }
  ASSIGN_OR_RETURN(const tensor::Schema schema, tensor::Schema::Create(std::move(specs)));
  ASSIGN_OR_RETURN(tensor::SafetensorsWriter writer,
                   tensor::SafetensorsWriter::Create(path, schema, {{kVersionKey, kVersion}, {kJobKey, job.ToHex()}}));
  for (const tensor::TensorSpec& spec : schema.tensors()) {
    const std::span<const float> one = values.at(spec.name);
    RETURN_IF_ERROR(writer.Append({reinterpret_cast<const std::uint8_t*>(one.data()), one.size_bytes()}));
  }
  return writer.Commit();
}

const tensor::ParameterVector* SiteState::Find(const std::string& part) const {
  const auto found = parts_.find(part);
  return found == parts_.end() ? nullptr : &found->second;
}

StatusOr<tensor::ParameterVector> SiteState::Take(const std::string& part,
                                                  std::shared_ptr<const tensor::Schema> schema) const {
  const tensor::ParameterVector* values = Find(part);
  if (values == nullptr) return tensor::ParameterVector::Zeros(std::move(schema));
  if (const Status same = schema->CheckSame(values->schema()); !same.ok())
    return FailedPrecondition("the site's '", part, "' is of another model: ", same.message(), kMend);
  return *values;
}

}  // namespace consilium::trainer
