#include "trainer/local/personal_parts.h"

#include <set>

#include "comm/wire/shared_schema.h"
#include "trainer/local/vector_math.h"

namespace consilium::trainer {

StatusOr<ModelParts> SplitModel(const tensor::Schema& model, const std::vector<std::string>& personal) {
  ASSIGN_OR_RETURN(tensor::Schema shared, wire::SharedSchema(model, personal));
  std::set<std::string> travel;
  for (const tensor::TensorSpec& spec : shared.tensors()) travel.insert(spec.name);
  std::vector<tensor::TensorSpec> stay;
  for (const tensor::TensorSpec& spec : model.tensors())
    if (!travel.contains(spec.name)) stay.push_back(spec);
  ASSIGN_OR_RETURN(tensor::Schema kept, tensor::Schema::Create(std::move(stay)));
  return ModelParts{std::make_shared<const tensor::Schema>(model),
                    std::make_shared<const tensor::Schema>(std::move(shared)),
                    std::make_shared<const tensor::Schema>(std::move(kept))};
}

StatusOr<tensor::ParameterVector> AssembleModel(const tensor::ParameterVector& received,
                                                const tensor::ParameterVector& initial, const ModelParts& parts,
                                                const SiteState& state) {
  if (parts.personal->tensors().empty()) return received;
  RETURN_IF_ERROR(Annotate(Selected(received, parts.shared).status(), "the received model"));
  tensor::ParameterVector whole = initial;
  RETURN_IF_ERROR(Annotate(Overlay(received, &whole), "the received model"));
  if (state.Find(state_part::kPersonal) != nullptr) {
    ASSIGN_OR_RETURN(const tensor::ParameterVector own, state.Take(state_part::kPersonal, parts.personal));
    RETURN_IF_ERROR(Overlay(own, &whole));
  }
  return whole;
}

}  // namespace consilium::trainer
