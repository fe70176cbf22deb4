// A network between named nodes.  Streams between the same two nodes share one line in each direction, as the calls of
// one gRPC channel do: it has a delay, a bandwidth, and segments that are lost and sent again, so what one call sends
// waits behind what another one lost.
//
// A stream keeps its order and loses nothing until it breaks: by a cut, by the death of a process (what it said last
// may arrive or not), or because a partition lasted longer than either end's patience.  Both ends learn of that at
// their own times, so a node may dial again while its peer still holds the old stream.  Streams dialled as kUnruly
// additionally drop, repeat and reorder whole messages, which no transport of ours does, but a faulty peer may.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "comm/base/rng.h"
#include "comm/sim/node.h"
#include "comm/sim/trace.h"

namespace consilium::sim {

enum class StreamId : std::uint64_t {};

// One direction of the line between two nodes.
struct LineOptions {
  Duration delay = std::chrono::milliseconds(5);
  Duration jitter = std::chrono::milliseconds(5);  // mean of an exponential that is added
  double loss = 0;                                 // of each segment; nine losses of one break the stream
  std::uint64_t bytes_per_second = 0;              // 0: no limit
  // Of whole messages on kUnruly streams, never of a stream's first one.
  double message_loss = 0, message_repetition = 0, message_reordering = 0;
};

struct NetworkOptions {
  std::uint64_t seed = 1;
  LineOptions line;                                  // where SetLine says nothing else
  Duration dial_patience = std::chrono::seconds(5);  // for an answer
  Duration silence_max = std::chrono::seconds(20);   // an end that can reach nobody so long gives up; +-30%
};

enum class Delivery : std::uint8_t { kOrdered, kUnruly };
enum class Death : std::uint8_t {
  kProcess,  // the kernel closes what the process held
  kMachine,  // silence
};

// A process on the network.  Called through Node::Deliver, in its life only.
class Endpoint {
 public:
  virtual ~Endpoint() = default;
  // A peer dialled; its name is proven.
  virtual void OnAccepted(StreamId stream, const std::string& peer, const std::string& purpose) = 0;
  // The dialled peer accepted.
  virtual void OnConnected(StreamId stream) = 0;
  virtual void OnMessage(StreamId stream, Bytes message) = 0;
  // Unasked; the last call for this stream.
  virtual void OnClosed(StreamId stream, const Status& reason) = 0;
};

struct NetworkStats {
  std::uint64_t messages = 0, bytes = 0;  // handed to lines
  std::uint64_t segments_lost = 0, streams_broken = 0;
};

// Strand-bound.
class Network {
 public:
  // `queue` and `trace` outlive the network; the network outlives the queue's last event.
  Network(EventQueue* queue, Trace* trace, NetworkOptions options);

  // A process comes up on `node`; both outlive its Detach.
  void Attach(Node* node, Endpoint* endpoint);
  void Detach(const std::string& node, Death death);

  // OnConnected or OnClosed follows.
  StreamId Dial(const std::string& from, const std::string& to, std::string purpose, Delivery delivery);
  // A stream that is gone is no error.
  void Send(StreamId stream, const std::string& from, Bytes message);
  // What was sent before arrives, then the peer's OnClosed; nothing more is told to `from`.
  void Close(StreamId stream, const std::string& from);

  // --- faults
  void SetLine(const std::string& from, const std::string& to, LineOptions options);
  void SetAllLines(LineOptions options);
  // Nothing that `from` sends reaches `to` until Unblock; the streams between them feel it, whoever dialled.
  void Block(const std::string& from, const std::string& to);
  void UnblockAll();
  // Breaks every stream between the two.
  void Cut(const std::string& a, const std::string& b);

  const NetworkStats& stats() const { return stats_; }

 private:
  using Pair = std::pair<std::string, std::string>;  // from, to

  struct Line {
    LineOptions options;
    Instant busy_until{}, last_arrival{};
    bool blocked = false;
    std::uint64_t blocks = 0;  // counts them: a patience that outlasts one block must not end in the next
    std::deque<Event> stalled;
  };
  struct End {
    std::string node;
    std::uint64_t life = 0;                       // of the node; 0: nobody there yet
    bool open = false;                            // as its owner knows
    bool dead = false;                            // as the network knows
    std::uint64_t sent = 0;                       // messages
    std::uint64_t lost_from = ~std::uint64_t{0};  // of this end's messages, those from this number on do not arrive
  };
  struct Stream {
    End dialler, acceptor;
    std::string purpose;
    Delivery delivery = Delivery::kOrdered;
    bool connected = false;  // the dialler was told
  };
  struct Process {
    Node* node = nullptr;
    Endpoint* endpoint = nullptr;
  };

  Line& LineOf(const std::string& from, const std::string& to);
  static End& EndOf(Stream& stream, const std::string& node);
  static End& OtherEnd(Stream& stream, const std::string& node);
  Duration Jitter(const LineOptions& options);
  // When `bytes` that leave now arrive; nothing when the line gave up.
  std::optional<Instant> Arrival(Line* line, Instant departs, std::size_t bytes);
  // `event` at `at`, or when the line is open again.
  void Arrive(const std::string& from, const std::string& to, Instant at, Event event);
  void Knock(StreamId stream);
  void AnswerKnock(StreamId stream, bool accepted);
  void GiveUpDial(StreamId stream);
  void DeliverMessage(StreamId stream, const std::string& to, std::uint64_t number, const Bytes& message);
  void SendEnd(StreamId stream, const std::string& from, Instant leaves, const Status& reason);
  void CloseEnd(StreamId stream, const std::string& node, const Status& reason);
  void Break(StreamId stream, const Status& reason);
  void LosePatience(StreamId stream, const std::string& node, std::function<bool()> still_silent);
  Process* ProcessOf(const End& end);
  Stream* Find(StreamId stream);
  void EraseIfOver(StreamId stream);

  EventQueue* queue_;
  Trace* trace_;
  NetworkOptions options_;
  Rng rng_;
  std::map<std::string, Process> processes_;
  std::map<Pair, Line> lines_;
  std::map<StreamId, Stream> streams_;
  std::uint64_t dialled_ = 0;
  NetworkStats stats_;
};

}  // namespace consilium::sim
