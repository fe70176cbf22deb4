// The shell around the session machine: executes its actions in order, makes every Persist durable before what follows,
// and feeds it what happens.  Runs on one thread until the machine finishes or a signal asks it to stop.
#pragma once

#include <filesystem>

#include "client/core/session_machine.h"
#include "comm/transport/grpc/grpc_client.h"

namespace consilium::client {

struct ClientOptions {
  transport::GrpcClientOptions connection;  // blobs and hello are filled in by the shell
  std::filesystem::path state;
  std::filesystem::path data;     // what the trainer reads
  std::filesystem::path trainer;  // the program
  SessionOptions session;
};

// Blocking.  OK when the job is over (with SessionOptions::WhenDone::kExit) or SIGTERM or SIGINT asked for the end.
Status RunClient(ClientOptions options);

}  // namespace consilium::client
