#include "tests/integration/lies/lying_consortium.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "comm/tensor/safetensors.h"
#include "coordinator/service/coordinator_shell.h"

namespace consilium::testing {
namespace {

namespace fs = std::filesystem;

constexpr auto kPatience = std::chrono::seconds(60);
constexpr char kOperator[] = "ann";

void WriteModel(const fs::path& path, float value) {
  const auto schema = std::make_shared<const tensor::Schema>(
      tensor::Schema::Create({{"layer.weight", tensor::DType::kF32, {2000}}}).value());
  tensor::ParameterVector model = tensor::ParameterVector::Zeros(schema).value();
  for (float& weight : model.values()) weight = value;
  EXPECT_TRUE(tensor::WriteParameters(path, model).ok());
}

}  // namespace

LyingConsortium::LyingConsortium() {
  WriteModel(scratch_ / "initial.safetensors", 0);
  WriteModel(scratch_ / "other.safetensors", 0.5f);
  for (const std::string& site : sites_) {
    EXPECT_TRUE(MakeDirectories(scratch_ / ("data-" + site)).ok());
    EXPECT_TRUE(WriteJson(scratch_ / ("data-" + site) / "stub.json", {{"site", site}, {"delay_ms", 5}}).ok());
  }
  auto made = LocalFederation::Create({.folder = scratch_ / "federation",
                                       .sites = sites_,
                                       .trainer = fs::path(CONSILIUM_BIN_DIR) / "stub-trainer",
                                       .operators = {{kOperator, {"submit", "view", "abort"}}},
                                       .min_cohort = 4,
                                       .secure_aggregation = "required"});
  EXPECT_TRUE(made.ok()) << made.status();
  federation_.emplace(*std::move(made));

  const StatusOr<transport::Kit> kit = transport::ReadKit(federation_->kit(kCoordinatorParty));
  EXPECT_TRUE(kit.ok()) << kit.status();
  coordinator_ = std::thread([this, kit = *kit] {
    (void)coordinator::RunCoordinator(
        {.kit = kit,
         .state = federation_->state_folder(),
         .listen_address = "127.0.0.1",
         .listen_port = 0,
         .jobs_max = 64,
         .listen = [this](transport::GrpcServerOptions options, transport::CoordinatorEvents* events) {
           return transport_.Listen(std::move(options), events);
         }});
  });
  const Instant deadline = SystemClock().Now() + kPatience;
  StatusOr<Json> endpoint = NotFound("not there yet");
  while (!endpoint.ok() && SystemClock().Now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    endpoint = ReadJson(federation_->state_folder() / "endpoint.json");
  }
  EXPECT_TRUE(endpoint.ok()) << endpoint.status();
  if (!endpoint.ok()) return;
  federation_->CoordinatorIsAt((*endpoint)["port"].get<int>());
  for (const std::string& site : sites_) EXPECT_TRUE(federation_->StartClient(site, scratch_ / ("data-" + site)).ok());
}

LyingConsortium::~LyingConsortium() {
  ::kill(::getpid(), SIGTERM);  // which the coordinator in this process takes for its own
  coordinator_.join();
}

ProgramResult LyingConsortium::Run(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "consilium");
  return RunProgram(std::move(arguments), scratch_ / Concat("run-", runs_++));
}

void LyingConsortium::Submit(const std::string& job, Lie lie) {
  transport_.LieAbout(JobId(job), std::move(lie));
  const fs::path file = scratch_ / (job + ".yaml");
  const std::string yaml =
      Concat("name: ", job, "\ndata: {dataset: Dataset001_Toy}\nmodel: {patch_size: [8, 8, 8]}\n",
             "federation:\n  rounds: 1\n  round_deadline: 40s\n  sites: {min: 4, names: ", Json(sites_).dump(),
             "}\n  secure_aggregation: {enabled: true, min_cohort: 4}\n");
  ASSERT_TRUE(WriteFileAtomic(file, std::string_view(yaml)).ok());
  const ProgramResult submitted =
      Run({"submit", file.string(), "--initial-model", (scratch_ / "initial.safetensors").string(), "--kit",
           federation_->kit(kOperator).string(), "--coordinator", Concat("127.0.0.1:", federation_->port())});
  ASSERT_EQ(submitted.exit_code, 0) << submitted.output << federation_->Logs();
}

void LyingConsortium::Abort(const std::string& job) {
  const ProgramResult aborted = Run({"abort", job, "--kit", federation_->kit(kOperator).string(), "--coordinator",
                                     Concat("127.0.0.1:", federation_->port())});
  EXPECT_TRUE(aborted.exit_code == 0 || fs::exists(federation_->job_folder(job) / "result.json")) << aborted.output;
}

std::vector<Json> LyingConsortium::EntriesOf(const std::string& site) const {
  std::vector<Json> entries;
  std::ifstream in(AuditOf(site));
  for (std::string line; std::getline(in, line) && !in.eof();)
    if (StatusOr<Json> entry = ParseJson(line, "audit.jsonl"); entry.ok()) entries.push_back(*std::move(entry));
  return entries;
}

Json LyingConsortium::AwaitEntry(const std::string& site, const std::string& job, const std::string& type,
                                 const std::string& text) {
  std::string said;
  for (const Instant deadline = SystemClock().Now() + kPatience; SystemClock().Now() < deadline;) {
    said.clear();
    for (const Json& entry : EntriesOf(site)) {
      const Json& detail = entry["detail"];
      if (entry["type"] != type || detail.value("job", "") != job) continue;
      const std::string why = detail.value("reason", detail.value("why", ""));
      if (why.find(text) != std::string::npos) return detail;
      said += why + "\n";
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ADD_FAILURE() << site << " noted no " << type << " of " << job << " with '" << text << "'; it noted: " << said
                << federation_->Logs();
  return Json::object();
}

void LyingConsortium::AwaitState(const std::string& job, const std::string& state) {
  Json result;
  for (const Instant deadline = SystemClock().Now() + kPatience; SystemClock().Now() < deadline;) {
    if (StatusOr<Json> read = ReadJson(federation_->job_folder(job) / "result.json"); read.ok()) {
      result = *read;
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(result.value("code", ""), state) << job << ": " << result << federation_->Logs();
}

ProgramResult LyingConsortium::Verify(const std::vector<std::string>& sites) {
  std::vector<std::string> arguments = {"audit", "verify"};
  for (const std::string& site : sites) arguments.push_back(AuditOf(site).string());
  return Run(std::move(arguments));
}

wire::BlobManifest LyingConsortium::OtherModel() {
  const StatusOr<std::unique_ptr<transport::BlobStore>> blobs =
      transport::BlobStore::Open(federation_->state_folder() / "blobs");
  EXPECT_TRUE(blobs.ok()) << blobs.status();
  const StatusOr<wire::BlobManifest> imported = (*blobs)->Import(scratch_ / "other.safetensors");
  EXPECT_TRUE(imported.ok()) << imported.status();
  transport_.Offer(imported->digest);
  return *imported;
}

}  // namespace consilium::testing
