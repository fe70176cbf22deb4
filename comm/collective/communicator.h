// The gang of ranks that train one model together, and the few collective operations that the trainer needs.
//
// One Communicator a process.  Every rank calls the same operations in the same order; each returns when this rank's
// part is done, or fails for good: after a failure every later operation fails at once with the first failure, because
// the ranks no longer agree on what comes next.
//
// Errors of every operation: RankFailure (a peer died; which one where it can be told), DeadlineExceeded (no answer
// within the step timeout: a hang; names the operation and the ranks that did not report), Failed (what was asked is
// not possible, e.g. a type that the backend cannot sum).  Nothing throws.
//
// Thread rule: one thread at a time; Abort() from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "comm/base/status.h"

namespace at {
class Tensor;
}
namespace c10d {
class ProcessGroup;
}

namespace consilium::collective {

// Where a process stands in its gang.
struct Place {
  int rank = 0;
  int world = 1;
  int local_rank = 0;   // among the ranks on this host: which GPU, and who shares the cores
  int local_world = 1;  // ranks on this host
};

inline constexpr std::size_t kGatheredTextBytesMax = 4096;  // longer texts are cut

class Communicator {
 public:
  virtual ~Communicator() = default;

  int rank() const { return place_.rank; }
  int world() const { return place_.world; }
  int local_rank() const { return place_.local_rank; }
  int local_world() const { return place_.local_world; }
  // For people and logs: "gloo over lo, 4 ranks", "one process".
  virtual std::string name() const = 0;

  // Element-wise sum over ranks, in place.  The same dtype and number of elements on every rank; any device (staged
  // where the backend does not reach).  A fixed world, backend and size gives the same bits every time.
  Status AllReduceSum(at::Tensor& tensor, const std::string& what);
  // Root's values on every rank, in place.
  Status Broadcast(at::Tensor& tensor, int root, const std::string& what);
  // Returns after every rank came here.
  Status Barrier(const std::string& what);
  // Everybody's text, by rank.  Cut to kGatheredTextBytesMax bytes.
  StatusOr<std::vector<std::string>> AllGatherText(const std::string& text);
  // Every rank says how it fared; all get the same answer: OK when all are OK, else the failure of the lowest failed
  // rank with its code, as "rank 2 of 4: <message>".
  Status Agree(const Status& mine);

  // Breaks the connections, so that the peers' operations end now; one in flight here ends at its timeout at the
  // latest. No operation works afterwards.  Any thread.
  void Abort();
  // This rank cannot go on: leaves word why, so that the peers' errors name this rank and its cause, then as Abort().
  // For a failure between collective operations, when Agree() cannot be reached.  Returns `mine`.
  Status Fail(Status mine);

  // The c10d group, for GradientReducer; null in a gang of one without a backend.
  virtual c10d::ProcessGroup* process_group() { return nullptr; }
  // The exception in flight as a Status; when it is about the gang, it is the gang's failure from now on.  Call it in a
  // catch block.
  Status FailureInFlight(const std::string& what);
  // OK, or the failure that every operation now returns.
  const Status& failure() const { return failure_; }

 protected:
  explicit Communicator(const Place& place) : place_(place) {}
  bool stopped() const { return aborted_ || !failure_.ok(); }
  const Place place_;

 private:
  // They throw what the backend throws.  `tensor` is on the backend's device, contiguous and not empty.
  virtual void SumInPlace(at::Tensor& tensor) = 0;
  virtual void BroadcastInPlace(at::Tensor& tensor, int root) = 0;
  virtual bool on_cuda() const { return false; }
  virtual void BreakConnections() = 0;
  // Adds to a failure what this rank can find out about the others.
  virtual Status Explain(Status failure) { return failure; }
  virtual void LeaveWord(const Status& /*mine*/) {}

  template <typename Operation>
  Status Collective(at::Tensor& tensor, const std::string& what, Operation operation);

  Status failure_;
  std::atomic<bool> aborted_ = false;
  std::int64_t operations_ = 0;
};

// A gang of one: every operation is done at once.
std::unique_ptr<Communicator> MakeSoloCommunicator();

}  // namespace consilium::collective
