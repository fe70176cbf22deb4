// How long a round takes when training takes no time: three client processes with a trainer that hands the model back,
// one coordinator, 5.6 million parameters, everything on this machine.
#include <cstdio>
#include <ctime>

#include "comm/base/file.h"
#include "comm/tensor/safetensors.h"
#include "tests/testing/local_federation.h"
#include "tests/testing/run_program.h"

namespace consilium {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kParameters = 5'600'000;
constexpr int kRounds = 30;

double SecondsOf(const Json& event) {
  std::tm parts{};
  const std::string text = event["time"];
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  CONSILIUM_CHECK(rest != nullptr, text);
  return static_cast<double>(::timegm(&parts)) + std::strtod(rest, nullptr);
}

void Run(const fs::path& folder) {
  const std::string yaml = Concat("name: bench\ndata: {dataset: Dataset001_Toy}\nmodel: {patch_size: [8, 8, 8]}\n",
                                  "federation: {rounds: ", kRounds, ", mode: wait, sites: {min: 3}}\n");
  CONSILIUM_CHECK(WriteFileAtomic(folder / "job.yaml", std::string_view(yaml)).ok());
  const auto schema = std::make_shared<const tensor::Schema>(
      tensor::Schema::Create({{"weight", tensor::DType::kF32, {kParameters}}}).value());
  CONSILIUM_CHECK(tensor::WriteParameters(folder / "initial", tensor::ParameterVector::Zeros(schema).value()).ok());
  auto federation = testing::LocalFederation::Create({.folder = folder / "federation",
                                                      .sites = {"a", "b", "c"},
                                                      .job = folder / "job.yaml",
                                                      .initial_model = folder / "initial",
                                                      .trainer = fs::path(CONSILIUM_BIN_DIR) / "stub-trainer"});
  CONSILIUM_CHECK(federation.ok(), federation.status());
  CONSILIUM_CHECK(federation->StartCoordinator().ok());
  for (const std::string site : {"a", "b", "c"}) {
    CONSILIUM_CHECK(MakeDirectories(folder / site).ok() &&
                    WriteJson(folder / site / "stub.json", {{"site", site}, {"idle", true}}).ok());
    CONSILIUM_CHECK(federation->StartClient(site, folder / site).ok());
  }
  const StatusOr<ExitResult> end = federation->AwaitEnd(std::chrono::minutes(5));
  CONSILIUM_CHECK(end.ok() && end->exit_code == 0, federation->Logs());

  // A round: from its opening to that of the next.  Inside: the first task sent, each update accepted, closed,
  // published.
  std::map<std::string, double> sums;
  double opened = 0, accepted = 0, closed = 0, best = 1e9;
  int rounds = 0;
  for (const Json& event : federation->Events()) {
    const double now = SecondsOf(event);
    if (event["event"] == "round_opened") {
      if (opened > 0) sums["round"] += now - opened, best = std::min(best, now - opened), ++rounds;
      opened = now;
    } else if (event["event"] == "update_accepted") {
      accepted = now;
    } else if (event["event"] == "round_closed") {
      sums["until the last update is accepted"] += accepted - opened;
      closed = now;
    } else if (event["event"] == "model_published") {
      sums["from the close to the new model"] += now - closed;
    }
  }
  std::printf("3 sites, %.1f M parameters, %d rounds of real processes, trainers that do nothing\n", 1e-6 * kParameters,
              rounds);
  for (const auto& [what, seconds] : sums)
    std::printf("  %-36s %6.0f ms on average\n", what.c_str(), 1e3 * seconds / rounds);
  std::printf("  %-36s %6.0f ms\n", "the fastest round", 1e3 * best);
}

}  // namespace
}  // namespace consilium

int main() {
  const consilium::testing::ScratchFolder scratch;
  consilium::Run(scratch / "");
}
