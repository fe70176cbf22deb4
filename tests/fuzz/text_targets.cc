// Texts that people or other programs write: jobs, policies, rosters, audit logs, headers.
#include "client/core/session_state.h"
#include "comm/base/config.h"
#include "comm/base/json.h"
#include "comm/tensor/safetensors_header.h"
#include "comm/wire/job.h"
#include "coordinator/provision/project.h"
#include "privacy/pki/roster_text.h"
#include "privacy/policy/audit_check.h"
#include "privacy/policy/site_policy.h"
#include "target.h"

namespace consilium::fuzz {
namespace {

std::string TextOf(ByteSpan input) { return std::string(AsText(input)); }

Bytes BytesOf(std::string_view text) { return Bytes(text.begin(), text.end()); }

void ReadJobText(ByteSpan input) {
  const StatusOr<ConfigNode> root = ConfigNode::Parse(TextOf(input), "job.yaml");
  if (!root.ok()) return;
  const StatusOr<wire::JobSpec> job = wire::ParseJob(*root);
  if (!job.ok()) return Require(!job.status().message().empty(), "an error says what is wrong");
  const std::string resolved = wire::JobToJson(*job).dump();
  const StatusOr<ConfigNode> again = ConfigNode::Parse(resolved, "resolved job");
  Require(again.ok(), "a resolved job is YAML");
  const StatusOr<wire::JobSpec> same = wire::ParseJob(*again);
  Require(same.ok(), "a resolved job is a job");
  Require(wire::JobToJson(*same).dump() == resolved, "a resolved job resolves to itself");
}

void ReadSessionText(ByteSpan input) {
  const StatusOr<Json> json = ParseJson(TextOf(input), "session.json");
  if (!json.ok()) return;
  const StatusOr<client::SessionState> state = client::SessionState::FromJson(*json);
  if (!state.ok()) return;
  const StatusOr<client::SessionState> again = client::SessionState::FromJson(state->ToJson());
  Require(again.ok() && *again == *state, "what a site remembers is written and read to the same");
}

void ReadRosterText(ByteSpan input) {
  const StatusOr<pki::RosterText> roster = pki::ParseRosterText(TextOf(input), "roster");
  if (!roster.ok()) return;
  const StatusOr<pki::RosterText> again =
      pki::ParseRosterText(pki::FormatRosterText(roster->contents, roster->signature), "roster");
  Require(again.ok() && again->contents == roster->contents, "a roster is written and read to the same");
}

void ReadAuditText(ByteSpan input) {
  const StatusOr<policy::AuditFindings> findings = policy::CheckAuditText(TextOf(input), {});
  if (findings.ok() && findings->entries == 0) Require(findings->head == Digest(), "an empty log has no head");
}

std::string SomeRoster() {
  pki::RosterContents contents{.project = "brain", .serial = 3};
  contents.parties = {{.name = "hospital-a", .certificate = "0a"}, {.name = "hospital-b", .certificate = "0b"}};
  contents.revoked = {{.certificate = "0c", .name = "hospital-c", .reason = "left"}};
  return pki::FormatRosterText(contents, Bytes(64));
}

std::string SomeAuditLog() {
  policy::AuditEntry first{.time = "2026-01-02T03:04:05.678Z", .actor = "hospital-a", .type = "opened"};
  first.detail = {{"job", "heart"}};
  policy::AuditEntry second = first;
  second.seq = 1, second.previous = policy::HashOf(first);
  return policy::ToLine(first) + "\n" + policy::ToLine(second) + "\n";
}

std::string SomeSession() {
  const wire::TaskKey task{JobId("heart"), Round{3}};
  client::SessionState state;
  client::Trained trained;
  trained.update = {Sha256Of("u"), 1, {Sha256Of("u")}};
  trained.metrics = {{"loss", 0.5}};
  state.Add({task, trained});
  state.Add({{JobId("lung"), Round{1}}, client::GaveUp{StatusCode::kStorage, "disk full"}});
  state.Counts(task);
  return state.ToJson().dump();
}

constexpr char kJob[] = R"(name: heart
data: {dataset: Dataset004_Hippocampus, configuration: 3d_fullres, fold: 0}
model: {architecture: plain_unet, patch_size: [40, 56, 40], base_features: 8}
train: {epochs: 2, iterations: 3, batch_size: 2, seed: 1}
federation:
  rounds: 3
  mode: close
  sites: {min: 2, fraction: 0.5, over_select: 1}
  round_deadline: 10m
  strategy: {name: fedprox, mu: 0.1}
  evaluate: {every: 1}
)";
constexpr char kProject[] = "name: brain\ncoordinator: {name: hub, address: 'hub.example:8443'}\nsites: [a, b, c]\n";

constexpr Target kTargets[] = {
    {"job", ReadJobText, [] { return std::vector<Bytes>{BytesOf(kJob)}; }},
    {"project",
     [](ByteSpan input) {
       const StatusOr<ConfigNode> root = ConfigNode::Parse(TextOf(input), "project.yaml");
       if (root.ok()) (void)coordinator::ReadProject(*root);
     },
     [] { return std::vector<Bytes>{BytesOf(kProject)}; }},
    {"site_policy", [](ByteSpan input) { (void)policy::ParsePolicy(TextOf(input), "policy.yaml"); },
     [] { return std::vector<Bytes>{BytesOf(policy::SamplePolicy({}))}; }},
    {"roster", ReadRosterText, [] { return std::vector<Bytes>{BytesOf(SomeRoster())}; }},
    {"audit_log", ReadAuditText, [] { return std::vector<Bytes>{BytesOf(SomeAuditLog())}; }},
    {"session_state", ReadSessionText, [] { return std::vector<Bytes>{BytesOf(SomeSession())}; }},
    {"safetensors_header",
     [](ByteSpan input) {
       const StatusOr<tensor::SafetensorsHeader> header = tensor::ParseSafetensorsHeader(TextOf(input), 4096);
       if (!header.ok()) Require(!header.status().message().empty(), "an error says what is wrong");
     },
     [] {
       return std::vector<Bytes>{BytesOf(
           R"({"__metadata__": {"a": "b"}, "w": {"dtype": "F32", "shape": [32, 32], "data_offsets": [0, 4096]}})")};
     }},
};

}  // namespace

std::span<const Target> TextTargets() { return kTargets; }

}  // namespace consilium::fuzz
