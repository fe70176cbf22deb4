#include "client/service/masked_file.h"

#include <fstream>

#include "comm/tensor/safetensors.h"

namespace consilium::client {
namespace {

using tensor::SafetensorsFile;

StatusOr<SafetensorsFile> OpenDeltas(const std::filesystem::path& update) {
  ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open(update));
  const auto kind = file.metadata().find("consilium.update");
  if (kind == file.metadata().end() || kind->second != "delta")
    return InvalidArgument(update.string(), " holds no differences from the global model: the trainer is older than ",
                           "this client; install programs of one version");
  for (const tensor::TensorSpec& spec : file.schema().tensors())
    if (spec.dtype != tensor::DType::kF32)
      return InvalidArgument("tensor '", spec.name, "' of ", update.string(), " is ", tensor::DTypeName(spec.dtype),
                             "; F32 alone can be summed in secret");
  return file;
}

// The tensors one after the other, as one vector.
class FlatReader {
 public:
  explicit FlatReader(const SafetensorsFile& file) : file_(file) {}
  // In order: every call goes on where the last one ended, or begins anew at 0.
  Status Read(std::uint64_t begin, std::span<float> out) {
    if (begin == 0) tensor_ = 0, at_ = 0;
    while (!out.empty()) {
      if (tensor_ == file_.schema().tensors().size()) return InvalidArgument("the update ends too early");
      const auto elements = static_cast<std::uint64_t>(file_.schema().tensors()[tensor_].elements());
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), elements - at_));
      RETURN_IF_ERROR(file_.Read(tensor_, at_ * sizeof(float),
                                 {reinterpret_cast<std::uint8_t*>(out.data()), count * sizeof(float)}));
      out = out.subspan(count);
      at_ += count;
      if (at_ == elements) ++tensor_, at_ = 0;
    }
    return Status();
  }

 private:
  const SafetensorsFile& file_;
  std::size_t tensor_ = 0;
  std::uint64_t at_ = 0;
};

using MakeVector = std::function<Status(const secagg::ReadValues& read, const secagg::WriteWords& write)>;

StatusOr<wire::BlobManifest> WriteWith(const std::filesystem::path& update, std::uint64_t elements,
                                       const std::filesystem::path& masked, const MakeVector& make) {
  ASSIGN_OR_RETURN(const SafetensorsFile file, OpenDeltas(update));
  if (static_cast<std::uint64_t>(file.schema().elements()) != elements)
    return InvalidArgument(update.string(), " has ", file.schema().elements(), " values; ", elements,
                           " were announced");
  std::ofstream out(masked, std::ios::binary | std::ios::trunc);
  FlatReader reader(file);
  RETURN_IF_ERROR(make([&](std::uint64_t begin, std::span<float> values) { return reader.Read(begin, values); },
                       [&](std::span<const std::uint32_t> words) {
                         out.write(reinterpret_cast<const char*>(words.data()),
                                   static_cast<std::streamsize>(words.size_bytes()));
                         return out.good() ? Status() : ErrnoStatus(errno, "writing " + masked.string());
                       }));
  out.close();
  if (!out.good()) return ErrnoStatus(errno, "writing " + masked.string());
  return wire::ManifestOfFile(masked);
}

}  // namespace

StatusOr<std::uint64_t> ElementsOfUpdate(const std::filesystem::path& update) {
  ASSIGN_OR_RETURN(const SafetensorsFile file, OpenDeltas(update));
  return static_cast<std::uint64_t>(file.schema().elements());
}

StatusOr<wire::BlobManifest> WriteMaskedFile(const std::filesystem::path& update, const secagg::MaskingSite& masks,
                                             const secagg::VectorInput& input, const std::filesystem::path& masked) {
  return WriteWith(update, input.elements, masked, [&](const auto& read, const auto& write) {
    return secagg::MaskVector(masks, input, read, write).status();
  });
}

StatusOr<wire::BlobManifest> WriteNoisyFile(const std::filesystem::path& update, const secagg::MaskingSite& masks,
                                            const private_sum::NoisyInput& input, const std::filesystem::path& masked) {
  return WriteWith(update, input.plan.elements, masked, [&](const auto& read, const auto& write) {
    return private_sum::MaskNoisyVector(masks, input, read, write).status();
  });
}

}  // namespace consilium::client
