#include "comm/sim/network.h"

#include <algorithm>
#include <cmath>

namespace consilium::sim {
namespace {

constexpr std::size_t kSegmentBytes = 1400;
constexpr int kTriesMax = 9;

}  // namespace

Network::Network(EventQueue* queue, Trace* trace, NetworkOptions options)
    : queue_(queue), trace_(trace), options_(options), rng_(options.seed, StreamOf({0x6e6574})) {}

Network::Line& Network::LineOf(const std::string& from, const std::string& to) {
  return lines_.try_emplace({from, to}, Line{.options = options_.line}).first->second;
}

Network::End& Network::EndOf(Stream& stream, const std::string& node) {
  return stream.dialler.node == node ? stream.dialler : stream.acceptor;
}

Network::End& Network::OtherEnd(Stream& stream, const std::string& node) {
  return stream.dialler.node == node ? stream.acceptor : stream.dialler;
}

Network::Process* Network::ProcessOf(const End& end) {
  const auto found = processes_.find(end.node);
  return found == processes_.end() || found->second.node->life() != end.life ? nullptr : &found->second;
}

Network::Stream* Network::Find(StreamId id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : &found->second;
}

void Network::EraseIfOver(StreamId id) {
  const Stream* stream = Find(id);
  if (stream != nullptr && !stream->dialler.open && !stream->acceptor.open) streams_.erase(id);
}

// --- processes

void Network::Attach(Node* node, Endpoint* endpoint) { processes_[node->name()] = {node, endpoint}; }

void Network::Detach(const std::string& node, Death death) {
  processes_.erase(node);
  for (auto& [id, stream] : streams_) {
    if (stream.dialler.node != node && stream.acceptor.node != node) continue;
    End& own = EndOf(stream, node);
    const std::string peer = OtherEnd(stream, node).node;
    if (!own.open) continue;
    own.open = false;
    own.dead = true;
    if (death == Death::kMachine) {
      LosePatience(id, peer, [] { return true; });
      continue;
    }
    // Of the last words, those that had left arrive, or the kernel throws them away with the connection.
    if (rng_.Bernoulli(0.5)) own.lost_from = own.sent - std::min<std::uint64_t>(own.sent, rng_.Below(4));
    SendEnd(id, node, queue_->Now(), Unavailable("the connection was closed"));
  }
  std::erase_if(streams_, [](const auto& entry) { return !entry.second.dialler.open && !entry.second.acceptor.open; });
}

// --- a stream's beginning

StreamId Network::Dial(const std::string& from, const std::string& to, std::string purpose, Delivery delivery) {
  const StreamId id{++dialled_};
  const Node& dialler = *processes_.at(from).node;
  Stream& stream = streams_[id];
  stream.dialler = {from, dialler.life(), true};
  stream.acceptor = {to};
  stream.purpose = std::move(purpose);
  stream.delivery = delivery;
  queue_->After(options_.dial_patience, [this, id] { GiveUpDial(id); });
  if (const auto at = Arrival(&LineOf(from, to), dialler.FreeAt(), 200))
    Arrive(from, to, *at, [this, id] { Knock(id); });
  return id;
}

void Network::Knock(StreamId id) {
  Stream* stream = Find(id);
  if (stream == nullptr) return;
  const std::string from = stream->dialler.node, to = stream->acceptor.node;
  const auto process = processes_.find(to);
  const bool accepted = process != processes_.end() && !stream->dialler.dead;
  if (accepted) {
    stream->acceptor.life = process->second.node->life();
    stream->acceptor.open = true;
    process->second.node->Deliver([this, id] {
      Stream* here = Find(id);
      if (here == nullptr || !here->acceptor.open) return;
      if (Process* self = ProcessOf(here->acceptor)) self->endpoint->OnAccepted(id, here->dialler.node, here->purpose);
    });
  }
  if (const auto at = Arrival(&LineOf(to, from), queue_->Now(), 200))
    Arrive(to, from, *at, [this, id, accepted] { AnswerKnock(id, accepted); });
}

void Network::AnswerKnock(StreamId id, bool accepted) {
  Stream* stream = Find(id);
  if (stream == nullptr) return;
  if (!accepted) return CloseEnd(id, stream->dialler.node, Unavailable("connection refused"));
  if (stream->dialler.dead) return;
  stream->connected = true;
  if (Process* process = ProcessOf(stream->dialler))
    process->node->Deliver([this, id] {
      Stream* here = Find(id);
      if (here == nullptr || !here->dialler.open) return;
      if (Process* self = ProcessOf(here->dialler)) self->endpoint->OnConnected(id);
    });
}

void Network::GiveUpDial(StreamId id) {
  const Stream* stream = Find(id);
  if (stream == nullptr || stream->connected || stream->dialler.dead) return;
  const std::string from = stream->dialler.node;
  SendEnd(id, from, queue_->Now(), Unavailable("the peer gave up dialling"));
  CloseEnd(id, from, Unavailable("no answer within ", FormatDuration(options_.dial_patience)));
}

// --- what is said

void Network::Send(StreamId id, const std::string& from, Bytes message) {
  Stream* stream = Find(id);
  if (stream == nullptr) return;
  End& own = EndOf(*stream, from);
  const Process* process = ProcessOf(own);
  if (!own.open || own.dead || process == nullptr) return;
  const std::string to = OtherEnd(*stream, from).node;
  Line& line = LineOf(from, to);
  const LineOptions faults = line.options;
  const std::uint64_t number = own.sent++;
  ++stats_.messages;
  stats_.bytes += message.size();
  const auto at = Arrival(&line, process->node->FreeAt(), message.size() + 40);
  if (!at) return Break(id, Unavailable("the connection timed out"));

  const auto deliver = [this, id, to, number, message = std::move(message)] {
    DeliverMessage(id, to, number, message);
  };
  if (stream->delivery == Delivery::kOrdered || number == 0) return Arrive(from, to, *at, deliver);
  if (rng_.Bernoulli(faults.message_repetition)) Arrive(from, to, *at + Jitter(faults) * 50, deliver);
  if (rng_.Bernoulli(faults.message_loss)) return;
  const bool late = rng_.Bernoulli(faults.message_reordering);
  Arrive(from, to, late ? *at + Jitter(faults) * 20 : *at, deliver);
}

void Network::DeliverMessage(StreamId id, const std::string& to, std::uint64_t number, const Bytes& message) {
  Stream* stream = Find(id);
  if (stream == nullptr) return;
  const End& end = EndOf(*stream, to);
  const End& sender = OtherEnd(*stream, to);
  if (number >= sender.lost_from) return;
  Process* process = ProcessOf(end);
  if (end.dead || !end.open || process == nullptr) {
    // Nobody there knows the stream (any more): a machine that is up says so.
    if (processes_.contains(to)) SendEnd(id, to, queue_->Now(), Unavailable("the connection was reset"));
    return;
  }
  process->node->Deliver([this, id, to, message] {
    Stream* here = Find(id);
    if (here == nullptr || !EndOf(*here, to).open) return;
    if (Process* self = ProcessOf(EndOf(*here, to))) self->endpoint->OnMessage(id, message);
  });
}

// --- a stream's end

void Network::Close(StreamId id, const std::string& from) {
  Stream* stream = Find(id);
  if (stream == nullptr) return;
  End& own = EndOf(*stream, from);
  const Process* process = ProcessOf(own);
  if (!own.open || process == nullptr) return;
  own.open = false;
  own.dead = true;
  SendEnd(id, from, process->node->FreeAt(), Unavailable("the peer closed the stream"));
  EraseIfOver(id);
}

// Tells the other end, after all that was sent before.
void Network::SendEnd(StreamId id, const std::string& from, Instant leaves, const Status& reason) {
  Stream* stream = Find(id);
  if (stream == nullptr) return;
  const std::string to = OtherEnd(*stream, from).node;
  if (const auto at = Arrival(&LineOf(from, to), leaves, 40))
    Arrive(from, to, *at, [this, id, to, reason] { CloseEnd(id, to, reason); });
  else
    LosePatience(id, to, [] { return true; });
}

void Network::CloseEnd(StreamId id, const std::string& node, const Status& reason) {
  Stream* stream = Find(id);
  if (stream == nullptr) return;
  End& own = EndOf(*stream, node);
  if (own.dead) return;  // it has been told, or is about to be
  own.dead = true;
  Process* process = own.open ? ProcessOf(own) : nullptr;
  if (process == nullptr) {
    own.open = false;
    return EraseIfOver(id);
  }
  ++stats_.streams_broken;
  // After the messages that wait for the process.
  process->node->Deliver([this, id, node, reason] {
    Stream* here = Find(id);
    if (here == nullptr || !EndOf(*here, node).open) return;
    Process* self = ProcessOf(EndOf(*here, node));
    EndOf(*here, node).open = false;
    EraseIfOver(id);
    if (self != nullptr) self->endpoint->OnClosed(id, reason);
  });
}

// --- lines

Duration Network::Jitter(const LineOptions& options) {
  return Duration(
      static_cast<Duration::rep>(-std::log1p(-rng_.Uniform()) * static_cast<double>(options.jitter.count())));
}

std::optional<Instant> Network::Arrival(Line* line, Instant departs, std::size_t bytes) {
  const LineOptions& options = line->options;
  Instant left = std::max(departs, line->busy_until);
  Duration resent{};
  if (options.loss > 0) {
    const std::size_t segments = (bytes + kSegmentBytes - 1) / kSegmentBytes;
    int tries = 0;
    for (std::size_t segment = 0; segment < segments; ++segment) {
      int own = 0;
      while (own < kTriesMax && rng_.Bernoulli(options.loss)) ++own, ++stats_.segments_lost;
      tries = std::max(tries, own);
    }
    if (tries >= kTriesMax) return std::nullopt;
    // A round trip, and at least 200 ms, then twice that, and so on.
    const Duration first = std::max<Duration>(options.delay * 2, std::chrono::milliseconds(200));
    resent = first * ((1 << tries) - 1);
  }
  if (options.bytes_per_second > 0)
    left += Duration(
        static_cast<Duration::rep>(1e9 * static_cast<double>(bytes) / static_cast<double>(options.bytes_per_second)));
  line->busy_until = left;
  line->last_arrival = std::max(line->last_arrival, left + options.delay + Jitter(options) + resent);
  return line->last_arrival;
}

void Network::Arrive(const std::string& from, const std::string& to, Instant at, Event event) {
  queue_->At(at, [this, from, to, event = std::move(event)]() mutable {
    Line& line = LineOf(from, to);
    // What waits since a block goes first.
    if (line.blocked || !line.stalled.empty())
      line.stalled.push_back(std::move(event));
    else
      event();
  });
}

void Network::SetLine(const std::string& from, const std::string& to, LineOptions options) {
  LineOf(from, to).options = options;
}

void Network::SetAllLines(LineOptions options) {
  options_.line = options;
  for (auto& [pair, line] : lines_) line.options = options;
}

// --- breaks

void Network::Block(const std::string& from, const std::string& to) {
  Line& line = LineOf(from, to);
  if (line.blocked) return;
  line.blocked = true;
  ++line.blocks;
  trace_->Note("block ", from, " -> ", to);
  // Neither end hears from the other: what arrives is not acknowledged.
  for (const auto& [id, stream] : streams_) {
    const bool there = stream.dialler.node == from && stream.acceptor.node == to;
    const bool back = stream.dialler.node == to && stream.acceptor.node == from;
    if (!there && !back) continue;
    for (const std::string& node : {from, to})
      LosePatience(id, node, [this, from, to, blocks = line.blocks] {
        const Line& now = LineOf(from, to);
        return now.blocked && now.blocks == blocks;
      });
  }
}

void Network::UnblockAll() {
  for (auto& [pair, line] : lines_) {
    if (!line.blocked) continue;
    line.blocked = false;
    trace_->Note("unblock ", pair.first, " -> ", pair.second);
    // Sent again when the sender's timer says so.
    queue_->After(std::chrono::milliseconds(1) + Jitter(line.options) * 20, [this, pair = pair] {
      Line& open = LineOf(pair.first, pair.second);
      while (!open.blocked && !open.stalled.empty()) {
        const Event event = std::move(open.stalled.front());
        open.stalled.pop_front();
        event();
      }
    });
  }
}

void Network::Break(StreamId id, const Status& reason) {
  Stream* stream = Find(id);
  if (stream == nullptr) return;
  trace_->Note("break ", stream->dialler.node, " - ", stream->acceptor.node, " ", stream->purpose);
  for (End* end : {&stream->dialler, &stream->acceptor}) {
    end->lost_from = std::min(end->lost_from, end->sent - std::min<std::uint64_t>(end->sent, rng_.Below(4)));
    const Duration notices = std::chrono::milliseconds(1) + Jitter(options_.line) * 10;
    queue_->After(notices, [this, id, node = end->node, reason] { CloseEnd(id, node, reason); });
  }
}

void Network::Cut(const std::string& a, const std::string& b) {
  std::vector<StreamId> cut;
  for (const auto& [id, stream] : streams_)
    if ((stream.dialler.node == a && stream.acceptor.node == b) ||
        (stream.dialler.node == b && stream.acceptor.node == a))
      cut.push_back(id);
  for (const StreamId id : cut) Break(id, Unavailable("the connection was reset"));
}

void Network::LosePatience(StreamId stream, const std::string& node, std::function<bool()> still_silent) {
  const Duration patience = std::chrono::duration_cast<Duration>(options_.silence_max * rng_.Uniform(0.7, 1.3));
  queue_->After(patience, [this, stream, node, still_silent = std::move(still_silent)] {
    if (still_silent()) CloseEnd(stream, node, Unavailable("no sign of life"));
  });
}

}  // namespace consilium::sim
