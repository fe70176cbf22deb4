#include "comm/collective/group_communicator.h"

#include <functional>
#include <future>
#include <thread>

#include "comm/base/bytes.h"
#include "comm/base/log.h"
#include "comm/collective/exception_guard.h"

namespace consilium::collective {
namespace {

// How long a survivor waits for word from the others before it names the silent ones.
constexpr auto kWordTimeout = std::chrono::milliseconds(700);
constexpr auto kWordPoll = std::chrono::milliseconds(20);
constexpr std::size_t kWordBytesMax = 2000;

std::string WordKey(int rank) { return "word/" + std::to_string(rank); }

// What ranks tell each other when the gang breaks: "s" for a survivor, "f" and the reason for who cannot go on.
struct Words {
  std::vector<int> silent;
  int failed_rank = -1;  // the lowest that gave a reason
  std::string reason;
};

void LeaveWordIn(c10d::Store& store, int rank, const std::string& word) {
  store.set(WordKey(rank), Bytes(word.begin(), word.end()));
}

Words CollectWords(c10d::Store& store, const Place& place) {
  LeaveWordIn(store, place.rank, "s");
  Words words;
  const auto deadline = std::chrono::steady_clock::now() + kWordTimeout;
  do {
    words.silent.clear();
    for (int rank = 0; rank < place.world; ++rank)
      if (!store.check({WordKey(rank)})) words.silent.push_back(rank);
    if (words.silent.empty()) break;
    std::this_thread::sleep_for(kWordPoll);
  } while (std::chrono::steady_clock::now() < deadline);
  for (int rank = 0; rank < place.world && words.failed_rank < 0; ++rank) {
    if (rank == place.rank || !store.check({WordKey(rank)})) continue;
    const Bytes word = store.get(WordKey(rank));
    if (word.empty() || word.front() != 'f') continue;
    words.failed_rank = rank;
    words.reason.assign(word.begin() + 1, word.end());
  }
  return words;
}

// Asks the store on a thread that may be left behind: a store whose host hangs would hang us too.
template <typename Answer>
StatusOr<Answer> AskStore(const c10::intrusive_ptr<c10d::Store>& store, std::function<Answer(c10d::Store&)> question) {
  std::promise<Answer> promise;
  std::future<Answer> answer = promise.get_future();
  std::thread([store, question = std::move(question), promise = std::move(promise)]() mutable {
    try {
      promise.set_value(question(*store));
    } catch (...) {
      promise.set_exception(std::current_exception());
    }
  }).detach();
  try {
    if (answer.wait_for(2 * kWordTimeout) != std::future_status::ready) return Unavailable("no answer");
    return answer.get();
  } catch (...) {
    return StatusOfExceptionInFlight("asking the gang's store");
  }
}

class GroupCommunicator final : public Communicator {
 public:
  GroupCommunicator(GroupMembership membership, Group group)
      : Communicator(membership.options.place), membership_(std::move(membership)), group_(std::move(group)) {}

  ~GroupCommunicator() override {
    // Destroying a group waits for what is in flight, and after a failure that may be a dead peer, for a whole timeout.
    // The process is about to end then: let the system take it back.
    if (stopped()) static_cast<void>(new Group(std::move(group_)));
  }

  std::string name() const override {
    const GroupOptions& options = membership_.options;
    return Concat(BackendName(options.backend), options.interface.empty() ? "" : " over ", options.interface, ", ",
                  world(), world() == 1 ? " rank" : " ranks");
  }
  c10d::ProcessGroup* process_group() override { return group_.process_group.get(); }

 private:
  bool on_cuda() const override { return membership_.options.backend == Backend::kNccl; }

  void SumInPlace(at::Tensor& tensor) override {
    std::vector<at::Tensor> tensors = {tensor};
    group_.process_group->allreduce(tensors)->wait();
  }

  void BroadcastInPlace(at::Tensor& tensor, int root) override {
    std::vector<at::Tensor> tensors = {tensor};
    c10d::BroadcastOptions options;
    options.rootRank = root;
    group_.process_group->broadcast(tensors, options)->wait();
  }

  void BreakConnections() override {
    try {
      group_.abort();
    } catch (...) {  // it is broken already
    }
  }

  Status Explain(Status failure) override {
    const StatusOr<Words> words =
        AskStore<Words>(membership_.store, [place = place_](c10d::Store& store) { return CollectWords(store, place); });
    if (!words.ok())
      return Status(failure.code(), Concat(failure.message(), "; no word from rank 0 (", Host(0), "), which holds the ",
                                           "gang's store"));
    if (words.value().failed_rank >= 0)
      return RankFailure("rank ", words.value().failed_rank, " (", Host(words.value().failed_rank),
                         ") failed: ", words.value().reason, "; seen here as: ", failure.message());
    std::string silent;
    for (const int rank : words.value().silent)
      silent += Concat(silent.empty() ? "" : ", ", rank, " (", Host(rank), ")");
    if (silent.empty()) return failure;
    return Status(failure.code(), Concat(failure.message(), "; no word from rank ", silent));
  }

  void LeaveWord(const Status& mine) override {
    const std::string word = "f" + mine.ToString().substr(0, kWordBytesMax);
    const StatusOr<bool> left = AskStore<bool>(membership_.store, [rank = rank(), word](c10d::Store& store) {
      LeaveWordIn(store, rank, word);
      return true;
    });
    if (!left.ok()) Log(LogLevel::kWarning, "no_word_left", {{"rank", rank()}, {"why", left.status()}});
  }

  const std::string& Host(int rank) const { return membership_.hosts[static_cast<std::size_t>(rank)]; }

  const GroupMembership membership_;
  Group group_;
};

}  // namespace

StatusOr<std::unique_ptr<Communicator>> MakeGroupCommunicator(GroupMembership membership) {
  try {
    Group group = MakeGroup(membership.store, membership.options);
    return std::unique_ptr<Communicator>(new GroupCommunicator(std::move(membership), std::move(group)));
  } catch (...) {
    const Status status = StatusOfExceptionInFlight("connecting the ranks");
    return Rendezvous(status.message());
  }
}

}  // namespace consilium::collective
