#include "coordinator/provision/provision.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <set>

#include "comm/base/file.h"
#include "comm/transport/kit.h"
#include "coordinator/provision/provision_verb.h"
#include "privacy/crypto/x509.h"
#include "privacy/pki/signer.h"
#include "tests/testing/run_program.h"

namespace consilium::coordinator {
namespace {

namespace fs = std::filesystem;
using crypto::Certificate;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;
using transport::ReadKit;
using transport::Role;

mode_t ModeOf(const fs::path& path) {
  struct stat info {};
  CONSILIUM_CHECK(::lstat(path.c_str(), &info) == 0, path);
  return info.st_mode & 07777;
}

Certificate ReadCertificate(const fs::path& path) { return Certificate::FromPem(ReadFile(path).value()).value(); }

std::vector<std::string> NamesIn(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

class ProvisionTest : public ::testing::Test {
 protected:
  ProvisionTest() {
    project_.name = "heart";
    project_.host = "coordinator.example.org";
    project_.port = 8443;
    project_.extra_hosts = {"10.0.0.7"};
    project_.sites = {SiteName("beta"), SiteName("alpha")};
  }
  Project project_;
  consilium::testing::ScratchFolder scratch_;
  const fs::path out_ = scratch_ / "kits";
};

TEST_F(ProvisionTest, EachPartyGetsAKitThatReadsBack) {
  ASSERT_TRUE(MakeKits(project_, out_).ok());
  EXPECT_THAT(NamesIn(out_), UnorderedElementsAre("ca", "coordinator", "alpha", "beta", "admin"));
  const transport::Kit coordinator = ReadKit(KitFolder(out_, "coordinator"), Role::kCoordinator).value();
  EXPECT_THAT(coordinator.sites, ElementsAre(SiteName("alpha"), SiteName("beta")));
  const transport::Kit site = ReadKit(KitFolder(out_, "alpha"), Role::kSite).value();
  EXPECT_EQ(site.self, (transport::PeerName{"heart", Role::kSite, "alpha"}));
  EXPECT_EQ(site.coordinator_host, "coordinator.example.org");
  EXPECT_EQ(site.coordinator_port, 8443);
  EXPECT_TRUE(ReadKit(KitFolder(out_, "admin"), Role::kOperator).ok());
}

TEST_F(ProvisionTest, EachPartySignsWithAKeyOfItsOwnThatTheRosterKnows) {
  ASSERT_TRUE(MakeKits(project_, out_).ok());
  const auto now = std::chrono::system_clock::now();
  std::set<crypto::RawPublicKey> keys;
  std::set<Digest> rosters;
  for (const std::string party : {"coordinator", "alpha", "beta", "admin"}) {
    const transport::Kit kit = ReadKit(KitFolder(out_, party)).value();
    const StatusOr<pki::Trust> trust = pki::LoadTrust(kit.folder, kit.self, now);
    ASSERT_TRUE(trust.ok()) << trust.status();
    keys.insert(trust->signer.key().public_key());
    rosters.insert(trust->roster.digest());
    EXPECT_THAT(trust->roster.sites(), ElementsAre(SiteName("alpha"), SiteName("beta")));
    EXPECT_EQ(ModeOf(kit.folder / "signing.key"), 0600u);
  }
  EXPECT_EQ(keys.size(), 4u);
  EXPECT_EQ(rosters.size(), 1u);
}

TEST_F(ProvisionTest, KeysAreForTheirOwnerAlone) {
  const mode_t before = ::umask(0);  // the most permissive user
  const Status made = MakeKits(project_, out_);
  ::umask(before);
  ASSERT_TRUE(made.ok()) << made;
  EXPECT_EQ(ModeOf(out_), 0700u);
  EXPECT_EQ(ModeOf(out_ / "ca" / "ca.key"), 0600u);
  for (const std::string party : {"coordinator", "alpha", "beta", "admin"}) {
    EXPECT_EQ(ModeOf(out_ / party), 0700u);
    EXPECT_EQ(ModeOf(out_ / party / "tls"), 0700u);
    EXPECT_EQ(ModeOf(out_ / party / "tls" / "tls.key"), 0600u);
    EXPECT_FALSE(fs::exists(out_ / party / "tls" / "ca.key"));
    EXPECT_THAT(NamesIn(out_ / party / "tls"), UnorderedElementsAre("ca.crt", "tls.crt", "tls.key"));
  }
}

TEST_F(ProvisionTest, CertificatesSayWhoTheirOwnerIsAndForHowLong) {
  const auto now = std::chrono::system_clock::from_time_t(1'780'000'000);
  ASSERT_TRUE(MakeKits(project_, out_, {.now = now}).ok());
  const Certificate site = ReadCertificate(out_ / "alpha" / "tls" / "tls.crt");
  EXPECT_EQ(site.subject(), "O = heart, OU = site, CN = alpha");
  EXPECT_THAT(site.uris(), ElementsAre("spiffe://heart/site/alpha"));
  EXPECT_THAT(site.dns_names(), ElementsAre());
  EXPECT_EQ(site.not_before(), now - std::chrono::hours(1));
  EXPECT_EQ(site.not_after(), now + std::chrono::hours(24 * 365));
  const Certificate coordinator = ReadCertificate(out_ / "coordinator" / "tls" / "tls.crt");
  EXPECT_THAT(coordinator.uris(), ElementsAre("spiffe://heart/coordinator/coordinator"));
  EXPECT_THAT(coordinator.dns_names(), ElementsAre("coordinator.heart.consilium", "coordinator.example.org"));
}

TEST_F(ProvisionTest, TheLongestNamesFitIntoCertificates) {
  const std::string longest(63, 'a');
  project_.name = std::string(63, 'p');
  project_.coordinator_name = std::string(63, 'c');
  project_.sites = {SiteName(longest)};
  ASSERT_TRUE(MakeKits(project_, out_).ok());
  EXPECT_EQ(ReadKit(KitFolder(out_, longest)).value().self.name, longest);
}

TEST_F(ProvisionTest, WhatIsThereIsNeverOverwritten) {
  ASSERT_TRUE(MakeKits(project_, out_).ok());
  const std::string before = ReadFile(out_ / "ca" / "ca.crt").value();
  const Status again = MakeKits(project_, out_);
  EXPECT_EQ(again.code(), StatusCode::kAlreadyExists);
  EXPECT_THAT(again.message(), HasSubstr("Choose another folder with -o, or remove this one"));
  EXPECT_EQ(ReadFile(out_ / "ca" / "ca.crt").value(), before);
  EXPECT_THAT(NamesIn(scratch_.path()), ElementsAre("kits"));  // no temporary folder either
}

TEST_F(ProvisionTest, AnEmptyFolderATrailingSlashAndNewParentsAreFine) {
  fs::create_directories(scratch_ / "empty");
  EXPECT_TRUE(MakeKits(project_, scratch_ / "empty").ok());
  EXPECT_TRUE(MakeKits(project_, (scratch_ / "slash").string() + "/").ok());
  EXPECT_TRUE(fs::exists(scratch_ / "slash" / "ca" / "ca.key"));
  EXPECT_TRUE(MakeKits(project_, scratch_ / "deep" / "er").ok());
}

TEST_F(ProvisionTest, AFailureLeavesNothing) {
  project_.sites = {SiteName("UPPER")};
  EXPECT_EQ(MakeKits(project_, out_).code(), StatusCode::kInvalidArgument);
  project_.sites = {SiteName("alpha")};
  // A folder that takes no new entries (its file is in the way) fails after the checks.
  ASSERT_TRUE(WriteFileAtomic(scratch_ / "file", "x").ok());
  EXPECT_FALSE(MakeKits(project_, scratch_ / "file" / "kits").ok());
  EXPECT_THAT(NamesIn(scratch_.path()), ElementsAre("file"));
}

TEST_F(ProvisionTest, TheVerbMakesKitsAndItsExitCodesAreTheContracts) {
  ASSERT_TRUE(WriteFileAtomic(scratch_ / "project.yaml",
                              "name: heart\ncoordinator: {address: 'c.example.org:8443'}\nsites: [alpha]\n")
                  .ok());
  const std::string file = (scratch_ / "project.yaml").string();
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(ProvisionVerb({file, "-o", out_.string()}), 0);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              ::testing::AllOf(HasSubstr("consilium coordinator --kit"), HasSubstr("consilium client --kit"),
                               HasSubstr("Keep " + (out_ / "ca").string() + " offline")));
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(ProvisionVerb({file, "-o", out_.string()}), static_cast<int>(ExitCodeFor(AlreadyExists("x"))));
  EXPECT_EQ(ProvisionVerb({file}), 2);
  EXPECT_EQ(ProvisionVerb({"/nonexistent.yaml", "-o", (scratch_ / "other").string()}), 2);
  ::testing::internal::GetCapturedStderr();
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(ProvisionVerb({file, "-o", (scratch_ / "json").string(), "--json"}), 0);
  const auto json = ParseJson(::testing::internal::GetCapturedStdout(), "stdout");
  ASSERT_TRUE(json.ok());
  EXPECT_EQ((*json)["sites"]["alpha"].get<std::string>(), (scratch_ / "json" / "alpha").string());
}

}  // namespace
}  // namespace consilium::coordinator
