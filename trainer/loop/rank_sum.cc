#include "trainer/loop/rank_sum.h"

#include <stdexcept>

namespace consilium::trainer {
namespace {

class Sum final : public torch::autograd::Function<Sum> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               std::int64_t communicator, double backward_scale, std::int64_t failure) {
    context->saved_data["scale"] = backward_scale;
    torch::Tensor y = x.detach().clone();
    Status& status = *reinterpret_cast<Status*>(failure);
    status = reinterpret_cast<collective::Communicator*>(communicator)->AllReduceSum(y, "summing overlaps for Dice");
    if (!status.ok()) throw std::runtime_error(status.message());
    return y;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    return {gradients[0] * context->saved_data["scale"].toDouble(), {}, {}, {}};
  }
};

}  // namespace

torch::Tensor SumOverRanks(const torch::Tensor& x, collective::Communicator& communicator, double backward_scale,
                           Status* failure) {
  // Function::apply carries plain values only; pointers go as integers, and are used before it returns.
  return Sum::apply(x, reinterpret_cast<std::int64_t>(&communicator), backward_scale,
                    reinterpret_cast<std::int64_t>(failure));
}

}  // namespace consilium::trainer
