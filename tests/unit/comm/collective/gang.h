// Gangs for tests: ranks as threads of this process, or as processes that can be killed.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "comm/collective/rendezvous.h"

namespace consilium::collective {

// A port that nobody listens on right now.
int FreePort();
Environment MapEnvironment(std::map<std::string, std::string> variables);
// As torchrun would start rank `rank` on this host, with short timeouts.
ConnectOptions LocalRank(int rank, int world, int port);

// Runs `body` as every rank at once, each on its own thread; fails the test when a rank cannot connect.
void RunGang(int world, const std::function<void(Communicator&)>& body);
// The same with the ranks' options changed first, and `body` getting what Connect returned.
void RunGang(int world, const std::function<void(ConnectOptions&)>& change,
             const std::function<void(int rank, StatusOr<std::unique_ptr<Communicator>>)>& body);

}  // namespace consilium::collective
