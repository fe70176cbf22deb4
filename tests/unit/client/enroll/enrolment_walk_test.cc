// The whole walk of an administrator and a site, by the commands that they type.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "client/enroll/enroll_verb.h"
#include "comm/base/file.h"
#include "comm/transport/grpc/own_certificate.h"
#include "coordinator/doctor/doctor.h"
#include "coordinator/provision/provision_verb.h"
#include "privacy/pki/signer.h"
#include "tests/testing/run_program.h"

namespace consilium::client {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

struct Said {
  int exit_code = -1;
  std::string text;
  Json json = nullptr;
};

class EnrolmentWalk : public ::testing::Test {
 protected:
  EnrolmentWalk() {
    CONSILIUM_CHECK(WriteFileAtomic(scratch_ / "project.yaml",
                                    "name: heart\ncoordinator: {address: 'localhost:8443'}\nsites: [alpha, beta]\n")
                        .ok());
    CONSILIUM_CHECK(Provision({At("project.yaml"), "-o", At("kits")}).exit_code == 0);
  }
  std::string At(const std::string& name) const { return (scratch_ / name).string(); }
  static Said Run(int (*verb)(const Arguments&), Arguments arguments) {
    arguments.push_back("--json");
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    Said said;
    said.exit_code = verb(arguments);
    said.text = ::testing::internal::GetCapturedStderr();
    const StatusOr<Json> json = ParseJson(::testing::internal::GetCapturedStdout(), "stdout");
    if (json.ok()) said.json = *json;
    return said;
  }
  static Said Provision(Arguments arguments) { return Run(coordinator::ProvisionVerb, std::move(arguments)); }
  static Said Enroll(Arguments arguments) { return Run(EnrollVerb, std::move(arguments)); }
  StatusOr<pki::Trust> Trust(const std::string& kit) const {
    const StatusOr<transport::Kit> read = transport::ReadKit(scratch_ / kit);
    if (!read.ok()) return read.status();
    return pki::LoadTrust(scratch_ / kit, read->self, std::chrono::system_clock::now());
  }
  Said Sign(const std::string& request, const std::string& fingerprint) {
    Arguments arguments = {"sign", request, "--ca", At("kits/ca"), "-o", At("answer.json")};
    if (!fingerprint.empty()) arguments.insert(arguments.end(), {"--fingerprint", fingerprint});
    return Provision(arguments);
  }
  // delta, from the invitation to the answer.
  void EnrollDelta() {
    ASSERT_EQ(Provision({"invite", "delta", "--ca", At("kits/ca"), "-o", At("invitation.json")}).exit_code, 0);
    const Said begun = Enroll({At("invitation.json"), "--kit", At("delta")});
    ASSERT_EQ(begun.exit_code, 0) << begun.text;
    ASSERT_EQ(Sign(begun.json["request"], begun.json["fingerprint"]).exit_code, 0);
    ASSERT_EQ(Enroll({"--kit", At("delta"), "--install", At("answer.json")}).exit_code, 0);
  }
  consilium::testing::ScratchFolder scratch_;
};

TEST_F(EnrolmentWalk, ASiteThatMadeItsOwnKeysTakesPartAndNoSecretLeftIt) {
  EnrollDelta();
  const StatusOr<pki::Trust> trust = Trust("delta");
  ASSERT_TRUE(trust.ok()) << trust.status();
  EXPECT_EQ(trust->roster.serial(), 2u);
  EXPECT_EQ(trust->roster.sites().size(), 3u);
  const transport::Kit kit = transport::ReadKit(scratch_ / "delta", transport::Role::kSite).value();
  EXPECT_TRUE(transport::LoadOwnCertificate(kit.tls, transport::Role::kSite).ok());
  EXPECT_FALSE(fs::exists(scratch_ / "delta" / "enrolment"));
  // Neither paper has a private key in it, nor has the authority's folder one of delta's.
  for (const std::string file : {"invitation.json", "answer.json", "kits/ca/issued.json", "kits/ca/roster.json"})
    EXPECT_THAT(ReadFile(scratch_ / file).value(), Not(HasSubstr("PRIVATE KEY"))) << file;
}

TEST_F(EnrolmentWalk, AFirstRequestNeedsTheFingerprintThatAPersonReadOut) {
  ASSERT_EQ(Provision({"invite", "delta", "--ca", At("kits/ca"), "-o", At("invitation.json")}).exit_code, 0);
  const Said begun = Enroll({At("invitation.json"), "--kit", At("delta")});
  EXPECT_THAT(transport::ReadKit(scratch_ / "delta").status().message(), HasSubstr("--install ANSWER"));
  const Said without = Sign(begun.json["request"], "");
  EXPECT_EQ(without.exit_code, 2);
  EXPECT_THAT(without.text, Not(HasSubstr(begun.json["fingerprint"].get<std::string>())))
      << "copied from the screen it would compare nothing";
  EXPECT_THAT(without.text, HasSubstr("let them read the fingerprint"));
  // Somebody on the way put their own keys into the file.
  const Said attacker = Enroll({At("invitation.json"), "--kit", At("attacker")});
  const Said swapped = Sign(attacker.json["request"], begun.json["fingerprint"]);
  EXPECT_EQ(swapped.exit_code, 7);
  EXPECT_THAT(swapped.text, HasSubstr("not the file that the person you spoke to made"));
  EXPECT_FALSE(fs::exists(scratch_ / "answer.json"));
  // The site sees another authority in the same way.
  const Said other = Enroll({At("invitation.json"), "--kit", At("delta2"), "--authority", "0000 1111"});
  EXPECT_EQ(other.exit_code, 7);
  EXPECT_FALSE(fs::exists(scratch_ / "delta2"));
}

TEST_F(EnrolmentWalk, AnAnswerForOtherKeysOrAnotherPartyIsNotInstalled) {
  EnrollDelta();
  const std::string answer = ReadFile(scratch_ / "answer.json").value();
  const Said again = Enroll({"--kit", At("delta"), "--install", At("answer.json")});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.text, HasSubstr("no keys wait"));
  ASSERT_EQ(Enroll({"--kit", At("delta"), "--renew"}).exit_code, 0);
  const Said old = Enroll({"--kit", At("delta"), "--install", At("answer.json")});
  EXPECT_EQ(old.exit_code, 7);
  EXPECT_THAT(old.text, HasSubstr("it answers another request"));
  ASSERT_EQ(Enroll({"--kit", At("kits/alpha"), "--renew"}).exit_code, 0);
  EXPECT_THAT(Enroll({"--kit", At("kits/alpha"), "--install", At("answer.json")}).text,
              HasSubstr("is the answer for 'delta'; this kit is 'alpha'"));
  EXPECT_TRUE(Trust("delta").ok());  // what is in use still holds
}

TEST_F(EnrolmentWalk, ARenewalIsProvenByTheKeyInUseAndReplacesIt) {
  const crypto::RawPublicKey before = Trust("kits/alpha")->signer.key().public_key();
  const Said begun = Enroll({"--kit", At("kits/alpha"), "--renew"});
  ASSERT_EQ(begun.exit_code, 0) << begun.text;
  EXPECT_EQ(Trust("kits/alpha")->signer.key().public_key(), before);  // until the answer
  ASSERT_EQ(Sign(begun.json["request"], "").exit_code, 0);
  ASSERT_EQ(Enroll({"--kit", At("kits/alpha"), "--install", At("answer.json")}).exit_code, 0);
  EXPECT_NE(Trust("kits/alpha")->signer.key().public_key(), before);
  // beta signs with its own key for alpha: refused.
  ASSERT_EQ(Enroll({"--kit", At("kits/beta"), "--renew"}).exit_code, 0);
  Json forged = ReadJson(scratch_ / "kits/beta/enrolment/request.json").value();
  forged["name"] = "alpha";
  ASSERT_TRUE(WriteJson(scratch_ / "forged.json", forged).ok());
  const Said refused = Sign(At("forged.json"), "");
  EXPECT_EQ(refused.exit_code, 7);
  EXPECT_THAT(refused.text, HasSubstr("not signed by the key that the roster has for 'alpha'"));
}

TEST_F(EnrolmentWalk, ASiteCannotAskForTheCoordinatorsNameOrRole) {
  ASSERT_EQ(Enroll({"--kit", At("kits/alpha"), "--renew"}).exit_code, 0);
  Json forged = ReadJson(scratch_ / "kits/alpha/enrolment/request.json").value();
  forged["role"] = "coordinator";
  ASSERT_TRUE(WriteJson(scratch_ / "forged.json", forged).ok());
  EXPECT_EQ(Sign(At("forged.json"), "").exit_code, 2);
  forged["name"] = "coordinator";
  forged["role"] = "site";
  ASSERT_TRUE(WriteJson(scratch_ / "forged.json", forged).ok());
  EXPECT_THAT(Sign(At("forged.json"), "").text, HasSubstr("'coordinator' is the name of the coordinator already"));
}

TEST_F(EnrolmentWalk, ARevokedSiteIsNamedAndAnOlderRosterDoesNotBringItBack) {
  fs::copy_file(scratch_ / "kits/ca/roster.json", scratch_ / "old.json");
  const Said revoked = Provision({"revoke", "beta", "--ca", At("kits/ca"), "--reason", "laptop stolen"});
  ASSERT_EQ(revoked.exit_code, 0) << revoked.text;
  EXPECT_EQ(revoked.json["revoked"], 2);  // TLS and signing
  for (const std::string kit : {"kits/alpha", "kits/beta"})
    ASSERT_EQ(Enroll({"--kit", At(kit), "--roster", At("kits/ca/roster.json")}).exit_code, 0);
  EXPECT_TRUE(Trust("kits/alpha").ok());
  EXPECT_EQ(Trust("kits/alpha")->roster.KeyOf(SiteName("beta"), std::chrono::system_clock::now()).code(),
            StatusCode::kPermissionDenied);
  EXPECT_EQ(Trust("kits/beta").code(), StatusCode::kUnauthenticated);
  const Said old = Enroll({"--kit", At("kits/alpha"), "--roster", At("old.json")});
  EXPECT_EQ(old.exit_code, 7);
  EXPECT_THAT(old.text, HasSubstr("has 2 already"));
  // It comes back with new keys and a fingerprint, not with the old key's word.
  const Said begun = Enroll({"--kit", At("kits/beta"), "--renew"});
  EXPECT_NE(Sign(begun.json["request"], "").exit_code, 0);
  EXPECT_EQ(Sign(begun.json["request"], begun.json["fingerprint"]).exit_code, 0);
  EXPECT_EQ(Enroll({"--kit", At("kits/beta"), "--install", At("answer.json")}).exit_code, 0);
  EXPECT_TRUE(Trust("kits/beta").ok());
  EXPECT_EQ(Provision({"revoke", "nobody", "--ca", At("kits/ca"), "--reason", "x"}).exit_code, 2);
}

TEST_F(EnrolmentWalk, DoctorNamesTheFaultOfEachKit) {
  const auto doctor = [&](const std::string& kit) {
    std::string text;
    for (const Finding& finding : coordinator::CheckKit(scratch_ / kit))
      if (finding.level == FindingLevel::kFail) text += finding.subject + ": " + finding.detail + "\n";
    return text;
  };
  const fs::path alpha = scratch_ / "kits" / "alpha";
  EXPECT_EQ(doctor("kits/alpha"), "");
  fs::copy_file(alpha / "signing.pem", alpha / "kept.pem");
  fs::copy_file(alpha / "tls" / "tls.crt", alpha / "signing.pem", fs::copy_options::overwrite_existing);
  EXPECT_THAT(doctor("kits/alpha"), HasSubstr("signing.pem is a TLS certificate"));
  fs::copy_file(scratch_ / "kits/beta/signing.pem", alpha / "signing.pem", fs::copy_options::overwrite_existing);
  EXPECT_THAT(doctor("kits/alpha"), HasSubstr("does not belong to the signing certificate"));
  fs::copy_file(alpha / "kept.pem", alpha / "signing.pem", fs::copy_options::overwrite_existing);
  ASSERT_EQ(::chmod((alpha / "signing.key").c_str(), 0644), 0);
  EXPECT_THAT(doctor("kits/alpha"), HasSubstr("run: chmod 600"));
  ASSERT_EQ(::chmod((alpha / "signing.key").c_str(), 0600), 0);
  ASSERT_EQ(Provision({At("project.yaml"), "-o", At("others")}).exit_code, 0);
  fs::copy_file(scratch_ / "others/alpha/roster.json", alpha / "roster.json", fs::copy_options::overwrite_existing);
  EXPECT_THAT(doctor("kits/alpha"), HasSubstr("is not signed by the authority"));
}

TEST_F(EnrolmentWalk, OneThingAtATime) {
  EXPECT_EQ(Enroll({"--kit", At("kits/alpha")}).exit_code, 2);
  EXPECT_EQ(Enroll({"--kit", At("kits/alpha"), "--renew", "--roster", "x"}).exit_code, 2);
  EXPECT_EQ(Enroll({At("nothing.json"), "--kit", At("x")}).exit_code, 2);
  EXPECT_EQ(Provision({"invite", "UPPER", "--ca", At("kits/ca"), "-o", At("i.json")}).exit_code, 2);
  EXPECT_EQ(Provision({"invite", "delta", "--ca", At("kits/alpha"), "-o", At("i.json")}).exit_code, 2);
}

}  // namespace
}  // namespace consilium::client
