// A round's update files, read tile by tile as what a strategy works on: weights or deltas, whatever each file holds.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "comm/tensor/safetensors.h"
#include "comm/wire/update_format.h"
#include "coordinator/service/aggregate.h"
#include "coordinator/strategies/combine.h"
#include "coordinator/strategies/gram.h"

namespace consilium::coordinator {

// A stretch of one of the model's tensors.
struct Tile {
  std::size_t tensor = 0;             // of the model's schema
  std::optional<std::size_t> shared;  // of the shared schema; none: the tensor is personal
  std::uint64_t offset = 0;           // in values, within the tensor
  std::size_t values = 0;
};
enum class TileScope { kWholeModel, kSharedOnly };

// Open files; reads are thread-safe as long as each thread has its own Scratch.
class UpdateSet {
 public:
  // One thread's buffers.
  struct Scratch {
    std::vector<float> raw;
    std::vector<double> staged;
    std::vector<std::vector<float>> bases;  // one a base file: its values in the tile that base_tile tells
    std::vector<std::optional<std::pair<std::size_t, std::uint64_t>>> base_tiles;
  };

  // What will be read.
  struct Needs {
    bool weights = false, deltas = false;
    std::vector<std::string> auxiliary;
  };

  // Errors: DataLoss, Storage.
  static StatusOr<UpdateSet> Open(const AggregateRequest& request, const Needs& needs);

  std::size_t size() const { return updates_.size(); }
  const tensor::SafetensorsFile& global() const { return bases_.front(); }
  const tensor::Schema& schema() const { return global().schema(); }
  const tensor::Schema& shared() const { return *shared_; }
  // In the order in which the model's file has them, at most `values` each.
  std::vector<Tile> Tiles(std::size_t values, TileScope scope) const;
  std::size_t bases() const { return bases_.size(); }

  Status ReadGlobal(const Tile& tile, std::span<float> out) const;
  // Update i in a shared tile as weights y_i or deltas d_i.
  Status Read(std::size_t i, wire::UpdateKind kind, const Tile& tile, Scratch* scratch, std::span<double> out) const;
  // sum += coefficient * Read(i), without the detour where the file holds what is asked for.
  Status Add(std::size_t i, wire::UpdateKind kind, Term term, double coefficient, const Tile& tile, Scratch* scratch,
             std::span<double> sum) const;
  Status AddAuxiliary(std::size_t i, const std::string& what, Term term, double coefficient, const Tile& tile,
                      Scratch* scratch, std::span<double> sum) const;

  // One pass over all shared tensors.
  StatusOr<GramMatrix> Products(Geometry geometry, std::size_t threads) const;

 private:
  struct OpenUpdate {
    wire::UpdateReader reader;
    std::size_t base = 0;  // of bases_
  };
  UpdateSet() = default;
  Status ReadBase(std::size_t base, const Tile& tile, Scratch* scratch, std::span<const float>* out) const;

  std::shared_ptr<const tensor::Schema> shared_;
  std::vector<std::optional<std::size_t>> shared_index_;  // of each of the model's tensors
  std::vector<tensor::SafetensorsFile> bases_;            // the global model first, every other base once
  std::vector<OpenUpdate> updates_;
};

}  // namespace consilium::coordinator
