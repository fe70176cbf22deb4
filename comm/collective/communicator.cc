#include "comm/collective/communicator.h"

#include <ATen/ATen.h>

#include <cstring>
#include <vector>

#include "comm/base/bytes.h"
#include "comm/collective/exception_guard.h"

namespace consilium::collective {
namespace {

class SoloCommunicator final : public Communicator {
 public:
  SoloCommunicator() : Communicator(Place{}) {}
  std::string name() const override { return "one process"; }

 private:
  void SumInPlace(at::Tensor&) override {}
  void BroadcastInPlace(at::Tensor&, int) override {}
  void BreakConnections() override {}
};

}  // namespace

std::unique_ptr<Communicator> MakeSoloCommunicator() { return std::make_unique<SoloCommunicator>(); }

Status Communicator::FailureInFlight(const std::string& what) {
  Status status = StatusOfExceptionInFlight(what);
  if (!BreaksTheGang(status)) return status;
  if (!failure_.ok()) return failure_;
  // The others must not wait for us until their own timeouts: they learn it from the broken connections.
  BreakConnections();
  failure_ = aborted_ ? Cancelled(what, ": the gang was stopped") : Explain(std::move(status));
  return failure_;
}

void Communicator::Abort() {
  if (!aborted_.exchange(true)) BreakConnections();
}

Status Communicator::Fail(Status mine) {
  if (mine.ok() || stopped()) return mine;
  LeaveWord(mine);
  Abort();
  return mine;
}

template <typename Operation>
Status Communicator::Collective(at::Tensor& tensor, const std::string& what, Operation operation) {
  if (!failure_.ok()) return failure_;
  if (aborted_) return Cancelled(what, ": the gang was stopped");
  ++operations_;
  if (tensor.numel() == 0) return {};
  try {
    const at::NoGradGuard no_grad;
    const auto device = on_cuda() ? at::Device(at::kCUDA, static_cast<at::DeviceIndex>(place_.local_rank)) : at::kCPU;
    at::Tensor staged = tensor.detach().to(device).contiguous();
    operation(staged);
    if (staged.data_ptr() != tensor.data_ptr()) tensor.detach().copy_(staged);
    return {};
  } catch (...) {
    return FailureInFlight(Concat(what, " (rank ", rank(), " of ", world(), ", operation ", operations_, ")"));
  }
}

Status Communicator::AllReduceSum(at::Tensor& tensor, const std::string& what) {
  return Collective(tensor, what, [this](at::Tensor& staged) { SumInPlace(staged); });
}

Status Communicator::Broadcast(at::Tensor& tensor, int root, const std::string& what) {
  if (root < 0 || root >= world()) return InvalidArgument(what, ": root ", root, " is not one of ", world(), " ranks");
  return Collective(tensor, what, [this, root](at::Tensor& staged) { BroadcastInPlace(staged, root); });
}

Status Communicator::Barrier(const std::string& what) {
  at::Tensor one = at::ones({1}, at::kLong);
  return AllReduceSum(one, Concat("barrier ", what));
}

// A sum in which each rank fills its own row and leaves the others at zero is a gather.
StatusOr<std::vector<std::string>> Communicator::AllGatherText(const std::string& text) {
  const std::string mine = text.substr(0, kGatheredTextBytesMax);
  at::Tensor sizes = at::zeros({world()}, at::kLong);  // [world]
  sizes[rank()] = static_cast<std::int64_t>(mine.size());
  RETURN_IF_ERROR(AllReduceSum(sizes, "gathering texts"));
  const std::int64_t width = sizes.max().item<std::int64_t>();
  if (width < 0 || width > static_cast<std::int64_t>(kGatheredTextBytesMax))
    return Failed("gathering texts: a peer announces ", width, " bytes, at most ", kGatheredTextBytesMax,
                  " are agreed");
  at::Tensor rows = at::zeros({world(), width}, at::kByte);  // [world, width] u8
  if (!mine.empty()) std::memcpy(rows[rank()].data_ptr(), mine.data(), mine.size());
  RETURN_IF_ERROR(AllReduceSum(rows, "gathering texts"));
  std::vector<std::string> texts;
  for (int r = 0; r < world(); ++r) {
    const auto size = static_cast<std::size_t>(sizes[r].item<std::int64_t>());
    texts.emplace_back(size == 0 ? "" : static_cast<const char*>(rows[r].data_ptr()), size);
  }
  return texts;
}

Status Communicator::Agree(const Status& mine) {
  at::Tensor codes = at::zeros({world()}, at::kLong);  // [world]
  codes[rank()] = static_cast<std::int64_t>(mine.code());
  const Status shared = AllReduceSum(codes, "agreeing on how every rank fared");
  if (!shared.ok()) return mine.ok() ? shared : mine;  // our own fault is the better explanation
  if (codes.eq(0).all().item<bool>()) return {};
  const StatusOr<std::vector<std::string>> texts = AllGatherText(mine.message());
  if (!texts.ok()) return mine.ok() ? texts.status() : mine;
  for (int r = 0; r < world(); ++r) {
    const auto code = codes[r].item<std::int64_t>();
    if (code == 0) continue;
    if (world() == 1) return mine;
    const bool known = code > 0 && code <= static_cast<std::int64_t>(StatusCode::kUnimplemented);
    return Status(known ? static_cast<StatusCode>(code) : StatusCode::kFailed,
                  Concat("rank ", r, " of ", world(), ": ", texts.value()[static_cast<std::size_t>(r)]));
  }
  return {};
}

}  // namespace consilium::collective
