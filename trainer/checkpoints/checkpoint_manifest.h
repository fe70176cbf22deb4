// A generation's manifest: what it holds and what its files must digest to.  See checkpoint_store.h.
#pragma once

#include <string>
#include <vector>

#include "comm/base/digest.h"
#include "comm/base/json.h"
#include "trainer/checkpoints/checkpoint_store.h"

namespace consilium::trainer {

struct CheckpointManifest {
  struct File {
    std::string name;  // in RUN/checkpoints
    Digest sha256;
  };
  CheckpointMeta meta;
  File weights;
  std::optional<File> optimizer;
};

Json ManifestToJson(const CheckpointManifest& manifest);
// Errors: DataLoss with what was expected.
StatusOr<CheckpointManifest> ManifestFromJson(const Json& json);

}  // namespace consilium::trainer
