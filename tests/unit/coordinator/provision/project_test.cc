#include "coordinator/provision/project.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace consilium::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

StatusOr<Project> Read(const std::string& text) {
  ASSIGN_OR_RETURN(const ConfigNode node, ConfigNode::Parse(text, "project.yaml"));
  return ReadProject(node);
}

void ExpectBad(const std::string& text, const std::string& reason) {
  const auto project = Read(text);
  EXPECT_EQ(project.code(), StatusCode::kInvalidArgument) << text;
  EXPECT_THAT(project.status().message(), HasSubstr(reason)) << text;
  EXPECT_THAT(project.status().message(), HasSubstr("project.yaml")) << text;
}

TEST(ProjectTest, TheShortestProjectHasDefaults) {
  const Project project =
      Read("name: heart\ncoordinator: {address: 'c.example.org:8443'}\nsites: [alpha, beta]\n").value();
  EXPECT_EQ(project.name, "heart");
  EXPECT_EQ(project.coordinator_name, "coordinator");
  EXPECT_EQ(project.host, "c.example.org");
  EXPECT_EQ(project.port, 8443);
  EXPECT_EQ(project.listen_address, "0.0.0.0");
  EXPECT_THAT(project.sites, ElementsAre(SiteName("alpha"), SiteName("beta")));
  EXPECT_THAT(project.operators, ElementsAre(OperatorSpec{"admin", transport::AllRights()}));
  EXPECT_EQ(project.valid_days, 365);
}

TEST(ProjectTest, EveryKeyIsRead) {
  const Project project = Read(R"(
name: heart
coordinator: {name: boss, address: "10.1.2.3:9000", listen: 127.0.0.1, hosts: [c.example.org, "::1"]}
sites: [alpha]
operators: [eve, adam]
valid_days: 30
ca_valid_days: 60
)")
                              .value();
  EXPECT_EQ(project.coordinator_name, "boss");
  EXPECT_EQ(project.listen_address, "127.0.0.1");
  EXPECT_THAT(project.extra_hosts, ElementsAre("c.example.org", "::1"));
  EXPECT_THAT(project.operators, ElementsAre(OperatorSpec{"eve"}, OperatorSpec{"adam"}));
  EXPECT_EQ(project.valid_days, 30);
  EXPECT_EQ(project.ca_valid_days, 60);
}

TEST(ProjectTest, OperatorsHaveTheRolesThatTheyAreGiven) {
  const std::string start = "name: heart\ncoordinator: {address: 'c:1'}\nsites: [alpha]\n";
  const Project project = Read(start + "operators: {ann: [abort, submit], board: [view]}\n").value();
  EXPECT_THAT(project.operators, ElementsAre(OperatorSpec{"ann", {transport::Right::kSubmit, transport::Right::kAbort}},
                                             OperatorSpec{"board", {transport::Right::kView}}));
  EXPECT_TRUE(Read(start + "operators: []\n").value().operators.empty());
  ExpectBad(start + "operators: {ann: [shout]}\n", "operators.ann: expected a list of submit, view and abort");
  ExpectBad(start + "operators: {ann: []}\n", "operators.ann: expected at least one of submit, view and abort");
  ExpectBad(start + "operators: {alpha: [view]}\n", "'alpha' is taken");
}

TEST(ProjectTest, AddressesOfVersion6NeedBrackets) {
  const Project project = Read("name: heart\ncoordinator: {address: '[2001:db8::1]:8443'}\nsites: [alpha]\n").value();
  EXPECT_EQ(project.host, "2001:db8::1");
  EXPECT_EQ(project.port, 8443);
}

TEST(ProjectTest, FaultsNameTheKeyAndWhatWasExpected) {
  const std::string start = "name: heart\nsites: [alpha]\ncoordinator: {address: ";
  for (const std::string address : {"c.example.org", "':8443'", "'c:'", "'c:0'", "'c:65536'", "'c:84x'", "'c:999999'",
                                    "'::1:8443'", "'a b:1'", "'c/d:1'", "'[]:1'"})
    ExpectBad(start + address + "}\n", "address");
  const std::string rest = "coordinator: {address: 'c:1'}\n";
  ExpectBad(rest + "sites: [alpha]\n", "name is missing");
  ExpectBad("name: heart\nsites: [alpha]\n", "coordinator is missing");
  ExpectBad("name: heart\n" + rest, "sites is missing");
  ExpectBad("name: heart\nsites: []\n" + rest, "at least one");
  ExpectBad("name: Heart\nsites: [alpha]\n" + rest, "'Heart' is not a name");
  ExpectBad("name: heart\nsites: [../alpha]\n" + rest, "'../alpha' is not a name");
  ExpectBad("name: heart\nsites: [alpha, alpha]\n" + rest, "'alpha' is taken");
  ExpectBad("name: heart\nsites: [coordinator]\n" + rest, "'coordinator' is taken");
  ExpectBad("name: heart\nsites: [ca]\n" + rest, "'ca' is taken");
  ExpectBad("name: heart\nsites: [admin]\n" + rest, "'admin' is taken");
  ExpectBad("name: heart\nsites: [alpha]\nvalid_days: 0\n" + rest, "valid_days");
  ExpectBad("name: heart\nsites: [alpha]\nvalid_days: 100\nca_valid_days: 99\n" + rest, "outlive their authority");
  ExpectBad("name: heart\nsites: [alpha]\nsite: [beta]\n" + rest, "did you mean 'sites'");
  ExpectBad("name: heart\nsites: [alpha]\ncoordinator: {address: 'c:1', listen: everywhere}\n", "coordinator.listen");
  ExpectBad("name: heart\nsites: [alpha]\ncoordinator: {address: 'c:1', hosts: ['a b']}\n", "coordinator.hosts");
}

}  // namespace
}  // namespace consilium::coordinator
