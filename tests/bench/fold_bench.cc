// How fast and with how much memory the coordinator folds updates from disk, by any strategy, for 2 to 256 sites.
//
// Speed is beside reading the same files (the least that any fold must do) and beside hashing them (the least that a
// receiver who checks what it got must do).  Memory is this process's peak; it holds no model itself.  All sites' names
// link to four files, so that 256 sites take no more disk than four.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "comm/base/file.h"
#include "comm/base/rng.h"
#include "comm/base/time.h"
#include "comm/tensor/safetensors.h"
#include "coordinator/service/aggregate.h"

namespace consilium::coordinator {
namespace {

constexpr std::size_t kFiles = 4;

double MegabytesAtPeak() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// A model of random numbers, written tile by tile.
void WriteModel(const std::filesystem::path& path, std::int64_t parameters, std::uint64_t seed) {
  const StatusOr<tensor::Schema> schema =
      tensor::Schema::Create({{.name = "weights", .dtype = tensor::DType::kF32, .shape = {parameters}}});
  auto writer = tensor::SafetensorsWriter::Create(path, schema.value());
  CONSILIUM_CHECK(writer.ok(), writer.status());
  Rng rng(seed);
  std::vector<float> tile(1 << 16);
  for (float& value : tile) value = static_cast<float>(rng.Normal());
  for (std::int64_t left = parameters; left > 0; left -= static_cast<std::int64_t>(tile.size())) {
    if (left < static_cast<std::int64_t>(tile.size())) tile.resize(static_cast<std::size_t>(left));
    tile[0] = static_cast<float>(rng.Normal());
    CONSILIUM_CHECK(writer->Append({reinterpret_cast<const std::uint8_t*>(tile.data()), tile.size() * 4}).ok());
  }
  CONSILIUM_CHECK(writer->Commit().ok());
}

void ReadWhole(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  CONSILIUM_CHECK(descriptor >= 0, path.string());
  std::vector<std::uint8_t> buffer(1 << 18);
  while (::read(descriptor, buffer.data(), buffer.size()) > 0) {
  }
  ::close(descriptor);
}

// Of all threads: what is left of speed's meaning on a busy machine.
double CpuSeconds() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

template <typename Work>
double SecondsOf(const Work& work) {
  const Instant begin = SystemClock().Now();
  work();
  return Seconds(SystemClock().Now() - begin);
}

// How much more than plain reading a strategy may cost decides which numbers of sites are worth the wait.
struct Row {
  const char* strategy;
  std::size_t sites;
};

void Run(const std::filesystem::path& folder, std::int64_t parameters) {
  for (std::size_t i = 0; i <= kFiles; ++i) WriteModel(folder / Concat("file-", i), parameters, i);
  const double megabytes = 4e-6 * static_cast<double>(parameters);
  const double reading = SecondsOf([&] {
    for (std::size_t i = 0; i < kFiles; ++i) ReadWhole(folder / Concat("file-", i));
  });
  const double hashing = SecondsOf([&] {
    for (std::size_t i = 0; i < kFiles; ++i) CONSILIUM_CHECK(Sha256OfFile(folder / Concat("file-", i)).ok());
  });
  std::printf("updates of %.1f M parameters (%.0f MB), files in the page cache\n",
              1e-6 * static_cast<double>(parameters), megabytes);
  std::printf("  reading alone %.2f GB/s, SHA-256 %.2f GB/s, this process before any fold %.0f MB\n",
              1e-3 * megabytes * kFiles / reading, 1e-3 * megabytes * kFiles / hashing, MegabytesAtPeak());
  std::printf("  %-18s %6s %9s %9s %8s %11s %12s\n", "strategy", "sites", "seconds", "CPU s", "GB/s", "of reading",
              "peak memory");
  const Row rows[] = {{"fedavg", 2},   {"fedavg", 8},   {"fedavg", 32},        {"fedavg", 128},
                      {"fedavg", 256}, {"fedadam", 8},  {"norm_clipping", 32}, {"median", 8},
                      {"median", 32},  {"median", 256}, {"krum", 8},           {"krum", 32}};
  for (const Row& row : rows) {
    wire::FederationSpec federation;
    federation.strategy = row.strategy;
    federation.strategy_parameters = wire::DefaultParameters(*wire::FindStrategy(row.strategy));
    AggregateRequest request{.federation = federation, .model = folder / "file-4", .output_folder = folder / "out"};
    CONSILIUM_CHECK(MakeDirectories(request.output_folder).ok());
    for (std::size_t i = 0; i < row.sites; ++i) {
      request.sites.emplace_back(Concat("site-", 1000 + i));
      request.contributions.push_back({.site = request.sites.back(), .update = folder / Concat("file-", i % kFiles)});
    }
    const double cpu_before = CpuSeconds();
    const double seconds = SecondsOf([&] {
      const auto result = Aggregate(request);
      CONSILIUM_CHECK(result.ok(), result.status());
    });
    const double gigabytes = 1e-3 * megabytes * static_cast<double>(row.sites);
    std::printf("  %-18s %6zu %9.2f %9.2f %8.2f %10.2fx %6.0f MB = %.2f models\n", row.strategy, row.sites, seconds,
                CpuSeconds() - cpu_before, gigabytes / seconds,
                gigabytes / seconds / (1e-3 * megabytes * kFiles / reading), MegabytesAtPeak(),
                MegabytesAtPeak() * 1.048576 / megabytes);
  }
}

}  // namespace
}  // namespace consilium::coordinator

// fold_bench [MILLIONS OF PARAMETERS]
int main(int count, char** arguments) {
  const double millions = count > 1 ? std::atof(arguments[1]) : 5.6;
  std::string pattern = (std::filesystem::temp_directory_path() / "consilium-bench-XXXXXX").string();
  CONSILIUM_CHECK(::mkdtemp(pattern.data()) != nullptr);
  consilium::coordinator::Run(pattern, static_cast<std::int64_t>(millions * 1e6));
  std::filesystem::remove_all(pattern);
}
