// The folder that the demo works in, and what is put there before any process of the federation starts.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "comm/base/status.h"

namespace consilium::demo {

enum class Faults { kNone, kSome };
enum class Summing { kPlain, kSecure };

inline constexpr std::int64_t kSitesMin = 3, kSitesMax = 5;  // hospitals

struct DemoOptions {
  std::filesystem::path output = "consilium-demo";
  std::filesystem::path
      source;               // a raw hippocampus data set; empty: $CONSILIUM_DATA, else the one brain of mricron-data
  std::int64_t rounds = 0;  // 0: the preset's
  std::int64_t iterations = 0;  // optimizer steps a site takes in a round; 0: the preset's
  std::int64_t sites = kSitesMin;
  Faults faults = Faults::kSome;       // kill the coordinator and a client on the way
  Summing summing = Summing::kSecure;  // what the coordinator sees: masked vectors, or each site's update
};

// Paths inside the workspace.
struct Workspace {
  std::filesystem::path root;
  std::vector<std::string> sites;        // "hospital-a", ...
  std::vector<std::int64_t> patch_size;  // (z, y, x): the median case, rounded up
  std::string dataset;                   // "Dataset004_Hippocampus"
  bool one_brain = false;                // the fallback: all cases were cut from one person's head
  std::int64_t rounds = 0;
  std::int64_t iterations = 0;
  Summing summing = Summing::kSecure;

  std::filesystem::path data(const std::string& site) const { return root / "hospitals" / site; }
  std::filesystem::path site_state(const std::string& site) const { return root / "clients" / site; }
  std::filesystem::path kit(const std::string& party) const { return root / "kits" / party; }
  std::filesystem::path coordinator_state() const { return root / "coordinator"; }
  std::filesystem::path job_file() const { return root / "job.yaml"; }
  std::filesystem::path initial_model() const { return root / "model_initial.safetensors"; }
  std::filesystem::path log(const std::string& party) const { return root / "logs" / (party + ".log"); }
};

inline constexpr char kJobName[] = "demo";
inline constexpr char kCoordinatorName[] = "consortium";

// "Three hospitals"
std::string HospitalsInWords(std::size_t count);

// The raw data set to split, or an empty path for the one-brain fallback.
std::filesystem::path FindSource(const DemoOptions& options);

// Empties a former demo's folder (and only such a one), splits the data, provisions certificates, writes the job and
// the initial model.  Says each step on stderr.
StatusOr<Workspace> PrepareWorkspace(const DemoOptions& options);

}  // namespace consilium::demo
