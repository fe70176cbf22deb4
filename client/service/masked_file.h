// An update file in, a masked vector out (privacy/secagg/vector.h), in pieces: memory does not grow with the model.
#pragma once

#include <filesystem>

#include "comm/wire/blob.h"
#include "privacy/private_sum/noisy_vector.h"
#include "privacy/secagg/vector.h"

namespace consilium::client {

// All values of the tensors of an update that can be summed in secret.  Errors: InvalidArgument when the file holds no
// differences from the global model, or tensors that are not F32; those of SafetensorsFile::Open.
StatusOr<std::uint64_t> ElementsOfUpdate(const std::filesystem::path& update);

// Writes little-endian words to `masked`, in place of whatever is there.  Not made durable: after a loss of power the
// site begins another sum.  Errors: Storage; InvalidArgument for an update that is not finite, or changed meanwhile.
StatusOr<wire::BlobManifest> WriteMaskedFile(const std::filesystem::path& update, const secagg::MaskingSite& masks,
                                             const secagg::VectorInput& input, const std::filesystem::path& masked);

// The same with noise, under privacy.sites; the caller has paid for it.
StatusOr<wire::BlobManifest> WriteNoisyFile(const std::filesystem::path& update, const secagg::MaskingSite& masks,
                                            const private_sum::NoisyInput& input, const std::filesystem::path& masked);

}  // namespace consilium::client
