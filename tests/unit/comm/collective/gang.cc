#include "tests/unit/comm/collective/gang.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>
#include <vector>

namespace consilium::collective {

int FreePort() {
  const int descriptor = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  socklen_t size = sizeof address;
  CONSILIUM_CHECK(::bind(descriptor, reinterpret_cast<sockaddr*>(&address), size) == 0);
  CONSILIUM_CHECK(::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  ::close(descriptor);
  return ntohs(address.sin6_port);
}

Environment MapEnvironment(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

ConnectOptions LocalRank(int rank, int world, int port) {
  ConnectOptions options;
  options.environment = MapEnvironment({{"RANK", std::to_string(rank)},
                                        {"WORLD_SIZE", std::to_string(world)},
                                        {"LOCAL_RANK", std::to_string(rank)},
                                        {"LOCAL_WORLD_SIZE", std::to_string(world)},
                                        {"MASTER_ADDR", "127.0.0.1"},
                                        {"MASTER_PORT", std::to_string(port)}});
  options.backend = "gloo";
  options.startup_timeout = std::chrono::seconds(20);
  options.step_timeout = std::chrono::seconds(20);
  options.job_digest = "job";
  options.build = "test";
  return options;
}

void RunGang(int world, const std::function<void(ConnectOptions&)>& change,
             const std::function<void(int, StatusOr<std::unique_ptr<Communicator>>)>& body) {
  const int port = FreePort();
  std::vector<std::thread> ranks;
  for (int rank = 0; rank < world; ++rank)
    ranks.emplace_back([&, rank] {
      ConnectOptions options = LocalRank(rank, world, port);
      change(options);
      body(rank, Connect(options));
    });
  for (std::thread& rank : ranks) rank.join();
}

void RunGang(int world, const std::function<void(Communicator&)>& body) {
  RunGang(
      world, [](ConnectOptions&) {},
      [&](int, StatusOr<std::unique_ptr<Communicator>> communicator) {
        ASSERT_TRUE(communicator.ok()) << communicator.status();
        body(*communicator.value());
        // Rank 0 holds the store, so it leaves last.
        if (communicator.value()->failure().ok()) {
          const Status end = communicator.value()->Barrier("the end");
          EXPECT_TRUE(end.ok() || end.code() == StatusCode::kCancelled) << end;
        }
      });
}

}  // namespace consilium::collective
