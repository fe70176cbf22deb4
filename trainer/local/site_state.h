// What a site keeps of a job between two rounds, as one file: the optimizer's momentum, a method's own state, personal
// tensors, what compression lost.
//
// A safetensors file; tensor T of part P is called "P/T".  Metadata: "consilium.state" = "1" (version),
// "consilium.job" = SHA-256 of the resolved job.  Equal states are equal files, so work that is done again after a kill
// leaves the same bytes.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "comm/base/digest.h"
#include "comm/tensor/parameter_vector.h"

namespace consilium::trainer {

namespace state_part {
inline constexpr char kMomentum[] = "momentum";             // all of the model's tensors
inline constexpr char kControl[] = "control";               // SCAFFOLD's c_i, shared tensors
inline constexpr char kDynamics[] = "dynamics";             // FedDyn's h_i, shared tensors
inline constexpr char kResidual[] = "residual";             // error feedback of compression, shared tensors
inline constexpr char kPersonal[] = "personal";             // tensors that never leave the site
inline constexpr char kDitto[] = "ditto";                   // Ditto's personal model, all tensors
inline constexpr char kDittoMomentum[] = "ditto_momentum";  // and its optimizer's
}  // namespace state_part

// Value semantics.
class SiteState {
 public:
  // Errors: NotFound, Storage, DataLoss (no state file, or damaged: an unknown part, tensors that are not f32);
  // FailedPrecondition when another job or another version of this program wrote it.  Memory: what the file holds.
  static StatusOr<SiteState> Read(const std::filesystem::path& path, const Digest& job);
  // Durable when it returns.
  Status Write(const std::filesystem::path& path, const Digest& job) const;

  // Null when there is none yet.
  const tensor::ParameterVector* Find(const std::string& part) const;
  // The part with exactly this schema; zeros when there is none yet.  Errors: FailedPrecondition for another schema:
  // the state is of another model.
  StatusOr<tensor::ParameterVector> Take(const std::string& part, std::shared_ptr<const tensor::Schema> schema) const;
  void Set(const std::string& part, tensor::ParameterVector values) { parts_[part] = std::move(values); }

 private:
  std::map<std::string, tensor::ParameterVector> parts_;
};

}  // namespace consilium::trainer
