#include "tests/integration/operator/consortium.h"

#include <fstream>
#include <thread>

#include "comm/tensor/safetensors.h"

namespace consilium::testing {

namespace fs = std::filesystem;

Consortium::Consortium(const Options& options) {
  const auto count = static_cast<std::int64_t>(options.parameters);
  const auto schema = std::make_shared<const tensor::Schema>(
      tensor::Schema::Create({{"layer.weight", tensor::DType::kF32, {count}}}).value());
  EXPECT_TRUE(tensor::WriteParameters(model(), tensor::ParameterVector::Zeros(schema).value()).ok());
  for (const std::string site : {"a", "b", "c"}) {
    EXPECT_TRUE(MakeDirectories(scratch_ / ("data-" + site)).ok());
    Json stub = {{"site", site}, {"delay_ms", options.delay_ms}};
    if (options.behaviour.contains(site)) stub.update(options.behaviour.at(site));
    EXPECT_TRUE(WriteJson(scratch_ / ("data-" + site) / "stub.json", stub).ok());
  }
  StatusOr<LocalFederation> made = LocalFederation::Create(
      {.folder = scratch_ / "federation",
       .sites = {"a", "b", "c"},
       .trainer = fs::path(CONSILIUM_BIN_DIR) / "stub-trainer",
       .operators = {{"ann", {"submit", "view", "abort"}}, {"board", {"view"}}, {"eve", {"submit"}}},
       .coordinator_arguments = options.coordinator_arguments,
       .min_cohort = options.min_cohort,
       .approval = options.approval});
  EXPECT_TRUE(made.ok()) << made.status();
  federation_.emplace(*std::move(made));
}

void Consortium::StartCoordinator() {
  const Status started = federation().StartCoordinator();
  ASSERT_TRUE(started.ok()) << started;
}

void Consortium::StartClient(const std::string& site) {
  ASSERT_TRUE(federation().StartClient(site, scratch_ / ("data-" + site)).ok());
}

void Consortium::Start(const std::vector<std::string>& sites) {
  StartCoordinator();
  for (const std::string& site : sites) StartClient(site);
}

void Consortium::LetGo(const std::string& site, const std::string& task) {
  ASSERT_TRUE(WriteFileAtomic(scratch_ / ("data-" + site) / ("go-" + task), std::string_view()).ok());
}

fs::path Consortium::WriteJob(const std::string& name, const JobOptions& options) {
  const fs::path path = scratch_ / (name + ".yaml");
  const std::string yaml =
      Concat("name: ", name, "\ndata: {dataset: Dataset001_Toy}\nmodel: {patch_size: [8, 8, 8]}\n",
             "federation:\n  rounds: ", options.rounds, "\n  mode: ", options.mode,
             "\n  sites: {min: ", options.mode == "wait" ? options.sites.size() : 1,
             ", names: ", Json(options.sites).dump(), "}\n  round_deadline: ", options.deadline, "\n");
  EXPECT_TRUE(WriteFileAtomic(path, yaml).ok());
  return path;
}

ProgramResult Consortium::Run(const std::string& who, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "consilium");
  arguments.insert(arguments.end(), {"--kit", federation().kit(who).string(), "--coordinator",
                                     Concat("127.0.0.1:", federation().port())});
  return RunProgram(std::move(arguments), scratch_ / Concat("run-", runs_++));
}

Json Consortium::Ask(const std::string& who, std::vector<std::string> arguments) {
  arguments.push_back("--json");
  const std::string verb = arguments.front();
  const ProgramResult result = Run(who, std::move(arguments));
  EXPECT_EQ(result.exit_code, 0) << verb << ": " << result.output << federation().Logs();
  const std::size_t begin = result.output.find('{'), end = result.output.rfind('}');
  if (begin == std::string::npos || end == std::string::npos) return Json::object();
  const StatusOr<Json> json = ParseJson(result.output.substr(begin, end + 1 - begin), verb);
  EXPECT_TRUE(json.ok()) << result.output;
  return json.ok() ? *json : Json::object();
}

void Consortium::Submit(const std::string& name, const JobOptions& options) {
  const Json reply = Ask("ann", {"submit", WriteJob(name, options).string(), "--initial-model", model().string()});
  ASSERT_EQ(reply.value("accepted", ""), "now") << reply;
}

Json Consortium::AwaitState(const std::string& job, const std::vector<std::string>& states) {
  const Instant deadline = SystemClock().Now() + kPatience;
  Json status;
  while (SystemClock().Now() < deadline) {
    status = Ask("ann", {"status", job});
    for (const std::string& state : states)
      if (status.value("state", "") == state) return status;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  ADD_FAILURE() << job << " did not come into " << Json(states) << ": " << status << "\n" << federation().Logs();
  return status;
}

std::vector<Json> Consortium::Events(const std::string& job) {
  std::vector<Json> events;
  std::ifstream in(federation().job_folder(job) / "events.jsonl");
  for (std::string line; std::getline(in, line) && !in.eof();)
    if (StatusOr<Json> event = ParseJson(line, "events.jsonl"); event.ok()) events.push_back(*std::move(event));
  return events;
}

void Consortium::AwaitEvent(const std::string& job, const std::string& event, int count) {
  const Instant deadline = SystemClock().Now() + kPatience;
  while (SystemClock().Now() < deadline) {
    int seen = 0;
    for (const Json& line : Events(job)) seen += line.value("event", "") == event ? 1 : 0;
    if (seen >= count) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  FAIL() << job << ": no " << event << "\n" << federation().Logs();
}

std::string Consortium::AwaitDigest(const std::string& job) {
  const Json status = AwaitState(job, {"done", "failed", "aborted"});
  EXPECT_EQ(status.value("state", ""), "done") << status;
  const StatusOr<Json> result = ReadJson(federation().job_folder(job) / "result.json");
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() && (*result)["parameters"].is_string() ? (*result)["parameters"].get<std::string>() : "none";
}

}  // namespace consilium::testing
