// How fast the coordinator averages updates from disk, beside reading the same files through SHA-256: the least that
// any receiver who checks what it got must do.
#include <sys/resource.h>

#include <cstdio>
#include <filesystem>

#include "comm/base/rng.h"
#include "comm/base/time.h"
#include "comm/tensor/safetensors.h"
#include "coordinator/service/model_file.h"

namespace consilium::coordinator {
namespace {

constexpr std::int64_t kParameters = 5'603'177;  // nnU-Net's 3D U-Net for hippocampus
constexpr int kSites = 8;

void Run(const std::filesystem::path& folder) {
  const StatusOr<tensor::Schema> schema =
      tensor::Schema::Create({{.name = "weights", .dtype = tensor::DType::kF32, .shape = {kParameters}}});
  StatusOr<tensor::ParameterVector> parameters =
      tensor::ParameterVector::Zeros(std::make_shared<const tensor::Schema>(schema.value()));
  CONSILIUM_CHECK(parameters.ok(), parameters.status());
  Rng rng(1);
  std::vector<WeightedFile> updates;
  for (int site = 0; site < kSites; ++site) {
    for (float& value : parameters->values()) value = static_cast<float>(rng.Uniform());
    updates.push_back({folder / Concat("update-", site, ".safetensors"), 1.0 + site});
    CONSILIUM_CHECK(tensor::WriteParameters(updates.back().path, *parameters).ok());
  }
  const Instant begin = SystemClock().Now();
  for (const WeightedFile& update : updates) CONSILIUM_CHECK(Sha256OfFile(update.path).ok());
  const double hashing = Seconds(SystemClock().Now() - begin);
  const Instant folding_begin = SystemClock().Now();
  const StatusOr<Digest> digest = FoldFiles(updates, updates.front().path, folder / "model.safetensors");
  CONSILIUM_CHECK(digest.ok(), digest.status());
  const double folding = Seconds(SystemClock().Now() - folding_begin);
  const double gigabytes = 4e-9 * kParameters * kSites;
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  std::printf("fold of %d updates of %lld parameters (%.2f GB), one thread, files in the page cache\n", kSites,
              static_cast<long long>(kParameters), gigabytes);
  std::printf("  SHA-256 of the updates   %6.3f s   %5.2f GB/s\n", hashing, gigabytes / hashing);
  std::printf("  fold, digest and fsync   %6.3f s   %5.2f GB/s   %.2f of the time of hashing\n", folding,
              gigabytes / folding, folding / hashing);
  std::printf("  peak memory of this program, which holds one model to make the updates: %.2f models\n",
              static_cast<double>(usage.ru_maxrss) * 1024 / (4.0 * kParameters));
}

}  // namespace
}  // namespace consilium::coordinator

int main() {
  std::string pattern = (std::filesystem::temp_directory_path() / "consilium-bench-XXXXXX").string();
  CONSILIUM_CHECK(::mkdtemp(pattern.data()) != nullptr);
  consilium::coordinator::Run(pattern);
  std::filesystem::remove_all(pattern);
}
