// Ways to the coordinator other than a straight IPv4 connection: HTTP proxies and IPv6.
#include "comm/transport/grpc/proxy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/comm/transport/grpc/connect_proxy.h"
#include "tests/unit/comm/transport/grpc/rig.h"

namespace consilium::transport::testing {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(Proxy, AnAddressHasAHostAPortAndMaybeAName) {
  for (const auto& [url, where, authorization] :
       {std::tuple{"http://proxy.example.org:3128", "proxy.example.org:3128", ""},
        {"proxy:8080", "proxy:8080", ""},
        {"HTTP://proxy:8080/", "proxy:8080", ""},
        {"http://[2001:db8::1]:3128", "[2001:db8::1]:3128", ""},
        {"http://joe:secret@proxy:1", "proxy:1", "Basic am9lOnNlY3JldA=="},
        {"http://joe:p%40ss%3A@proxy:1", "proxy:1", "Basic am9lOnBAc3M6"},
        {"http://joe@proxy:1", "proxy:1", "Basic am9lOg=="}}) {
    const StatusOr<Proxy> proxy = ParseProxy(url);
    ASSERT_TRUE(proxy.ok()) << url << ": " << proxy.status();
    EXPECT_EQ(proxy->where(), where);
    EXPECT_EQ(proxy->authorization, authorization);
  }
}

TEST(Proxy, WhatIsNoAddressIsRefusedWithoutRepeatingThePassword) {
  for (const char* url : {"", "proxy", "proxy:", "proxy:0", "proxy:65536", "proxy:3128x", "https://proxy:3128", ":3128",
                          "socks5://joe:secret@proxy:1", "http://joe:secret@proxy", "http://joe:secret%0d%0a@proxy:1",
                          "http://pro xy:1", "http://proxy/path:1"}) {
    const StatusOr<Proxy> proxy = ParseProxy(url);
    EXPECT_EQ(proxy.code(), StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(proxy.status().message(), Not(HasSubstr("secret"))) << url;
  }
}

TEST(Proxy, NoProxyNamesHostsWhatIsBelowThemAndNetworks) {
  for (const auto& [list, host] : {std::pair{"*", "anything"},
                                   {"hub.example.org", "HUB.example.org"},
                                   {"example.org", "hub.example.org"},
                                   {".example.org", "hub.example.org"},
                                   {"*.example.org", "hub.example.org"},
                                   {"a, b,example.org", "hub.example.org"},
                                   {"10.0.0.0/8", "10.200.3.4"},
                                   {"2001:db8::/32", "2001:db8:1::5"},
                                   {"10.1.2.3", "10.1.2.3"}})
    EXPECT_TRUE(GoesAround(list, host)) << list << " " << host;
  for (const auto& [list, host] : {std::pair{"", "hub"},
                                   {"example.org", "hub-example.org"},
                                   {"hub.example.org", "example.org"},
                                   {"10.0.0.0/8", "11.0.0.1"},
                                   {"10.0.0.0/33", "10.0.0.1"},
                                   {"10.0.0.0/8x", "10.0.0.1"},
                                   {"0.0.1", "10.0.0.1"},
                                   {"10.0.0.0/8", "hub"}})
    EXPECT_FALSE(GoesAround(list, host)) << list << " " << host;
}

TEST(Proxy, TheOptionComesBeforeTheEnvironmentAndThisMachineIsNeverBehindAProxy) {
  std::map<std::string, std::string> variables = {{"https_proxy", "http://env:1"}, {"no_proxy", "near.example.org"}};
  const auto chosen = [&](const std::string& setting, const std::string& host) {
    const auto proxy = ChooseProxy(setting, host, [&](const char* name) -> std::optional<std::string> {
                         const auto found = variables.find(name);
                         return found == variables.end() ? std::nullopt : std::optional(found->second);
                       }).value();
    return proxy ? proxy->where() : std::string("none");
  };
  EXPECT_EQ(chosen("", "far.example.org"), "env:1");
  EXPECT_EQ(chosen("", "near.example.org"), "none");
  EXPECT_EQ(chosen("", "127.0.0.1"), "none");
  EXPECT_EQ(chosen("", "::1"), "none");
  EXPECT_EQ(chosen("http://option:2", "near.example.org"), "option:2");
  EXPECT_EQ(chosen("http://option:2", "127.0.0.1"), "option:2");
  EXPECT_EQ(chosen("none", "far.example.org"), "none");
  variables = {{"HTTPS_PROXY", "capital:3"}};
  EXPECT_EQ(chosen("", "far.example.org"), "capital:3");
  variables = {{"https_proxy", ""}};
  EXPECT_EQ(chosen("", "far.example.org"), "none");
}

TEST(Proxy, ASiteWorksThroughOne) {
  Rig rig;
  ConnectProxy proxy({});
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.proxy = Concat("http://127.0.0.1:", proxy.port());
  const auto site = rig.Connect(options);
  rig.ExpectWorks(site.get());
  EXPECT_THAT(proxy.requests(),
              AllOf(Not(IsEmpty()), Each(Concat("CONNECT 127.0.0.1:", rig.coordinator().port(), " HTTP/1.1"))));
}

TEST(Proxy, ASiteWorksThroughOneThatWantsAPassword) {
  Rig rig;
  ConnectProxy proxy({.authorization = "Basic am9lOnNlY3JldA=="});
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.proxy = Concat("http://joe:secret@127.0.0.1:", proxy.port());
  const auto site = rig.Connect(options);
  rig.ExpectWorks(site.get());
}

TEST(Proxy, EachWayAProxyRefusesIsToldInWords) {
  Rig rig;
  const auto through = [&](ConnectProxy::Options behaviour, const std::string& user) {
    ConnectProxy proxy(std::move(behaviour));
    GrpcClientOptions options = rig.ClientOptions("alpha");
    options.proxy = Concat("http://", user, "127.0.0.1:", proxy.port());
    options.connect_timeout = std::chrono::seconds(2);
    const Status status = rig.TryConnect(options);
    EXPECT_THAT(status.message(),
                AllOf(HasSubstr(Concat("the HTTP proxy 127.0.0.1:", proxy.port())), Not(HasSubstr("secret"))));
    return status;
  };
  const Status no_name = through({.authorization = "Basic x"}, "");
  EXPECT_EQ(no_name.code(), StatusCode::kUnauthenticated);
  EXPECT_THAT(no_name.message(), HasSubstr("wants a name and a password (407)"));
  const Status wrong_name = through({.authorization = "Basic x"}, "joe:secret@");
  EXPECT_EQ(wrong_name.code(), StatusCode::kUnauthenticated);
  EXPECT_THAT(wrong_name.message(), HasSubstr("does not accept the name and the password"));
  const Status forbidden = through({.refusal = "HTTP/1.1 403 Forb\033idden\r\n\r\n"}, "");
  EXPECT_EQ(forbidden.code(), StatusCode::kPermissionDenied);
  EXPECT_THAT(forbidden.message(),
              HasSubstr(Concat("refuses connections to 127.0.0.1:", rig.coordinator().port(), " (403 Forb?idden)")));
  const Status lost = through({.refusal = "HTTP/1.1 504 Gateway Timeout\r\n\r\n"}, "");
  EXPECT_EQ(lost.code(), StatusCode::kUnavailable);
  EXPECT_THAT(lost.message(), HasSubstr("(504 Gateway Timeout)"));
  const Status other = through({.refusal = "SSH-2.0-OpenSSH_9.2\r\n\r\n"}, "");
  EXPECT_EQ(other.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(other.message(), HasSubstr("does not answer like an HTTP proxy"));
}

TEST(Proxy, AnAbsentProxyIsNamedAndTriedAgainLater) {
  Rig rig;
  GrpcClientOptions options = rig.ClientOptions("alpha");
  {
    ConnectProxy gone({});
    options.proxy = Concat("http://127.0.0.1:", gone.port());
  }
  options.connect_timeout = std::chrono::seconds(2);
  const Status status = rig.TryConnect(options);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("the HTTP proxy 127.0.0.1"), HasSubstr("connection refused")));
}

TEST(Ipv6, ASiteWorksOverIt) {
  if (!CheckPortIsFree("::1", 0).ok()) GTEST_SKIP() << "this machine has no ::1";
  for (const char* address : {"::1", "::"}) {
    Rig rig([&](GrpcServerOptions* options) { options->address = address; });
    GrpcClientOptions options = rig.ClientOptions("alpha");
    options.host = "::1";
    rig.ExpectWorks(rig.Connect(options).get());
    ConnectProxy proxy({});
    options.proxy = Concat("http://127.0.0.1:", proxy.port());
    rig.ExpectWorks(rig.Connect(options).get());
    EXPECT_THAT(proxy.requests(), Each(HasSubstr("CONNECT [::1]:")));
  }
}

TEST(Ipv6, AClosedPortIsNamedWithBrackets) {
  if (!CheckPortIsFree("::1", 0).ok()) GTEST_SKIP() << "this machine has no ::1";
  Rig rig;
  GrpcClientOptions options = rig.ClientOptions("alpha");
  options.host = "::1";
  options.port = 1;
  options.connect_timeout = std::chrono::seconds(2);
  EXPECT_THAT(rig.TryConnect(options).message(), HasSubstr("nothing listens on [::1]:1"));
}

}  // namespace
}  // namespace consilium::transport::testing
