// How much a site's transfers carried, and how fast.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>

#include "comm/base/time.h"

namespace consilium::transport {

// Application bytes of chunks, seen from the side that tells: what TLS, gRPC and TCP add or repeat is not in it.
struct Traffic {
  std::uint64_t bytes_sent = 0, bytes_received = 0;
  std::uint64_t chunks_sent = 0, chunks_received = 0;  // received: verified and kept
  // Over the last ten seconds of the transfer in hand, or of the last one; 0 until there was one.  Sending counts what
  // the connection took over, up to two chunks before the peer has it.
  double send_bytes_per_second = 0, receive_bytes_per_second = 0;
  friend bool operator==(const Traffic&, const Traffic&) = default;
};

// Bytes per second over a moving window.  Strand-bound.
class RateMeter {
 public:
  void Begin(Instant now);  // of a transfer: pauses between transfers do not count
  void Add(std::uint64_t bytes, Instant now);
  double BytesPerSecond() const { return rate_; }

 private:
  struct Sample {
    Instant when;
    std::uint64_t bytes;  // since Begin
  };
  std::deque<Sample> samples_;
  double rate_ = 0;
};

// One site's.  Thread-safe.
class TrafficMeter {
 public:
  void BeginSending(Instant now);
  void BeginReceiving(Instant now);
  void Sent(std::uint64_t chunk_bytes, Instant now);
  void Received(std::uint64_t chunk_bytes, Instant now);
  Traffic Read() const;

 private:
  mutable std::mutex mutex_;
  Traffic counts_;
  RateMeter sending_, receiving_;
};

}  // namespace consilium::transport
