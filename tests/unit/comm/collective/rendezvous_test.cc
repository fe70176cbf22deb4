// Ranks that cannot work together find out at the start, all of them, and say which of them it is.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "comm/collective/meeting.h"
#include "comm/collective/network.h"
#include "tests/unit/comm/collective/gang.h"

namespace consilium::collective {
namespace {

using Connected = StatusOr<std::unique_ptr<Communicator>>;

void ExpectRendezvousFailure(const Status& status, const std::vector<std::string>& named) {
  EXPECT_EQ(status.code(), StatusCode::kRendezvous) << status;
  EXPECT_EQ(ExitCodeFor(status), ExitCode::kRendezvous);
  for (const std::string& name : named) EXPECT_NE(status.message().find(name), std::string::npos) << status;
}

TEST(Rendezvous, RanksWithAnotherJobAreNamedByAllRanks) {
  std::atomic<int> ranks = 0;
  RunGang(
      3,
      [&](ConnectOptions& options) {
        if (*options.environment("RANK") == "2") options.job_digest = "another";
      },
      [&](int, Connected gang) {
        ASSERT_FALSE(gang.ok());
        ExpectRendezvousFailure(gang.status(), {"rank 2", "job", "another"});
        ++ranks;
      });
  EXPECT_EQ(ranks, 3);
}

TEST(Rendezvous, RanksOfAnotherBuildAreNamed) {
  RunGang(
      2, [&](ConnectOptions& options) { options.build = *options.environment("RANK"); },
      [&](int, Connected gang) {
        ASSERT_FALSE(gang.ok());
        ExpectRendezvousFailure(gang.status(), {"rank 1", "build"});
      });
}

TEST(Rendezvous, ARankThatDoesNotComeIsNamedWhenTheTimeIsUp) {
  const int port = FreePort();
  ConnectOptions options = LocalRank(0, 2, port);
  options.startup_timeout = std::chrono::milliseconds(50);
  const Connected gang = Connect(options);
  ASSERT_FALSE(gang.ok());
  ExpectRendezvousFailure(gang.status(), {"rank 1 of 2", "50ms"});
}

TEST(Rendezvous, ARankWhoseRank0NeverAnswersSaysWhereItLooked) {
  const int port = FreePort();
  ConnectOptions options = LocalRank(1, 2, port);
  options.startup_timeout = std::chrono::milliseconds(50);
  const Connected gang = Connect(options);
  ASSERT_FALSE(gang.ok());
  ExpectRendezvousFailure(gang.status(), {"rank 0", Concat("127.0.0.1:", port), "50ms"});
}

TEST(Rendezvous, ATakenPortIsSaid) {
  const int holder = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(holder, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(holder, 1), 0);
  ASSERT_EQ(::getsockname(holder, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const int port = ntohs(address.sin6_port);
  const Connected gang = Connect(LocalRank(0, 2, port));
  ASSERT_FALSE(gang.ok());
  ExpectRendezvousFailure(gang.status(), {std::to_string(port), "taken"});
  ::close(holder);
}

TEST(Rendezvous, ARankOfAnEarlierAttemptIsNotMet) {
  const int port = FreePort();
  ConnectOptions now = LocalRank(0, 2, port), stale = LocalRank(1, 2, port);
  now.startup_timeout = stale.startup_timeout = std::chrono::milliseconds(300);
  const Environment base = now.environment;
  now.environment = [base](const std::string& name) -> std::optional<std::string> {
    if (name == "TORCHELASTIC_RESTART_COUNT") return "1";
    return base(name);
  };
  Status stale_status;
  std::thread other([&] { stale_status = Connect(stale).status(); });
  const Connected gang = Connect(now);
  other.join();
  ASSERT_FALSE(gang.ok());
  ExpectRendezvousFailure(gang.status(), {"rank 1 of 2"});
  EXPECT_EQ(stale_status.code(), StatusCode::kRendezvous) << stale_status;
}

TEST(Rendezvous, LocalRanksFollowFromTheHostNamesWhenTheLauncherIsSilent) {
  RunGang(
      3,
      [&](ConnectOptions& options) {
        options.environment = [base = options.environment](const std::string& name) -> std::optional<std::string> {
          if (name.starts_with("LOCAL_")) return std::nullopt;
          return base(name);
        };
      },
      [&](int rank, Connected gang) {
        ASSERT_TRUE(gang.ok()) << gang.status();
        EXPECT_EQ(gang.value()->local_rank(), rank);
        EXPECT_EQ(gang.value()->local_world(), 3);
        EXPECT_TRUE(gang.value()->Barrier("the end").ok());
      });
}

TEST(Rendezvous, RanksOnOneHostTalkOverLoopback) {
  RunGang(2, [](Communicator& gang) { EXPECT_EQ(gang.name(), "gloo over lo, 2 ranks"); });
}

TEST(Rendezvous, OneProcessNeedsNoBackendAndNoAddress) {
  ConnectOptions options;
  options.environment = MapEnvironment({});
  const Connected gang = Connect(options);
  ASSERT_TRUE(gang.ok()) << gang.status();
  EXPECT_EQ(gang.value()->name(), "one process");
}

TEST(Rendezvous, AnUnknownBackendIsBadInput) {
  ConnectOptions options = LocalRank(0, 2, 1);
  options.backend = "smoke";
  EXPECT_EQ(Connect(options).code(), StatusCode::kInvalidArgument);
}

TEST(Meeting, ProfilesThatShareEverythingAreFine) {
  Profile a, b;
  a.shared = b.shared = {{"job", "x"}};
  b.own = {{"host", "elsewhere"}};
  EXPECT_TRUE(CompareProfiles({a, b}).ok());
}

TEST(Meeting, AFactThatOneRankDoesNotKnowIsADifference) {
  Profile a, b;
  a.shared = {{"job", "x"}};
  EXPECT_EQ(CompareProfiles({a, b}).code(), StatusCode::kRendezvous);
  EXPECT_EQ(CompareProfiles({b, a}).code(), StatusCode::kRendezvous);
}

TEST(Network, TheWayToOneselfIsTheLoopbackInterface) {
  const StatusOr<Route> route = RouteTo("127.0.0.1");
  ASSERT_TRUE(route.ok()) << route.status();
  EXPECT_TRUE(route.value().loopback);
  EXPECT_EQ(route.value().interface, LoopbackInterface().value());
}

TEST(Network, OwnAddressesLeaveLoopbackOutAndEndWithTheHostsName) {
  const std::vector<std::string> addresses = OwnAddresses();
  EXPECT_EQ(addresses.back(), HostName());
  for (const std::string& address : addresses) EXPECT_NE(address.substr(0, 4), "127.");
}

TEST(Network, AClosedPortDoesNotConnect) { EXPECT_FALSE(CanConnect("127.0.0.1", FreePort())); }

}  // namespace
}  // namespace consilium::collective
