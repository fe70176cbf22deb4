#include "comm/transport/host_port.h"

#include <gtest/gtest.h>

#include "comm/transport/kit.h"

namespace consilium::transport {
namespace {

TEST(HostPort, NamesAddressesAndBracketsAreTakenApart) {
  const struct {
    const char *text, *host;
    int port;
  } cases[] = {{"hub.example.org:8443", "hub.example.org", 8443},
               {"10.0.0.1:1", "10.0.0.1", 1},
               {"[2001:db8::1]:8443", "2001:db8::1", 8443},
               {":0", "", 0},
               {"[::]:65536", "::", 65536}};
  for (const auto& [text, host, port] : cases) {
    const std::optional<HostPort> split = SplitHostPort(text);
    ASSERT_TRUE(split) << text;
    EXPECT_EQ(split->host, host);
    EXPECT_EQ(split->port, port);
  }
}

TEST(HostPort, WhatHasNoClearPortIsRefused) {
  for (const char* text :
       {"", "hub", "hub:", "hub:x", "hub:-1", "hub:+1", "hub:123456", "hub: 1", "2001:db8::1", "::1:8443"})
    EXPECT_FALSE(SplitHostPort(text)) << text;
}

TEST(Kit, IsPointedAtAnotherAddressOnlyWithAHostAndAPort) {
  Kit kit = {.self = {}, .coordinator_name = {}, .coordinator_host = "hub", .coordinator_port = 8443};
  ASSERT_TRUE(PointKitAt("", &kit).ok());
  EXPECT_EQ(kit.coordinator_host, "hub") << "nothing given, nothing changed";
  ASSERT_TRUE(PointKitAt("[::1]:99", &kit).ok());
  EXPECT_EQ(kit.coordinator_host, "::1");
  EXPECT_EQ(kit.coordinator_port, 99);
  for (const char* text : {"hub", ":8443", "hub:0", "hub:65536", "[]:1"}) {
    const Status status = PointKitAt(text, &kit);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << text;
    EXPECT_NE(status.message().find("is not host:port"), std::string::npos);
  }
}

}  // namespace
}  // namespace consilium::transport
