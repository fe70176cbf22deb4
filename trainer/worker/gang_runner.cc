#include "trainer/worker/gang_runner.h"

#include <torch/torch.h>

#include "comm/base/log.h"
#include "comm/wire/frame.h"

namespace consilium::trainer {
namespace {

enum Command : std::int64_t { kEnd = 0, kNothingYet = 1, kTask = 2 };

constexpr char kWhat[] = "what to do next", kTaskEnd[] = "at the end of a task";

// A command and how many bytes follow.
Status Announce(collective::Communicator& gang, Command command, std::int64_t size) {
  torch::Tensor head = torch::tensor({static_cast<std::int64_t>(command), size}, torch::kInt64);
  return gang.Broadcast(head, /*root=*/0, kWhat);
}

// Followers are cancelled through rank 0: the training's own collective operations carry its wish.
class SilentMonitor final : public TaskMonitor {
 public:
  void Report(double, const wire::Metrics&) override {}
  bool cancelled() const override { return false; }
};

StatusOr<wire::WorkerTask> ReceiveTask(collective::Communicator& gang, std::int64_t size) {
  if (size < 1 || size > static_cast<std::int64_t>(wire::kMessageBytesMax))
    return DataLoss("rank 0 announces a task of ", size, " bytes");
  torch::Tensor bytes = torch::zeros({size}, torch::kUInt8);
  RETURN_IF_ERROR(gang.Broadcast(bytes, /*root=*/0, kWhat));
  ASSIGN_OR_RETURN(wire::WorkerRequest request,
                   wire::DecodeWorkerRequest({bytes.data_ptr<std::uint8_t>(), static_cast<std::size_t>(size)}));
  auto* task = std::get_if<wire::WorkerTask>(&request);
  if (task == nullptr) return DataLoss("rank 0 sent a request that is no task");
  return std::move(*task);
}

}  // namespace

GangRunner::~GangRunner() {
  if (const Status told = Announce(gang_, kEnd, 0); !told.ok())
    Log(LogLevel::kWarning, "ranks_not_told_to_end", {{"reason", told.message()}});
}

StatusOr<TaskResult> GangRunner::Run(const wire::WorkerTask& task, TaskMonitor& monitor) {
  const Bytes bytes = wire::Encode(wire::WorkerRequest(task));
  RETURN_IF_ERROR(Announce(gang_, kTask, static_cast<std::int64_t>(bytes.size())));
  torch::Tensor tensor = torch::zeros({static_cast<std::int64_t>(bytes.size())}, torch::kUInt8);
  std::copy(bytes.begin(), bytes.end(), tensor.data_ptr<std::uint8_t>());
  RETURN_IF_ERROR(gang_.Broadcast(tensor, /*root=*/0, kWhat));
  StatusOr<TaskResult> result = inner_.Run(task, monitor);
  // A rank that failed alone, in the middle of a collective operation, has left the gang: it does not come here, or (if
  // it is this one) cannot.
  broken_ = gang_.Barrier(kTaskEnd);
  if (!broken_.ok() && !result.ok()) broken_ = Status(broken_.code(), result.status().message());
  return result;
}

Status GangRunner::Idle() { return Announce(gang_, kNothingYet, 0); }

Status FollowTasks(collective::Communicator& gang, TaskRunner& runner) {
  SilentMonitor monitor;
  for (;;) {
    torch::Tensor head = torch::zeros({2}, torch::kInt64);
    RETURN_IF_ERROR(gang.Broadcast(head, /*root=*/0, kWhat));
    const auto command = head[0].item<std::int64_t>();
    if (command == kEnd) return {};
    if (command == kNothingYet) continue;
    if (command != kTask) return DataLoss("rank 0 sent command ", command);
    ASSIGN_OR_RETURN(const wire::WorkerTask task, ReceiveTask(gang, head[1].item<std::int64_t>()));
    const StatusOr<TaskResult> result = runner.Run(task, monitor);
    if (const Status met = gang.Barrier(kTaskEnd); !met.ok()) return result.ok() ? met : result.status();
    // The gang is whole: a failure is that of all ranks, and rank 0 answers for them.
    if (!result.ok())
      Log(LogLevel::kInfo, "task_failed", {{"rank", gang.rank()}, {"task", task.task}, {"reason", result.status()}});
  }
}

}  // namespace consilium::trainer
