#include "comm/transport/grpc/tuning.h"

#include "comm/wire/operator.h"

namespace consilium::transport {
namespace {

// The largest messages are a chunk (1 MiB of data) and an offer or a task (a manifest of at most 512 KiB, and a job).
constexpr int kMessageBytesMax = (3 << 19) + (64 << 10);
static_assert(kMessageBytesMax > static_cast<int>(wire::kChunkBytes) &&
              kMessageBytesMax > static_cast<int>(wire::kMessageBytesMax) &&
              kMessageBytesMax > static_cast<int>(wire::kOperatorBytesMax));
// How much of a stream may be on its way beyond the piece that is being read: with it, 20 MB/s at 20 ms, and 11 Mbit/s
// at 300 ms.  More is faster on long fat links and costs memory for each site that sends at the same time; gRPC's
// bandwidth-delay probing would multiply it by up to eight.
constexpr int kWindowBytes = 256 << 10;
// Control stream, heartbeats aside: a few transfers.  More would only be an attack.
constexpr int kStreamsPerConnectionMax = 16;
constexpr int kHandshakeTimeoutMs = 10'000;
constexpr int kServerKeepaliveMs = 30'000;
constexpr int kKeepaliveTimeoutMs = 10'000;
constexpr int kPingIntervalMinMs = 1'000;

int Milliseconds(Duration duration) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

}  // namespace

void TuneServer(grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(kMessageBytesMax);
  builder->SetMaxSendMessageSize(kMessageBytesMax);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kWindowBytes);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnectionMax);
  builder->AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeoutMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kServerKeepaliveMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kPingIntervalMinMs);
  // A site whose session has just ended, and whose next call has not begun, may ping as before: otherwise gRPC takes it
  // for an attack (GOAWAY, too_many_pings).
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Otherwise a second coordinator on the same port would start without complaint, and get some of the connections.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

void TuneChannel(grpc::ChannelArguments* arguments, const ChannelTiming& timing) {
  arguments->SetMaxReceiveMessageSize(kMessageBytesMax);
  arguments->SetMaxSendMessageSize(kMessageBytesMax);
  arguments->SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments->SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kWindowBytes);
  arguments->SetInt(GRPC_ARG_ENABLE_RETRIES, 0);  // ours resume; gRPC's would keep what was sent in memory
  // A connection of its own, not one shared with, or still backing off from, a previous transport.
  arguments->SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments->SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments->SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kHandshakeTimeoutMs);  // despite its name, a try's least timeout
  arguments->SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(timing.keepalive));
  arguments->SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(timing.unanswered_max));
  arguments->SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments->SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
}

}  // namespace consilium::transport
