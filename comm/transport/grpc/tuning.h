// gRPC's limits and timings, one place for both sides.
#pragma once

#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

#include "comm/base/time.h"

namespace consilium::transport {

void TuneServer(grpc::ServerBuilder* builder);
void TuneChannel(grpc::ChannelArguments* arguments, Duration keepalive);

}  // namespace consilium::transport
