#include "comm/transport/kit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "comm/base/file.h"
#include "tests/testing/run_program.h"

namespace consilium::transport {
namespace {

using ::testing::HasSubstr;

class KitTest : public ::testing::Test {
 protected:
  // Writes a kit whose certificates nobody looks at here.
  void Make(const Kit& kit) {
    ASSERT_TRUE(MakeDirectories(folder_ / "tls").ok());
    ASSERT_TRUE(WriteFileAtomic(folder_ / "tls" / "tls.key", "key", 0600).ok());
    ASSERT_TRUE(WriteKitFile(kit, folder_).ok());
  }
  Kit Coordinator() const {
    Kit kit;
    kit.self = {"heart", Role::kCoordinator, "boss"};
    kit.coordinator_name = "boss";
    kit.coordinator_host = "coordinator.example.org";
    kit.coordinator_port = 8443;
    kit.listen_address = "127.0.0.1";
    kit.sites = {SiteName("alpha"), SiteName("beta")};
    return kit;
  }
  void ExpectBroken(const std::string& json, const std::string& reason) {
    ASSERT_TRUE(WriteFileAtomic(folder_ / "kit.json", json).ok());
    const auto kit = ReadKit(folder_);
    EXPECT_EQ(kit.code(), StatusCode::kInvalidArgument) << json;
    EXPECT_THAT(kit.status().message(), HasSubstr(reason));
    EXPECT_THAT(kit.status().message(), HasSubstr("kit.json"));
  }

  consilium::testing::ScratchFolder scratch_;
  const std::filesystem::path folder_ = scratch_ / "kit";
};

TEST_F(KitTest, WhatWasWrittenIsRead) {
  Make(Coordinator());
  const Kit kit = ReadKit(folder_).value();
  EXPECT_EQ(kit.self, Coordinator().self);
  EXPECT_EQ(kit.coordinator_name, "boss");
  EXPECT_EQ(kit.coordinator_host, "coordinator.example.org");
  EXPECT_EQ(kit.coordinator_port, 8443);
  EXPECT_EQ(kit.listen_address, "127.0.0.1");
  EXPECT_EQ(kit.sites, Coordinator().sites);
  EXPECT_EQ(kit.tls.key, folder_ / "tls" / "tls.key");
}

TEST_F(KitTest, ASitesKitDoesNotNameTheOtherSites) {
  Kit site = Coordinator();
  site.self = {"heart", Role::kSite, "alpha"};
  Make(site);
  EXPECT_THAT(ReadFile(folder_ / "kit.json").value(), ::testing::Not(HasSubstr("beta")));
  EXPECT_TRUE(ReadKit(folder_, Role::kSite).value().sites.empty());
}

TEST_F(KitTest, AnotherRolesKitIsRefusedInWords) {
  Make(Coordinator());
  const auto kit = ReadKit(folder_, Role::kSite);
  EXPECT_EQ(kit.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(kit.status().message(),
              HasSubstr("is the kit of the coordinator 'boss'; this command needs the kit of a site"));
  EXPECT_TRUE(ReadKit(folder_, Role::kCoordinator).ok());
}

TEST_F(KitTest, AKeyThatOthersCanReadIsRefusedWithTheMend) {
  Make(Coordinator());
  for (const mode_t mode : {0640, 0604, 0660, 0644}) {
    ASSERT_EQ(::chmod((folder_ / "tls" / "tls.key").c_str(), mode), 0);
    const auto kit = ReadKit(folder_);
    EXPECT_EQ(kit.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(kit.status().message(), HasSubstr("chmod 600 " + (folder_ / "tls" / "tls.key").string()));
  }
  ASSERT_EQ(::chmod((folder_ / "tls" / "tls.key").c_str(), 0400), 0);
  EXPECT_TRUE(ReadKit(folder_).ok());
}

TEST_F(KitTest, AFolderThatIsNoKitSaysSo) {
  const auto kit = ReadKit(scratch_.path());
  EXPECT_EQ(kit.code(), StatusCode::kNotFound);
  EXPECT_THAT(kit.status().message(), HasSubstr("is not a kit"));
}

TEST_F(KitTest, AMissingKeyFileIsNamed) {
  Make(Coordinator());
  std::filesystem::remove(folder_ / "tls" / "tls.key");
  const auto kit = ReadKit(folder_);
  EXPECT_EQ(kit.code(), StatusCode::kNotFound);
  EXPECT_THAT(kit.status().message(), HasSubstr("tls.key"));
}

TEST_F(KitTest, EveryFaultInTheKitFileNamesItsKey) {
  Make(Coordinator());
  const std::string coordinator = R"("coordinator": {"name": "boss", "host": "h", "port": 1})";
  ExpectBroken("{", "kit.json");
  ExpectBroken("[]", "key: value");
  ExpectBroken("{}", "version is missing");
  ExpectBroken(R"({"version": 2, "project": "p", "role": "site", "name": "a", )" + coordinator + "}", "version");
  ExpectBroken(R"({"version": 1, "project": "P!", "role": "site", "name": "a", )" + coordinator + "}", "project");
  ExpectBroken(R"({"version": 1, "project": "p", "role": "stie", "name": "a", )" + coordinator + "}",
               "did you mean 'site'");
  ExpectBroken(R"({"version": 1, "project": "p", "role": "site", "name": "../a", )" + coordinator + "}", "name");
  ExpectBroken(R"({"version": 1, "project": "p", "role": "site", "name": "a"})", "coordinator is missing");
  ExpectBroken(
      R"({"version": 1, "project": "p", "role": "site", "name": "a", "coordinator": {"name": "b", "host": "h"}})",
      "coordinator.port is missing");
  ExpectBroken(R"({"version": 1, "project": "p", "role": "site", "name": "a", )"
               R"("coordinator": {"name": "b", "host": "h", "port": 70000}})",
               "coordinator.port");
  ExpectBroken(R"({"version": 1, "project": "p", "role": "site", "name": "a", "sties": [], )" + coordinator + "}",
               "sties");
  ExpectBroken(
      R"({"version": 1, "project": "p", "role": "coordinator", "name": "a", "sites": ["A"], )" + coordinator + "}",
      "'A' is not a valid name");
}

TEST(PeerNameTest, TheUriReadsBackForEveryRole) {
  for (const Role role : {Role::kCoordinator, Role::kSite, Role::kOperator}) {
    const PeerName peer{"heart", role, "hospital-a"};
    EXPECT_EQ(PeerNameFromUri(ToUri(peer)).value(), peer);
  }
  EXPECT_EQ(ToUri({"heart", Role::kSite, "hospital-a"}), "spiffe://heart/site/hospital-a");
  EXPECT_EQ(CoordinatorDnsName("heart", "boss"), "boss.heart.consilium");
}

TEST(PeerNameTest, AnOperatorsRightsAreInItsUriInOneOrder) {
  for (const Rights& rights : {Rights{Right::kView}, Rights{Right::kAbort, Right::kSubmit}, AllRights()}) {
    const PeerName ann{"heart", Role::kOperator, "ann", rights};
    EXPECT_EQ(PeerNameFromUri(ToUri(ann)).value(), ann);
  }
  EXPECT_EQ(ToUri({"heart", Role::kOperator, "ann", AllRights()}), "spiffe://heart/operator/ann/submit.view.abort");
  EXPECT_TRUE(PeerNameFromUri("spiffe://heart/operator/ann").value().rights.empty());
  for (const std::string path :
       {"operator/ann/", "operator/ann/view.submit", "operator/ann/view.view", "operator/ann/.view",
        "operator/ann/shout", "operator/ann/view/abort", "site/a/view", "coordinator/b/view"})
    EXPECT_EQ(PeerNameFromUri("spiffe://heart/" + path).code(), StatusCode::kUnauthenticated) << path;
}

TEST(PeerNameTest, AnythingElseIsUnauthenticated) {
  for (const std::string uri :
       {"", "spiffe://", "spiffe://heart", "spiffe://heart/site", "spiffe://heart/site/", "spiffe:///site/a",
        "spiffe://heart/site/a/b", "spiffe://heart//site/a", "spiffe://heart/Site/a", "spiffe://heart/site/A",
        "spiffe://heart/site/a?x", "spiffe://heart/site/a b", "spiffe://he art/site/a", "SPIFFE://heart/site/a",
        "http://heart/site/a", "spiffe://heart/admin/a", "spiffe://heart/site/-a", " spiffe://heart/site/a"}) {
    EXPECT_EQ(PeerNameFromUri(uri).code(), StatusCode::kUnauthenticated) << uri;
  }
  EXPECT_EQ(PeerNameFromUri("spiffe://heart/site/" + std::string(64, 'a')).code(), StatusCode::kUnauthenticated);
  EXPECT_EQ(PeerNameFromUri(std::string("spiffe://heart/site/a\0b", 23)).code(), StatusCode::kUnauthenticated);
}

}  // namespace
}  // namespace consilium::transport
