#include "coordinator/service/update_set.h"

#include <algorithm>
#include <map>

#include "comm/wire/shared_schema.h"
#include "coordinator/core/fold.h"
#include "coordinator/service/ordered_tiles.h"

namespace consilium::coordinator {
namespace {

using tensor::SafetensorsFile;
using tensor::Schema;

void AddFloats(Term term, double coefficient, std::span<const float> values, std::span<double> sum) {
  term == Term::kFirst ? StartFold(coefficient, values, sum) : AddToFold(coefficient, values, sum);
}

std::span<float> Sized(std::vector<float>* buffer, std::size_t values) {
  if (buffer->size() < values) buffer->resize(values);
  return std::span(*buffer).first(values);
}

// Blocks that a thread adds up before it hands its sum over: fewer hand-overs.  A constant, as kGramBlock is.
constexpr std::size_t kBlocksATile = 16;

// A stretch of all updates, as deltas, block by block.
class ProductsWorker final : public TileWorker {
 public:
  ProductsWorker(const UpdateSet& updates, const std::vector<Tile>& tiles, Geometry geometry, GramMatrix* total)
      : updates_(updates), tiles_(tiles), geometry_(geometry), total_(total), values_(updates.size() * kGramBlock) {
    for (std::size_t i = 0; i < updates.size(); ++i) rows_.push_back(values_.data() + i * kGramBlock);
  }
  Status Compute(std::size_t number) override {
    const Tile& tile = tiles_[number];
    sum_ = GramMatrix(rows_.size());
    for (std::size_t at = 0; at < tile.values; at += kGramBlock) {
      const Tile block{tile.tensor, tile.shared, tile.offset + at, std::min(kGramBlock, tile.values - at)};
      for (std::size_t i = 0; i < rows_.size(); ++i)
        RETURN_IF_ERROR(updates_.Read(i, wire::UpdateKind::kDelta, block, &scratch_,
                                      std::span(values_).subspan(i * kGramBlock, block.values)));
      AddProducts(rows_, block.values, geometry_, &sum_);
    }
    return Status();
  }
  Status Commit(std::size_t) override {
    for (std::size_t i = 0; i < rows_.size(); ++i)
      for (std::size_t j = geometry_ == Geometry::kNorms ? i : 0; j <= i; ++j) total_->Add(i, j, sum_.at(i, j));
    return Status();
  }

 private:
  const UpdateSet& updates_;
  const std::vector<Tile>& tiles_;
  const Geometry geometry_;
  GramMatrix* const total_;
  std::vector<double> values_;
  std::vector<const double*> rows_;
  UpdateSet::Scratch scratch_;
  GramMatrix sum_;
};

}  // namespace

StatusOr<UpdateSet> UpdateSet::Open(const AggregateRequest& request, const Needs& needs) {
  UpdateSet set;
  ASSIGN_OR_RETURN(SafetensorsFile global, SafetensorsFile::Open(request.model));
  ASSIGN_OR_RETURN(Schema shared, wire::SharedSchema(global.schema(), request.personal));
  set.shared_ = std::make_shared<const Schema>(std::move(shared));
  std::size_t next = 0;  // both are in name order
  for (const tensor::TensorSpec& spec : global.schema().tensors()) {
    const bool is_shared = next < set.shared_->tensors().size() && set.shared_->tensors()[next].name == spec.name;
    set.shared_index_.push_back(is_shared ? std::optional(next++) : std::nullopt);
  }
  set.bases_.push_back(std::move(global));
  std::map<std::filesystem::path, std::size_t> base_of = {{request.model, 0}, {std::filesystem::path(), 0}};
  for (const AggregateContribution& contribution : request.contributions) {
    auto reader = wire::UpdateReader::Open(contribution.update, set.shared_, needs.auxiliary);
    if (!reader.ok())
      return Annotate(reader.status(), contribution.update.string(), " has changed since it was accepted");
    // The base of an old update may be gone; it is opened only where it is read.
    const bool reads_base = reader->kind() == wire::UpdateKind::kDelta ? needs.weights : needs.deltas;
    std::size_t base = 0;
    if (reads_base) {
      const auto [known, is_new] = base_of.emplace(contribution.base, set.bases_.size());
      base = known->second;
      if (is_new) {
        ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open(contribution.base));
        if (const Status same = file.schema().CheckSame(set.schema()); !same.ok())
          return DataLoss(contribution.base.string(), " is not a model of this job: ", same.message());
        set.bases_.push_back(std::move(file));
      }
    }
    set.updates_.push_back({std::move(*reader), base});
  }
  return set;
}

std::vector<Tile> UpdateSet::Tiles(std::size_t values, TileScope scope) const {
  std::vector<Tile> tiles;
  for (std::size_t i = 0; i < shared_index_.size(); ++i) {
    if (scope == TileScope::kSharedOnly && !shared_index_[i]) continue;
    const auto elements = static_cast<std::uint64_t>(schema().tensors()[i].elements());
    for (std::uint64_t at = 0; at < elements; at += values)
      tiles.push_back(
          {i, shared_index_[i], at, static_cast<std::size_t>(std::min<std::uint64_t>(values, elements - at))});
  }
  return tiles;
}

Status UpdateSet::ReadGlobal(const Tile& tile, std::span<float> out) const {
  return global().Read(tile.tensor, tile.offset * sizeof(float),
                       {reinterpret_cast<std::uint8_t*>(out.data()), out.size_bytes()});
}

Status UpdateSet::ReadBase(std::size_t base, const Tile& tile, Scratch* scratch, std::span<const float>* out) const {
  scratch->bases.resize(bases_.size());
  scratch->base_tiles.resize(bases_.size());
  const std::span<float> values = Sized(&scratch->bases[base], tile.values);
  const std::pair at(tile.tensor, tile.offset);
  if (scratch->base_tiles[base] != at) {
    RETURN_IF_ERROR(bases_[base].Read(tile.tensor, tile.offset * sizeof(float),
                                      {reinterpret_cast<std::uint8_t*>(values.data()), values.size_bytes()}));
    scratch->base_tiles[base] = at;
  }
  *out = values;
  return Status();
}

Status UpdateSet::Read(std::size_t i, wire::UpdateKind kind, const Tile& tile, Scratch* scratch,
                       std::span<double> out) const {
  const OpenUpdate& update = updates_[i];
  const std::span<float> raw = Sized(&scratch->raw, tile.values);
  RETURN_IF_ERROR(update.reader.ReadTile(*tile.shared, tile.offset, raw));
  if (update.reader.kind() == kind) {
    for (std::size_t k = 0; k < raw.size(); ++k) out[k] = raw[k];
    return Status();
  }
  std::span<const float> base;
  RETURN_IF_ERROR(ReadBase(update.base, tile, scratch, &base));
  const double sign = kind == wire::UpdateKind::kDelta ? -1 : 1;
  for (std::size_t k = 0; k < raw.size(); ++k) out[k] = raw[k] + sign * base[k];
  return Status();
}

Status UpdateSet::Add(std::size_t i, wire::UpdateKind kind, Term term, double coefficient, const Tile& tile,
                      Scratch* scratch, std::span<double> sum) const {
  if (updates_[i].reader.kind() == kind) {
    const std::span<float> raw = Sized(&scratch->raw, tile.values);
    RETURN_IF_ERROR(updates_[i].reader.ReadTile(*tile.shared, tile.offset, raw));
    AddFloats(term, coefficient, raw, sum);
    return Status();
  }
  if (scratch->staged.size() < tile.values) scratch->staged.resize(tile.values);
  const std::span<double> staged = std::span(scratch->staged).first(tile.values);
  RETURN_IF_ERROR(Read(i, kind, tile, scratch, staged));
  AddTerm(term, coefficient, staged, sum);
  return Status();
}

Status UpdateSet::AddAuxiliary(std::size_t i, const std::string& what, Term term, double coefficient, const Tile& tile,
                               Scratch* scratch, std::span<double> sum) const {
  const std::span<float> raw = Sized(&scratch->raw, tile.values);
  RETURN_IF_ERROR(updates_[i].reader.ReadAuxiliaryTile(what, *tile.shared, tile.offset, raw));
  AddFloats(term, coefficient, raw, sum);
  return Status();
}

StatusOr<GramMatrix> UpdateSet::Products(Geometry geometry, std::size_t threads) const {
  GramMatrix total(size());
  if (geometry == Geometry::kNone) return total;
  const std::vector<Tile> tiles = Tiles(kGramBlock * kBlocksATile, TileScope::kSharedOnly);
  RETURN_IF_ERROR(RunInOrder(tiles.size(), threads, [&]() -> std::unique_ptr<TileWorker> {
    return std::make_unique<ProductsWorker>(*this, tiles, geometry, &total);
  }));
  return total;
}

}  // namespace consilium::coordinator
