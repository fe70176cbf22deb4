// gRPC's limits and timings, one place for both sides.
#pragma once

#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

#include "comm/base/time.h"

namespace consilium::transport {

void TuneServer(grpc::ServerBuilder* builder);
struct ChannelTiming {
  Duration keepalive{};                                // without a word of the peer, then it is asked for one
  Duration unanswered_max = std::chrono::seconds(10);  // then the connection is taken for dead
};
void TuneChannel(grpc::ChannelArguments* arguments, const ChannelTiming& timing);

}  // namespace consilium::transport
