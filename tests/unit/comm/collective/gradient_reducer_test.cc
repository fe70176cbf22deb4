// k ranks on equal shares of a batch compute what one process computes on the whole of it.
#include "comm/collective/gradient_reducer.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "tests/unit/comm/collective/gang.h"

namespace consilium::collective {
namespace {

constexpr std::int64_t kBatch = 36, kWidth = 40;
constexpr double kLearningRate = 0.1;
constexpr int kSteps = 10;

// Three layers and, when asked for, one that the loss does not reach.
struct Model : torch::nn::Module {
  explicit Model(std::uint64_t seed, bool with_unused = false) {
    const std::lock_guard lock(generator);  // ranks are threads, and share torch's generator
    torch::manual_seed(seed);
    a = register_module("a", torch::nn::Linear(8, kWidth));
    b = register_module("b", torch::nn::Linear(kWidth, kWidth));
    c = register_module("c", torch::nn::Linear(kWidth, 1));
    if (with_unused) unused = register_module("unused", torch::nn::Linear(2, 2));
    register_buffer("offset", torch::full({1}, static_cast<double>(seed)));
  }
  torch::Tensor Loss(const torch::Tensor& x, const torch::Tensor& y) {
    return (c(torch::tanh(b(torch::tanh(a(x))))) - y).square().mean();
  }
  NamedTensors Parameters() {
    NamedTensors named;
    for (const auto& item : named_parameters()) named.emplace_back(item.key(), item.value());
    return named;
  }
  NamedTensors Buffers() {
    NamedTensors named;
    for (const auto& item : named_buffers()) named.emplace_back(item.key(), item.value());
    return named;
  }
  torch::Tensor Flat() {
    std::vector<torch::Tensor> flat;
    for (const torch::Tensor& parameter : parameters()) flat.push_back(parameter.detach().flatten());
    return torch::cat(flat).clone();
  }
  static inline std::mutex generator;
  torch::nn::Linear a{nullptr}, b{nullptr}, c{nullptr}, unused{nullptr};
};

struct Data {
  torch::Tensor x, y;  // [kBatch, 8], [kBatch, 1]
};

Data BatchOf(int step) {
  const torch::Tensor grid = torch::arange(kBatch * 8, torch::kFloat32).reshape({kBatch, 8});
  const torch::Tensor x = torch::sin(grid * (0.37 + 0.01 * step));
  return {x, x.sum(1, true).cos()};
}

void Descend(Model& model) {
  const torch::NoGradGuard no_grad;
  for (torch::Tensor& parameter : model.parameters())
    if (parameter.grad().defined()) parameter.sub_(kLearningRate * parameter.grad());
}

// One optimizer step on this rank's share, in `micro_batches` parts.
Status Step(GradientReducer& reducer, Model& model, const Communicator& gang, int step, int micro_batches = 1) {
  const std::int64_t share = kBatch / gang.world(), part = share / micro_batches;
  const Data data = BatchOf(step);
  RETURN_IF_ERROR(reducer.BeginStep());
  for (int i = 0; i < micro_batches; ++i) {
    const std::int64_t begin = gang.rank() * share + i * part;
    const torch::Tensor loss = model.Loss(data.x.narrow(0, begin, part), data.y.narrow(0, begin, part)) / micro_batches;
    RETURN_IF_ERROR(reducer.Backward(loss, i + 1 < micro_batches ? Micro::kAccumulate : Micro::kReduce));
  }
  Descend(model);
  reducer.ClearGradients();
  return {};
}

std::unique_ptr<GradientReducer> MakeReducer(Communicator& gang, Model& model, ReducerOptions options = {}) {
  if (options.bucket_bytes == 0) options.bucket_bytes = 2048;  // several buckets
  auto reducer = GradientReducer::Create(gang, model.Parameters(), model.Buffers(), options);
  CONSILIUM_CHECK(reducer.ok(), reducer.status());
  return std::move(reducer).value();
}

torch::Tensor OneProcess() {
  Model model(7);
  for (int step = 0; step < kSteps; ++step) {
    const Data data = BatchOf(step);
    model.Loss(data.x, data.y).backward();
    Descend(model);
    for (torch::Tensor& parameter : model.parameters()) parameter.mutable_grad().reset();
  }
  return model.Flat();
}

double MaxDifference(const torch::Tensor& a, const torch::Tensor& b) { return (a - b).abs().max().item<double>(); }

class GradientReducerTest : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(World, GradientReducerTest, testing::Values(1, 2, 3, 4));

TEST_P(GradientReducerTest, RanksOnSharesOfTheBatchEqualOneProcessOnAllOfIt) {
  const torch::Tensor expected = OneProcess();
  RunGang(GetParam(), [&](Communicator& gang) {
    Model model(7);
    const auto reducer = MakeReducer(gang, model);
    for (int step = 0; step < kSteps; ++step) {
      const Status status = Step(*reducer, model, gang, step);
      ASSERT_TRUE(status.ok()) << status;
    }
    EXPECT_LT(MaxDifference(model.Flat(), expected), 1e-6);
  });
}

TEST_P(GradientReducerTest, AccumulatedMicroBatchesEqualOneBatch) {
  const torch::Tensor expected = OneProcess();
  RunGang(GetParam(), [&](Communicator& gang) {
    Model model(7);
    const auto reducer = MakeReducer(gang, model);
    for (int step = 0; step < kSteps; ++step) ASSERT_TRUE(Step(*reducer, model, gang, step, 3).ok());
    EXPECT_LT(MaxDifference(model.Flat(), expected), 1e-6);
  });
}

TEST_P(GradientReducerTest, EveryRankStartsFromTheParametersAndBuffersOfRank0) {
  RunGang(GetParam(), [&](Communicator& gang) {
    Model model(static_cast<std::uint64_t>(gang.rank()) + 7);
    const auto reducer = MakeReducer(gang, model);
    EXPECT_TRUE(model.Flat().equal(Model(7).Flat()));
    EXPECT_EQ(model.named_buffers()["offset"].item<float>(), 7.0F);
  });
}

TEST_P(GradientReducerTest, ParametersWithoutGradientAreFoundWhenThatIsAskedFor) {
  const torch::Tensor expected = OneProcess();
  RunGang(GetParam(), [&](Communicator& gang) {
    Model model(7, true);
    ReducerOptions options;
    options.unused = ReducerOptions::Unused::kFind;
    const auto reducer = MakeReducer(gang, model, options);
    for (int step = 0; step < kSteps; ++step) {
      const Status status = Step(*reducer, model, gang, step);
      ASSERT_TRUE(status.ok()) << status;
    }
    EXPECT_LT(MaxDifference(model.Flat().narrow(0, 0, expected.numel()), expected), 1e-6);
  });
}

TEST(GradientReducer, ParametersWithoutGradientAreNamedOtherwise) {
  RunGang(2, [&](Communicator& gang) {
    Model model(7, true);
    const auto reducer = MakeReducer(gang, model);
    const Status status = Step(*reducer, model, gang, 0);
    EXPECT_EQ(status.code(), StatusCode::kFailed);
    EXPECT_NE(status.message().find("unused.weight, unused.bias"), std::string::npos) << status;
  });
}

TEST(GradientReducer, RanksThatBuiltDifferentModelsAreRefusedAtTheStart) {
  RunGang(3, [&](Communicator& gang) {
    Model model(7, gang.rank() == 2);
    const auto reducer = GradientReducer::Create(gang, model.Parameters(), model.Buffers(), {});
    ASSERT_FALSE(reducer.ok());
    EXPECT_EQ(reducer.code(), StatusCode::kInvalidArgument);
    EXPECT_NE(reducer.status().message().find("rank 2"), std::string::npos) << reducer.status();
  });
}

TEST(GradientReducer, ARankThatFailsInItsBackwardPassIsNamedByTheOthers) {
  RunGang(2, [&](Communicator& gang) {
    Model model(7);
    const auto reducer = MakeReducer(gang, model);
    ASSERT_TRUE(reducer->BeginStep().ok());
    if (gang.rank() == 1) {
      const Status status = reducer->Backward(torch::zeros({2}, torch::requires_grad()), Micro::kReduce);  // no scalar
      EXPECT_EQ(status.code(), StatusCode::kFailed) << status;
      return;
    }
    const Data data = BatchOf(0);
    const Status status = reducer->Backward(model.Loss(data.x, data.y), Micro::kReduce);
    EXPECT_EQ(status.code(), StatusCode::kRankFailure);
    EXPECT_NE(status.message().find("rank 1"), std::string::npos) << status;
    EXPECT_NE(status.message().find("scalar"), std::string::npos) << status;
  });
}

// From 3 ranks on the order of a sum depends on the buckets' layout, see the header.
TEST(GradientReducer, ARunThatIsResumedEqualsTheUninterruptedOneBitForBit) {
  for (const int world : {2, 3, 4}) {
    const auto train = [&](torch::Tensor start, int begin, int end) {
      torch::Tensor result;
      RunGang(world, [&](Communicator& gang) {
        Model model(7);
        if (start.defined()) {
          const torch::NoGradGuard no_grad;
          std::int64_t at = 0;
          for (torch::Tensor& parameter : model.parameters()) {
            parameter.copy_(start.narrow(0, at, parameter.numel()).view_as(parameter));
            at += parameter.numel();
          }
        }
        const auto reducer = MakeReducer(gang, model);
        const Data data = BatchOf(0);
        ASSERT_TRUE(reducer->Warmup([&] { return model.Loss(data.x, data.y); }).ok());
        for (int step = begin; step < end; ++step) ASSERT_TRUE(Step(*reducer, model, gang, step).ok());
        if (gang.rank() == 0) result = model.Flat();
      });
      return result;
    };
    const torch::Tensor whole = train({}, 0, 6);
    const torch::Tensor resumed = train(train({}, 0, 3), 3, 6);
    EXPECT_TRUE(whole.equal(resumed)) << world << " ranks";
  }
}

TEST(GradientReducer, AThrowAwayStepLeavesParametersBuffersAndTheGeneratorAlone) {
  RunGang(3, [&](Communicator& gang) {
    Model model(7);
    const auto reducer = MakeReducer(gang, model);
    const torch::Tensor before = model.Flat();
    const Data data = BatchOf(0);
    ASSERT_TRUE(reducer
                    ->Warmup([&] {
                      model.named_buffers()["offset"].add_(1);
                      return model.Loss(data.x, data.y);
                    })
                    .ok());
    EXPECT_TRUE(model.Flat().equal(before));
    EXPECT_EQ(model.named_buffers()["offset"].item<float>(), 7.0F);
    for (const torch::Tensor& parameter : model.parameters()) EXPECT_FALSE(parameter.grad().defined());
  });
}

TEST(GradientReducer, BucketsAreSummedWhileTheBackwardPassStillRuns) {
  RunGang(2, [&](Communicator& gang) {
    Model model(7);
    OverlapTrace trace(gang.rank());
    ReducerOptions options;
    options.trace = &trace;
    const auto reducer = MakeReducer(gang, model, options);
    for (int step = 0; step < 3; ++step) ASSERT_TRUE(Step(*reducer, model, gang, step).ok());
    ASSERT_EQ(trace.steps().size(), 3U);
    // Every bucket but the last of each step is launched before the last gradient is there.
    EXPECT_EQ(trace.overlapped_buckets(), static_cast<std::int64_t>(trace.buckets().size()) - 3);
    EXPECT_GE(trace.overlapped_buckets(), 3);
    for (const auto& step : trace.steps()) {
      EXPECT_LT(step.backward_begin, step.gradients_ready);
      EXPECT_LE(step.gradients_ready, step.backward_end);
    }
    for (const auto& bucket : trace.buckets()) EXPECT_LE(bucket.launched, bucket.finished);
  });
}

}  // namespace
}  // namespace consilium::collective
