#include "comm/transport/traffic.h"

namespace consilium::transport {
namespace {

constexpr std::chrono::seconds kWindow{10};
constexpr std::size_t kSamplesMax = 64;  // a fast transfer's window is shorter

}  // namespace

void RateMeter::Begin(Instant now) {
  samples_.clear();
  samples_.push_back({now, 0});
}

void RateMeter::Add(std::uint64_t bytes, Instant now) {
  if (samples_.empty()) Begin(now);
  samples_.push_back({now, samples_.back().bytes + bytes});
  // The one at the window's edge stays, to measure from.
  while (samples_.size() > 2 && (samples_.size() > kSamplesMax || samples_[1].when <= now - kWindow))
    samples_.pop_front();
  const double seconds = Seconds(now - samples_.front().when);
  if (seconds > 0) rate_ = static_cast<double>(samples_.back().bytes - samples_.front().bytes) / seconds;
}

void TrafficMeter::BeginSending(Instant now) {
  const std::lock_guard lock(mutex_);
  sending_.Begin(now);
}

void TrafficMeter::BeginReceiving(Instant now) {
  const std::lock_guard lock(mutex_);
  receiving_.Begin(now);
}

void TrafficMeter::Sent(std::uint64_t chunk_bytes, Instant now) {
  const std::lock_guard lock(mutex_);
  ++counts_.chunks_sent;
  counts_.bytes_sent += chunk_bytes;
  sending_.Add(chunk_bytes, now);
}

void TrafficMeter::Received(std::uint64_t chunk_bytes, Instant now) {
  const std::lock_guard lock(mutex_);
  ++counts_.chunks_received;
  counts_.bytes_received += chunk_bytes;
  receiving_.Add(chunk_bytes, now);
}

Traffic TrafficMeter::Read() const {
  const std::lock_guard lock(mutex_);
  Traffic traffic = counts_;
  traffic.send_bytes_per_second = sending_.BytesPerSecond();
  traffic.receive_bytes_per_second = receiving_.BytesPerSecond();
  return traffic;
}

}  // namespace consilium::transport
