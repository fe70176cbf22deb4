// What a coordinator takes for a federation of stub sites over real gRPC: peak memory, seconds a round, lost sessions.
//
//   coordinator_bench                                     a quick table, a minute or so
//   coordinator_bench --parameters 25000000 --sites 2,8,32,128,256        the whole one: 26 GB of disk in the temporary
//                                                                         folder for the last row, half an hour
//   coordinator_bench --sites 100 --rounds 20             100 sites on this machine, and who lost the connection
//   coordinator_bench --sites 3 --parameters 10000 --rounds 1000          memory after 100 rounds and after all
#include <sys/stat.h>

#include <charconv>
#include <cstdio>
#include <fstream>
#include <iostream>

#include "comm/base/file.h"
#include "comm/tensor/safetensors.h"
#include "tests/bench/stub_sites.h"
#include "tests/testing/local_federation.h"
#include "tests/testing/run_program.h"

namespace consilium::bench {
namespace {

namespace fs = std::filesystem;

constexpr auto kPatience = std::chrono::hours(1);

struct Options {
  std::vector<std::int64_t> sites = {2, 8, 32};
  std::int64_t parameters = 1'000'000;
  std::int64_t rounds = 2;
  std::int64_t workers = 4;
};

Options ParseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::vector<std::int64_t> numbers;
    std::stringstream list(argv[i + 1]);
    for (std::string item; std::getline(list, item, ',');) numbers.push_back(std::stoll(item));
    const std::string key = argv[i];
    if (key == "--sites") options.sites = numbers;
    if (key == "--parameters") options.parameters = numbers.at(0);
    if (key == "--rounds") options.rounds = numbers.at(0);
    if (key == "--workers") options.workers = numbers.at(0);
  }
  return options;
}

// "VmHWM" or "VmRSS", in MB; 0 when the process is gone.
double MemoryOf(pid_t process, const std::string& what) {
  std::ifstream status(Concat("/proc/", process, "/status"));
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(what + ":")) return std::stod(line.substr(what.size() + 1)) * 1024 / 1e6;
  return 0;
}

struct Row {
  double peak = 0, early = 0, late = 0;  // MB
  double seconds = 0;                    // of a round
  int lost = 0;
};

Row Measure(const Options& options, std::int64_t count, const fs::path& folder) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < count; ++i) names.push_back(Concat("site-", i));
  const std::string yaml = Concat("name: bench\ndata: {dataset: Dataset001_Toy}\nmodel: {patch_size: [8, 8, 8]}\n",
                                  "federation:\n  rounds: ", options.rounds, "\n  mode: wait\n  sites: {min: ", count,
                                  "}\n  round_deadline: 1h\n");
  CONSILIUM_CHECK(WriteFileAtomic(folder / "job.yaml", std::string_view(yaml)).ok());
  const auto schema = std::make_shared<const tensor::Schema>(
      tensor::Schema::Create({{"a.weight", tensor::DType::kF32, {options.parameters / 2}},
                              {"b.weight", tensor::DType::kF32, {options.parameters - options.parameters / 2}}})
          .value());
  CONSILIUM_CHECK(tensor::WriteParameters(folder / "initial", tensor::ParameterVector::Zeros(schema).value()).ok());
  auto federation = testing::LocalFederation::Create({.folder = folder / "federation",
                                                      .sites = names,
                                                      .job = folder / "job.yaml",
                                                      .initial_model = folder / "initial"});
  CONSILIUM_CHECK(federation.ok(), federation.status());
  const Status started = federation->StartCoordinator();
  CONSILIUM_CHECK(started.ok(), started);
  StubSitesOptions sites{
      .port = federation->port(), .folder = folder / "sites", .workers = static_cast<std::size_t>(options.workers)};
  for (const std::string& name : names) sites.kits.push_back(federation->kit(name));
  const StubSites stubs(sites);

  Row row;
  const pid_t process = federation->coordinator_pid();
  std::vector<Instant> closed;
  for (const Instant give_up = SystemClock().Now() + kPatience; SystemClock().Now() < give_up;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const double peak = MemoryOf(process, "VmHWM");
    if (peak == 0) break;  // it ended
    row.peak = peak;
    row.late = MemoryOf(process, "VmRSS");
    const std::vector<Json> events = federation->Events();
    std::int64_t published = 0;
    bool finished = false;
    for (const Json& event : events) {
      published += event["event"] == "model_published";
      finished |= event["event"] == "job_finished";
    }
    while (static_cast<std::int64_t>(closed.size()) < published) closed.push_back(SystemClock().Now());
    if (published >= 100 && row.early == 0) row.early = row.late;
    if (finished) break;
  }
  for (const Json& event : federation->Events()) row.lost += event["event"] == "site_disconnected";
  CONSILIUM_CHECK(static_cast<std::int64_t>(closed.size()) >= options.rounds,
                  "the job did not finish: ", federation->Logs());
  if (closed.size() > 1) row.seconds = Seconds(closed.back() - closed.front()) / static_cast<double>(closed.size() - 1);
  (void)federation->AwaitEnd(std::chrono::seconds(60));
  return row;
}

void Run(const Options& options) {
  const double model = 4e-6 * static_cast<double>(options.parameters);
  std::printf("%lld parameters (%.0f MB a model), %lld rounds, stub sites over gRPC and mutual TLS on loopback\n",
              static_cast<long long>(options.parameters), model, static_cast<long long>(options.rounds));
  std::printf("%8s %14s %18s %14s %14s\n", "sites", "peak RSS, MB", "2.5 models + 100", "s a round", "lost sessions");
  for (const std::int64_t count : options.sites) {
    const testing::ScratchFolder scratch;
    const Row row = Measure(options, count, scratch / "");
    std::printf("%8lld %14.0f %18.0f %14.2f %14d\n", static_cast<long long>(count), row.peak, 2.5 * model + 100,
                row.seconds, row.lost);
    if (row.early > 0) std::printf("         RSS %.1f MB after 100 rounds, %.1f MB at the end\n", row.early, row.late);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace consilium::bench

int main(int argc, char** argv) { consilium::bench::Run(consilium::bench::ParseOptions(argc, argv)); }
