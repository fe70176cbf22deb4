// gRPC's limits and timings, one place for both sides.
#pragma once

#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

#include "comm/base/time.h"

namespace consilium::transport {

// How much of a chunk travels in one message.  A transfer holds a handful of messages on each side: what many sites
// cost that transfer at the same time is a multiple of this.
inline constexpr std::size_t kPieceBytes = 160 << 10;

void TuneServer(grpc::ServerBuilder* builder);
struct ChannelTiming {
  Duration keepalive{};                                // without a word of the peer, then it is asked for one
  Duration unanswered_max = std::chrono::seconds(10);  // then the connection is taken for dead
};
void TuneChannel(grpc::ChannelArguments* arguments, const ChannelTiming& timing);

}  // namespace consilium::transport
