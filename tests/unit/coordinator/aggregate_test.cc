#include "coordinator/service/aggregate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "comm/base/file.h"
#include "comm/wire/update_format.h"
#include "coordinator/service/model_file.h"
#include "tests/testing/run_program.h"
#include "tests/unit/coordinator/strategies/dense_fold.h"

namespace consilium::coordinator {
namespace {

using tensor::ParameterVector;
using ::testing::HasSubstr;

std::shared_ptr<const tensor::Schema> SchemaOf(std::vector<tensor::TensorSpec> tensors) {
  return std::make_shared<const tensor::Schema>(tensor::Schema::Create(std::move(tensors)).value());
}

// More than a tile of a sum (65536 values), with a tail; a scalar; an empty tensor; one tile exactly.
std::shared_ptr<const tensor::Schema> Awkward() {
  return SchemaOf({{"big.weight", tensor::DType::kF32, {3, 22003}},
                   {"empty", tensor::DType::kF32, {0, 5}},
                   {"norm.weight", tensor::DType::kF32, {33}},
                   {"scale", tensor::DType::kF32, {}},
                   {"tile", tensor::DType::kF32, {65536}}});
}

ParameterVector VectorOf(const std::shared_ptr<const tensor::Schema>& schema, const Vector& values) {
  ParameterVector vector = ParameterVector::Zeros(schema).value();
  for (std::size_t i = 0; i < values.size(); ++i) vector.values()[i] = static_cast<float>(values[i]);
  return vector;
}

Vector ValuesOf(const std::filesystem::path& path) {
  const ParameterVector vector = tensor::ReadParameters(path).value();
  return {vector.values().begin(), vector.values().end()};
}

class AggregateFiles : public ::testing::Test {
 protected:
  std::filesystem::path Write(const std::string& name, const ParameterVector& vector) {
    EXPECT_TRUE(tensor::WriteParameters(scratch_ / name, vector, {{"format", "pt"}}).ok());
    return scratch_ / name;
  }
  std::filesystem::path WriteUpdate(const std::string& name, const wire::UpdateContents& contents) {
    const auto residual = wire::WriteUpdate(scratch_ / name, contents);
    EXPECT_TRUE(residual.ok()) << residual.status();
    return scratch_ / name;
  }
  AggregateRequest RequestFor(const wire::FederationSpec& federation, const std::filesystem::path& model,
                              const std::string& folder, std::size_t sites) {
    AggregateRequest request{.federation = federation, .model = model, .output_folder = scratch_ / folder};
    for (std::size_t i = 0; i < sites; ++i) request.sites.emplace_back(SiteNumber(i));
    EXPECT_TRUE(MakeDirectories(request.output_folder).ok());
    return request;
  }
  consilium::testing::ScratchFolder scratch_;
};

// Every strategy for two rounds, on files and in memory, with one thread and with three.
TEST_F(AggregateFiles, GiveWhatTheStrategyGivesInMemoryWhateverTheThreads) {
  constexpr std::size_t kSites = 7;
  const auto schema = Awkward();
  const auto size = static_cast<std::size_t>(schema->elements());
  for (const wire::StrategySpec& spec : wire::Strategies()) {
    SCOPED_TRACE(spec.name);
    Rng rng(31);
    wire::FederationSpec federation = Federation(std::string(spec.name));
    if (spec.name == "qfedavg") federation.strategy_parameters["lipschitz"] = 10;
    if (spec.name == "clustered") federation.strategy_parameters["first_rounds"] = 0;
    DenseFold dense(federation, RandomVector(&rng, size), kSites + 1);
    std::filesystem::path state, model = Write("start", VectorOf(schema, dense.model()));
    std::map<SiteName, std::filesystem::path> site_models;
    for (int round = 0; round < 2; ++round) {
      AggregateRequest one = RequestFor(federation, model, Concat(spec.name, "-", round, "-one"), kSites + 1);
      one.state = state;
      std::vector<DenseUpdate> updates;
      for (std::size_t i = 0; i < kSites; ++i) {
        const SiteName site(SiteNumber(i));
        Rng own(41, StreamOf({static_cast<std::uint64_t>(round), i}));
        DenseUpdate update{
            .site = site.value(), .values = RandomVector(&own, size), .weight = 1.0 + static_cast<double>(i)};
        update.metrics = {{"tau", 2.0 + static_cast<double>(i)}, {"loss_before", 0.5}};
        update.base = dense.ModelOf(site.value());
        const ParameterVector values = VectorOf(schema, update.values);
        wire::UpdateContents contents{.kind = spec.update, .values = &values};
        const ParameterVector auxiliary = VectorOf(schema, RandomVector(&own, size));
        if (!spec.aux_up.empty()) {
          update.auxiliary.assign(auxiliary.values().begin(), auxiliary.values().end());
          contents.auxiliary = {{std::string(spec.aux_up), &auxiliary}};
        }
        AggregateContribution contribution{.site = site, .weight = update.weight, .metrics = update.metrics};
        const std::string name = Concat("update-", round, "-", i, "-", static_cast<int>(spec.update), spec.aux_up);
        contribution.update = scratch_ / name;  // strategies of one kind share their files: syncing them takes long
        if (!std::filesystem::exists(contribution.update)) WriteUpdate(name, contents);
        if (site_models.contains(site)) contribution.base = site_models.at(site);
        one.contributions.push_back(contribution);
        updates.push_back(std::move(update));
      }
      one.threads = 1;
      AggregateRequest three = one;
      three.threads = 3;
      three.output_folder = scratch_ / Concat(spec.name, "-", round, "-three");
      ASSERT_TRUE(MakeDirectories(three.output_folder).ok());
      const auto result = Aggregate(one), again = Aggregate(three);
      ASSERT_TRUE(result.ok()) << result.status();
      ASSERT_TRUE(again.ok()) << again.status();
      EXPECT_EQ(Sha256OfFile(result->model).value(), Sha256OfFile(again->model).value());
      EXPECT_EQ(result->parameters, ParametersDigest(result->model).value());
      ASSERT_EQ(result->state.empty(), again->state.empty());
      if (!result->state.empty()) {
        EXPECT_EQ(Sha256OfFile(result->state).value(), Sha256OfFile(again->state).value());
      }
      EXPECT_EQ(result->auxiliary.empty(), spec.aux_down.empty());
      EXPECT_EQ(result->site_models.empty(), !spec.several_models);

      ASSERT_TRUE(dense.Fold(updates).ok());
      const auto expect_same = [&](const Vector& found, const Vector& expected) {
        // Inner products are added tensor by tensor here and in one piece there: the last bits may differ.
        EXPECT_LE(Distance(found, expected), 1e-6 * Distance(expected, Vector(size)));
        if (spec.name == "fedavg" || spec.name == "scaffold" || spec.name == "median" || spec.name == "fedyogi") {
          EXPECT_EQ(found, expected);
        }
      };
      expect_same(ValuesOf(result->model), dense.model());
      for (const auto& [site, path] : result->site_models) {
        site_models[site] = path;
        expect_same(ValuesOf(path), dense.ModelOf(site.value()));
      }
      if (spec.aux_down == "control") expect_same(ValuesOf(result->auxiliary), dense.state(0));
      if (spec.name != "norm_clipping") {
        EXPECT_EQ(result->notes, dense.plan().notes);
      }
      model = result->model;
      state = result->state;
    }
  }
}

TEST_F(AggregateFiles, GiveTheBytesOfTheOnlySitesWeights) {
  Rng rng(1);
  const auto schema = Awkward();
  const auto size = static_cast<std::size_t>(schema->elements());
  const ParameterVector trained = VectorOf(schema, RandomVector(&rng, size));
  const auto model = Write("model", VectorOf(schema, RandomVector(&rng, size)));
  AggregateRequest request = RequestFor(Federation("fedavg"), model, "out", 1);
  request.contributions = {{.site = SiteName("hospital-0"), .update = Write("update", trained), .weight = 123}};
  const auto result = Aggregate(request);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->parameters, trained.digest());
  EXPECT_EQ(tensor::ReadParameters(result->model).value().digest(), trained.digest());
  EXPECT_EQ(tensor::SafetensorsFile::Open(result->model).value().metadata().at("format"), "pt") << "as the model's";
  EXPECT_TRUE(result->state.empty());
  EXPECT_EQ(Aggregate(request)->parameters, trained.digest()) << "again over the same folder";
}

// Written out beside the strategies' own reference: what averaging means.
TEST_F(AggregateFiles, GiveTheWeightedMeanOfTheSitesValues) {
  Rng rng(3);
  const auto schema = Awkward();
  const auto size = static_cast<std::size_t>(schema->elements());
  AggregateRequest request =
      RequestFor(Federation("fedavg"), Write("model", VectorOf(schema, RandomVector(&rng, size))), "out", 3);
  const std::vector<double> weights = {3, 1, 6};
  std::vector<ParameterVector> updates;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    updates.push_back(VectorOf(schema, RandomVector(&rng, size)));
    request.contributions.push_back(
        {.site = request.sites[i], .update = Write(Concat("update", i), updates.back()), .weight = weights[i]});
  }
  const auto result = Aggregate(request);
  ASSERT_TRUE(result.ok()) << result.status();
  const ParameterVector mean = tensor::ReadParameters(result->model).value();
  EXPECT_EQ(result->parameters, mean.digest());
  for (std::size_t i = 0; i < size; ++i) {
    double expected = 0;
    for (std::size_t s = 0; s < weights.size(); ++s) expected += weights[s] / 10.0 * updates[s].values()[i];
    ASSERT_NEAR(mean.values()[i], expected, 1e-6) << "value " << i;
  }
}

TEST_F(AggregateFiles, TakeWeightsOrDeltasWhateverTheStrategyWorksOn) {
  Rng rng(2);
  const auto schema = Awkward();
  const auto size = static_cast<std::size_t>(schema->elements());
  const Vector x = RandomVector(&rng, size);
  const auto model = Write("model", VectorOf(schema, x));
  for (const char* name : {"fedavg", "fedbuff", "geometric_median", "median"}) {
    AggregateRequest weights = RequestFor(Federation(name), model, "weights", 3);
    AggregateRequest deltas = RequestFor(Federation(name), model, "deltas", 3);
    for (std::size_t i = 0; i < 3; ++i) {
      const Vector d = RandomVector(&rng, size);
      const ParameterVector y = VectorOf(schema, Combination({1, 1}, {x, d})), delta = VectorOf(schema, d);
      const SiteName site(SiteNumber(i));
      weights.contributions.push_back({.site = site, .update = Write(Concat("y", i), y)});
      deltas.contributions.push_back({.site = site});
      deltas.contributions.back().update =
          WriteUpdate(Concat("d", i), {.kind = wire::UpdateKind::kDelta, .values = &delta});
    }
    const auto from_weights = Aggregate(weights), from_deltas = Aggregate(deltas);
    ASSERT_TRUE(from_weights.ok() && from_deltas.ok()) << from_weights.status() << from_deltas.status();
    EXPECT_LE(Distance(ValuesOf(from_weights->model), ValuesOf(from_deltas->model)), 1e-6 * std::sqrt(size)) << name;
  }
}

TEST_F(AggregateFiles, OpenABaseOnlyWhereItIsRead) {
  const auto schema = SchemaOf({{"weight", tensor::DType::kF32, {4}}});
  const ParameterVector values = VectorOf(schema, {1, 2, 3, 4});
  const auto model = Write("model", VectorOf(schema, {1, 1, 1, 1}));
  AggregateRequest request = RequestFor(Federation("fedbuff"), model, "out", 1);
  request.contributions = {{.site = SiteName(SiteNumber(0)),
                            .update = WriteUpdate("delta", {.kind = wire::UpdateKind::kDelta, .values = &values}),
                            .base = scratch_ / "of-ten-rounds-ago",
                            .staleness = 3}};
  const auto result = Aggregate(request);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(ValuesOf(result->model), (Vector{1.5, 2, 2.5, 3}));  // (1 + 3)^-1/2 of the delta
  request.contributions[0].update = Write("weights", values);
  EXPECT_EQ(Aggregate(request).code(), StatusCode::kNotFound) << "its delta cannot be told";
}

TEST_F(AggregateFiles, FoldCompressedUpdatesAsTheyDecode) {
  Rng rng(3);
  const auto schema = Awkward();
  const auto size = static_cast<std::size_t>(schema->elements());
  const Vector x = RandomVector(&rng, size);
  AggregateRequest request = RequestFor(Federation("fedavg"), Write("model", VectorOf(schema, x)), "out", 2);
  Vector expected = x;
  for (std::size_t i = 0; i < 2; ++i) {
    const ParameterVector delta = VectorOf(schema, RandomVector(&rng, size));
    wire::UpdateContents contents{.kind = wire::UpdateKind::kDelta, .values = &delta};
    contents.compression.scheme = tensor::Compression::kInt8;
    const auto path = WriteUpdate(Concat("update", i), contents);
    const auto reader = wire::UpdateReader::Open(path, schema);
    ASSERT_TRUE(reader.ok()) << reader.status();
    std::size_t at = 0;
    for (std::size_t t = 0; t < schema->tensors().size(); ++t) {
      std::vector<float> decoded(static_cast<std::size_t>(schema->tensors()[t].elements()));
      ASSERT_TRUE(reader->ReadTile(t, 0, decoded).ok());
      for (const float value : decoded) expected[at++] += 0.5 * value;
    }
    request.contributions.push_back({.site = SiteName(SiteNumber(i)), .update = path});
  }
  const auto result = Aggregate(request);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_LE(Distance(ValuesOf(result->model), expected), 1e-6 * std::sqrt(size));
}

TEST_F(AggregateFiles, KeepPersonalTensorsFromTheGlobalModelAndOutOfTheState) {
  Rng rng(4);
  const auto schema = Awkward();
  const auto shared = SchemaOf({{"big.weight", tensor::DType::kF32, {3, 22003}},
                                {"empty", tensor::DType::kF32, {0, 5}},
                                {"scale", tensor::DType::kF32, {}},
                                {"tile", tensor::DType::kF32, {65536}}});
  const ParameterVector start = VectorOf(schema, RandomVector(&rng, static_cast<std::size_t>(schema->elements())));
  for (const char* name : {"fedavg", "fedavgm", "mixing"}) {
    AggregateRequest request = RequestFor(Federation(name), Write("model", start), Concat("out-", name), 2);
    request.personal = {"norm.*"};
    const ParameterVector y = VectorOf(shared, RandomVector(&rng, static_cast<std::size_t>(shared->elements())));
    request.contributions = {{.site = SiteName(SiteNumber(0)), .update = Write("update", y)}};
    const auto result = Aggregate(request);
    ASSERT_TRUE(result.ok()) << result.status();
    const ParameterVector model = tensor::ReadParameters(result->model).value();
    ASSERT_EQ(model.schema(), *schema);
    for (std::size_t i = 0; i < model.tensor(2).size(); ++i) EXPECT_EQ(model.tensor(2)[i], start.tensor(2)[i]);
    EXPECT_NEAR(model.tensor(3)[0], y.tensor(2)[0], 1e-6);
    if (name == std::string("fedavgm")) {
      EXPECT_EQ(tensor::ReadParameters(result->state)->schema(), *shared);
    }
    // An update that brings its personal tensors along is refused.
    request.contributions[0].update = Write("whole", start);
    EXPECT_EQ(Aggregate(request).code(), StatusCode::kDataLoss);
    EXPECT_EQ(CheckUpdateFile(scratch_ / "whole", scratch_ / "model", {.personal = {"norm.*"}}).code(),
              StatusCode::kDataLoss);
    EXPECT_TRUE(CheckUpdateFile(scratch_ / "update", scratch_ / "model", {.personal = {"norm.*"}}).ok());
  }
}

TEST_F(AggregateFiles, RefuseADivergedModelAndTheStateOfAnotherStrategy) {
  const auto schema = SchemaOf({{"weight", tensor::DType::kF32, {4}}});
  const auto model = Write("model", VectorOf(schema, {0, 0, 0, 0}));
  const auto update = Write("update", VectorOf(schema, {1, 2, 3e38, 4}));
  AggregateRequest request = RequestFor(Federation("fedavgm", {{"server_learning_rate", 10}}), model, "out", 1);
  request.contributions = {{.site = SiteName(SiteNumber(0)), .update = update}};
  const Status diverged = Aggregate(request).status();
  EXPECT_EQ(diverged.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(diverged.message(), HasSubstr("new model of strategy fedavgm has inf in tensor 'weight'"));
  EXPECT_FALSE(std::filesystem::exists(request.output_folder / "model.safetensors")) << "nothing half done";

  request.federation = Federation("scaffold");
  request.state = Write("state", VectorOf(schema, {0, 0, 0, 0}));
  const ParameterVector values = VectorOf(schema, {1, 2, 3, 4});
  request.contributions[0].update = WriteUpdate(
      "scaffold", {.kind = wire::UpdateKind::kDelta, .values = &values, .auxiliary = {{"control_delta", &values}}});
  const Status other = Aggregate(request).status();
  EXPECT_EQ(other.code(), StatusCode::kDataLoss);
  EXPECT_THAT(other.message(), HasSubstr("expected 'control' of 'scaffold'"));
  request.state.clear();
  EXPECT_TRUE(Aggregate(request).ok());
}

TEST_F(AggregateFiles, FoldMoreSitesThanATileCouldHold) {
  constexpr std::size_t kMany = 300;
  const auto schema = SchemaOf({{"weight", tensor::DType::kF32, {9000}}});
  const auto model = Write("model", VectorOf(schema, Vector(9000)));
  for (const char* name : {"median", "fedavg"}) {
    AggregateRequest request = RequestFor(Federation(name), model, "many", 1);
    for (std::size_t i = 0; i < 3; ++i)
      Write(Concat("update-", i), VectorOf(schema, Vector(9000, static_cast<double>(i))));
    for (std::size_t i = 0; i < kMany; ++i)
      request.contributions.push_back(
          {.site = SiteName(Concat("site-", 1000 + i)), .update = scratch_ / Concat("update-", i % 3)});
    const auto result = Aggregate(request);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_LE(Distance(ValuesOf(result->model), Vector(9000, 1.0)), 1e-4);
  }
}

}  // namespace
}  // namespace consilium::coordinator
