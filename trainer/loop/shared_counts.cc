#include "trainer/loop/shared_counts.h"

#include <torch/torch.h>

namespace consilium::trainer {
namespace {

constexpr std::int64_t kCounts = 4;  // true/false positive, false negative, true negative

}  // namespace

Status ShareCounts(collective::Communicator& gang, std::size_t labels, CountsByCase* rows) {
  if (rows->empty() || gang.world() == 1) return {};
  torch::Tensor table = torch::zeros(
      {static_cast<std::int64_t>(rows->size()), static_cast<std::int64_t>(labels), kCounts}, torch::kInt64);
  auto* at = table.data_ptr<std::int64_t>();
  const std::size_t width = labels * kCounts;
  for (std::size_t row = 0; row < rows->size(); ++row)
    for (std::size_t label = 0; label < (*rows)[row].size(); ++label) {
      const LabelCounts& one = (*rows)[row][label];
      std::int64_t* cell = at + row * width + label * kCounts;
      cell[0] = one.true_positive, cell[1] = one.false_positive;
      cell[2] = one.false_negative, cell[3] = one.true_negative;
    }
  RETURN_IF_ERROR(gang.AllReduceSum(table, "sharing the counts of predicted cases"));
  at = table.data_ptr<std::int64_t>();
  for (std::size_t row = 0; row < rows->size(); ++row) {
    (*rows)[row].clear();
    for (std::size_t label = 0; label < labels; ++label) {
      const std::int64_t* cell = at + row * width + label * kCounts;
      (*rows)[row].push_back({cell[0], cell[1], cell[2], cell[3]});
    }
  }
  return {};
}

}  // namespace consilium::trainer
