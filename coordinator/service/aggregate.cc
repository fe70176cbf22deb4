#include "coordinator/service/aggregate.h"

#include <sys/resource.h>

#include <algorithm>

#include "coordinator/core/fold.h"
#include "coordinator/service/fold_outputs.h"
#include "coordinator/service/ordered_tiles.h"
#include "coordinator/service/update_set.h"

namespace consilium::coordinator {
namespace {

// Everything that the workers share.
struct Fold {
  const UpdateSet& updates;
  const Strategy& strategy;
  const FoldPlan& plan;
  const StateFile& state;
  std::vector<Tile> tiles;
  ModelOutput model;
  std::optional<tensor::SafetensorsWriter> new_state;
  std::vector<ModelOutput> mixes;  // as plan.mixes

  // Order statistics and mixes look at every update more than once; a sum takes them one by one.
  bool keeps_rows() const { return plan.rule != CombineRule::kWeightedSum || !plan.mixes.empty(); }
};

// Values a tile: as many as kWorkerBytes hold, a multiple of kColumns.
std::size_t TileValues(const UpdateSet& updates, const Strategy& strategy, const FoldPlan& plan) {
  constexpr std::size_t kTileValuesMax = 64 << 10;
  const bool rows = plan.rule != CombineRule::kWeightedSum || !plan.mixes.empty();
  const std::size_t bytes_a_value = (rows ? updates.size() : 0) * sizeof(double)      // rows
                                    + (updates.bases() + plan.mixes.size() + 3) * 4   // bases, mixes, raw, x, model
                                    + strategy.state().size() * (sizeof(double) + 4)  // state
                                    + 4 * sizeof(double);  // staged, combined, auxiliary, new model
  return std::clamp<std::size_t>(kWorkerBytes / bytes_a_value / kColumns * kColumns, kColumns, kTileValuesMax);
}

class FoldWorker final : public TileWorker {
 public:
  FoldWorker(Fold* fold, std::size_t tile_values)
      : fold_(*fold), combined_(tile_values), new_values_(tile_values), global_(tile_values), model_(tile_values) {
    if (fold_.keeps_rows()) rows_.resize(fold_.updates.size() * tile_values);
    if (!fold_.plan.auxiliary_coefficients.empty()) auxiliary_.resize(tile_values);
    state_.resize(fold_.state.tensors() * tile_values);
    raw_state_.resize(fold_.state.tensors() * tile_values);
    mixes_.assign(fold_.mixes.size(), std::vector<float>(tile_values));
  }

  Status Compute(std::size_t number) override {
    const Tile& tile = fold_.tiles[number];
    const bool needs_global = !tile.shared || fold_.strategy.spec().update == wire::UpdateKind::kDelta;
    const std::span<float> global = std::span(global_).first(needs_global ? tile.values : 0);
    if (needs_global) RETURN_IF_ERROR(fold_.updates.ReadGlobal(tile, global));
    if (!tile.shared) {  // the sites have their own; the coordinator keeps what the job began with
      std::ranges::copy(global, model_.begin());
      for (std::vector<float>& mix : mixes_) std::ranges::copy(global, mix.begin());
      return Status();
    }
    std::vector<std::span<const double>> rows;
    if (fold_.keeps_rows()) {
      for (std::size_t i = 0; i < fold_.updates.size(); ++i) {
        const std::span<double> row = std::span(rows_).subspan(i * combined_.size(), tile.values);
        RETURN_IF_ERROR(fold_.updates.Read(i, fold_.strategy.spec().update, tile, &scratch_, row));
        rows.push_back(row);
      }
    }
    RETURN_IF_ERROR(Combine(tile, rows));
    RETURN_IF_ERROR(TakeStep(tile, global));
    for (std::size_t m = 0; m < mixes_.size(); ++m) {
      const std::span<double> sum = std::span(combined_).first(tile.values);
      RETURN_IF_ERROR(
          Sum(fold_.plan.mixes[m].coefficients, sum, [&](std::size_t i, Term term, double coefficient) -> Status {
            AddTerm(term, coefficient, rows[i], sum);
            return Status();
          }));
      RETURN_IF_ERROR(Store(tile, sum, std::span(mixes_[m]).first(tile.values)));
    }
    return Status();
  }

  Status Commit(std::size_t number) override {
    const Tile& tile = fold_.tiles[number];
    RETURN_IF_ERROR(fold_.model.Append(std::span(model_).first(tile.values)));
    for (std::size_t m = 0; m < mixes_.size(); ++m)
      RETURN_IF_ERROR(fold_.mixes[m].Append(std::span(mixes_[m]).first(tile.values)));
    if (!tile.shared || fold_.state.tensors() == 0) return Status();
    const std::span<const float> state = std::span(raw_state_).first(fold_.state.tensors() * tile.values);
    return fold_.new_state->Append({reinterpret_cast<const std::uint8_t*>(state.data()), state.size_bytes()});
  }

 private:
  // Calls add(i, first or further, coefficient) for every coefficient that is not 0, in order.
  template <typename AddOne>
  static Status Sum(const std::vector<double>& coefficients, std::span<double> sum, const AddOne& add) {
    Term term = Term::kFirst;
    for (std::size_t i = 0; i < coefficients.size(); ++i) {
      if (coefficients[i] == 0) continue;
      RETURN_IF_ERROR(add(i, term, coefficients[i]));
      term = Term::kFurther;
    }
    if (term == Term::kFirst) std::ranges::fill(sum, 0.0);
    return Status();
  }

  Status Combine(const Tile& tile, const std::vector<std::span<const double>>& rows) {
    const std::span<double> combined = std::span(combined_).first(tile.values);
    const wire::UpdateKind kind = fold_.strategy.spec().update;
    if (fold_.plan.rule != CombineRule::kWeightedSum) {
      CombineOrdered(fold_.plan, rows, &ordered_, combined);
    } else {
      RETURN_IF_ERROR(Sum(fold_.plan.coefficients, combined, [&](std::size_t i, Term term, double coefficient) {
        if (rows.empty()) return fold_.updates.Add(i, kind, term, coefficient, tile, &scratch_, combined);
        AddTerm(term, coefficient, rows[i], combined);
        return Status();
      }));
    }
    if (auxiliary_.empty()) return Status();
    const std::span<double> sum = std::span(auxiliary_).first(tile.values);
    const std::string what(fold_.strategy.spec().aux_up);
    return Sum(fold_.plan.auxiliary_coefficients, sum, [&](std::size_t i, Term term, double coefficient) {
      return fold_.updates.AddAuxiliary(i, what, term, coefficient, tile, &scratch_, sum);
    });
  }

  Status TakeStep(const Tile& tile, std::span<const float> global) {
    const std::size_t count = fold_.state.tensors();
    std::vector<std::span<double>> state;
    for (std::size_t k = 0; k < count; ++k)
      state.push_back(std::span(state_).subspan(k * combined_.size(), tile.values));
    const std::span<float> raw = std::span(raw_state_).first(count * tile.values);
    RETURN_IF_ERROR(fold_.state.Read(*tile.shared, tile.offset, raw, state));
    const std::span<double> model = std::span(new_values_).first(tile.values);
    fold_.strategy.Step(fold_.plan, {.global = global,
                                     .combined = std::span(combined_).first(tile.values),
                                     .auxiliary = std::span(auxiliary_).first(auxiliary_.empty() ? 0 : tile.values),
                                     .state = state,
                                     .model = model});
    for (std::size_t k = 0; k < count; ++k)
      for (std::size_t i = 0; i < tile.values; ++i) raw[i * count + k] = static_cast<float>(state[k][i]);
    RETURN_IF_ERROR(CheckFinite(tile, raw, "state of strategy"));
    return Store(tile, model, std::span(model_).first(tile.values));
  }

  Status Store(const Tile& tile, std::span<const double> values, std::span<float> out) const {
    FinishFold(values, out);
    return CheckFinite(tile, out, "new model of strategy");
  }

  Status CheckFinite(const Tile& tile, std::span<const float> values, std::string_view what) const {
    const std::optional<std::size_t> bad = FirstNotFinite(values);
    if (!bad) return Status();
    return FailedPrecondition("the ", what, " ", fold_.strategy.spec().name, " has ", values[*bad], " in tensor '",
                              fold_.updates.schema().tensors()[tile.tensor].name,
                              "': the training diverges; take smaller steps (the strategy's parameters, "
                              "train.learning_rate)");
  }

  Fold& fold_;
  std::vector<double> rows_;  // n x tile_values
  std::vector<double> combined_, auxiliary_, new_values_, state_, ordered_;
  std::vector<float> global_, model_, raw_state_;
  std::vector<std::vector<float>> mixes_;
  UpdateSet::Scratch scratch_;
};

UpdateSet::Needs NeedsOf(const Strategy& strategy) {
  const bool deltas = strategy.spec().update == wire::UpdateKind::kDelta;
  UpdateSet::Needs needs{.weights = !deltas, .deltas = deltas || strategy.geometry() != Geometry::kNone};
  if (!strategy.spec().aux_up.empty()) needs.auxiliary.emplace_back(strategy.spec().aux_up);
  return needs;
}

// Every update, base and site model is an open file; sessions and journals need theirs too.
void AllowOpenFiles(std::size_t files) {
  constexpr std::size_t kOthers = 1024;
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= files + kOthers) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, files + kOthers);
  ::setrlimit(RLIMIT_NOFILE, &limit);  // if it is refused, opening says what is wrong
}

}  // namespace

StatusOr<AggregateResult> Aggregate(const AggregateRequest& request) {
  CONSILIUM_CHECK(!request.contributions.empty(), "a fold of nothing");
  CONSILIUM_CHECK(std::ranges::is_sorted(request.contributions, {}, &AggregateContribution::site), "not in name order");
  AllowOpenFiles(3 * request.contributions.size());
  const std::unique_ptr<const Strategy> strategy = MakeStrategy(request.federation);
  const std::size_t threads = FoldThreads(request.threads);
  ASSIGN_OR_RETURN(const UpdateSet updates, UpdateSet::Open(request, NeedsOf(*strategy)));
  ASSIGN_OR_RETURN(const StateFile state, StateFile::Open(request.state, *strategy, updates.shared()));

  std::vector<UpdateFacts> facts;
  for (const AggregateContribution& c : request.contributions)
    facts.push_back({.site = c.site, .weight = c.weight, .staleness = c.staleness, .metrics = c.metrics});
  ASSIGN_OR_RETURN(const GramMatrix gram, updates.Products(strategy->geometry(), threads));
  ASSIGN_OR_RETURN(const FoldPlan plan, strategy->Plan({facts, gram, request.sites, state.memory()}));

  const std::filesystem::path model_path = request.output_folder / "model.safetensors";
  const std::filesystem::path state_path = request.output_folder / "strategy-state.safetensors";
  ASSIGN_OR_RETURN(ModelOutput model, ModelOutput::Create(model_path, updates.global()));
  const std::size_t tile_values = TileValues(updates, *strategy, plan);
  Fold fold{.updates = updates,
            .strategy = *strategy,
            .plan = plan,
            .state = state,
            .tiles = updates.Tiles(tile_values, TileScope::kWholeModel),
            .model = std::move(model)};
  if (state.tensors() > 0 || !plan.memory.is_null()) {
    ASSIGN_OR_RETURN(tensor::SafetensorsWriter writer, state.Create(state_path, plan.memory));
    fold.new_state.emplace(std::move(writer));
  }
  for (const Mix& mix : plan.mixes) {
    const std::string name = "site-model-" + mix.sites.front().value() + ".safetensors";
    ASSIGN_OR_RETURN(ModelOutput output, ModelOutput::Create(request.output_folder / name, updates.global()));
    fold.mixes.push_back(std::move(output));
  }
  RETURN_IF_ERROR(RunInOrder(fold.tiles.size(), threads, [&]() -> std::unique_ptr<TileWorker> {
    return std::make_unique<FoldWorker>(&fold, tile_values);
  }));

  AggregateResult result{.model = model_path, .notes = plan.notes};
  if (fold.new_state) {
    RETURN_IF_ERROR(fold.new_state->Commit());
    result.state = state_path;
  }
  if (!strategy->spec().aux_down.empty()) result.auxiliary = result.state;
  for (std::size_t m = 0; m < fold.mixes.size(); ++m) {
    RETURN_IF_ERROR(fold.mixes[m].Commit().status());
    for (const SiteName& site : plan.mixes[m].sites) result.site_models[site] = fold.mixes[m].path();
  }
  ASSIGN_OR_RETURN(result.parameters, fold.model.Commit());
  return result;
}

}  // namespace consilium::coordinator
