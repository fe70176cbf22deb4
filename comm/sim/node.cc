#include "comm/sim/node.h"

namespace consilium::sim {

void Node::Start(Instant epoch) {
  CONSILIUM_CHECK(!alive_, options_.name, " is alive already");
  alive_ = true;
  ++life_;
  epoch_ = epoch;
  started_at_ = free_at_ = queue_->Now();
  waiting_.clear();
}

void Node::Kill() {
  alive_ = false;
  waiting_.clear();
}

Instant Node::LocalNow() const {
  const double elapsed = static_cast<double>((queue_->Now() - started_at_).count()) * options_.clock_rate;
  return epoch_ + Duration(static_cast<Duration::rep>(elapsed));
}

void Node::After(Duration local, Event event) {
  const Duration world(static_cast<Duration::rep>(static_cast<double>(local.count()) / options_.clock_rate));
  queue_->After(world, [this, life = life_, event = std::move(event)]() mutable {
    if (alive_ && life == life_) Deliver(std::move(event));
  });
}

void Node::Deliver(Event event) {
  if (!alive_) return;
  if (waiting_.empty() && free_at_ <= queue_->Now()) return event();
  waiting_.push_back(std::move(event));
  if (waiting_.size() == 1) queue_->At(free_at_, [this, life = life_] { Drain(life); });
}

// What was waiting may block the process again.
void Node::Drain(std::uint64_t life) {
  while (alive_ && life == life_ && !waiting_.empty() && free_at_ <= queue_->Now()) {
    const Event event = std::move(waiting_.front());
    waiting_.pop_front();
    event();
  }
  if (alive_ && life == life_ && !waiting_.empty()) queue_->At(free_at_, [this, life] { Drain(life); });
}

void Node::Occupy(Duration time) { free_at_ = FreeAt() + time; }

}  // namespace consilium::sim
