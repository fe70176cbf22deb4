// A site's own model, from what it uploaded.
#pragma once

#include <filesystem>

#include "coordinator/service/model_file.h"

namespace consilium::coordinator {

// Writes `base` with the shared tensors replaced by the update's weights, or moved by its deltas (f32), to `output`
// (durable).  Tensors that stay at the sites are those of `base`.  One tile in memory at a time.  Errors: DataLoss when
// the update is not one of this model (it passed CheckUpdateFile and has changed since), Storage.
Status WriteLocalModel(const std::filesystem::path& update, const std::filesystem::path& base, const UpdateRules& rules,
                       const std::filesystem::path& output);

}  // namespace consilium::coordinator
