#include "trainer/local/local_method.h"

#include "trainer/local/poly_schedule.h"
#include "trainer/local/vector_math.h"

namespace consilium::trainer {
namespace {

using tensor::ParameterVector;

Status RefuseServerState(const ParameterVector* server) {
  return server == nullptr ? Status()
                           : InvalidArgument("the coordinator sent auxiliary tensors that this strategy does not use");
}

class Plain final : public LocalMethod {
 public:
  StatusOr<GradientCorrection> Begin(const ParameterVector&, const ParameterVector* server, const SiteState&) override {
    RETURN_IF_ERROR(RefuseServerState(server));
    return GradientCorrection();
  }
  StatusOr<Auxiliary> End(const ParameterVector&, const ParameterVector&, SiteState*) override { return Auxiliary(); }
};

class Proximal final : public LocalMethod {
 public:
  explicit Proximal(double mu) : mu_(mu) {}
  StatusOr<GradientCorrection> Begin(const ParameterVector& received, const ParameterVector* server,
                                     const SiteState&) override {
    RETURN_IF_ERROR(RefuseServerState(server));
    GradientCorrection correction;
    correction.pull = mu_;
    if (mu_ != 0) correction.anchor = received;
    return correction;
  }
  StatusOr<Auxiliary> End(const ParameterVector&, const ParameterVector&, SiteState*) override { return Auxiliary(); }

 private:
  const double mu_;
};

class Scaffold final : public LocalMethod {
 public:
  StatusOr<GradientCorrection> Begin(const ParameterVector& received, const ParameterVector* server,
                                     const SiteState& state) override {
    ASSIGN_OR_RETURN(own_, state.Take(state_part::kControl, received.shared_schema()));
    GradientCorrection correction;
    correction.record = GradientCorrection::Record::kMeanGradient;
    ParameterVector shift = own_;
    for (float& value : shift.values()) value = -value;
    if (server != nullptr) {
      if (const Status same = received.schema().CheckSame(server->schema()); !same.ok())
        return InvalidArgument("the server's control variate does not fit the model: ", same.message());
      AddScaled(&shift, *server, 1);
    }
    // At the start both are 0, and no bit may change: 0 + (-0) is not -0.
    if (!IsZero(shift)) correction.shift = std::move(shift);
    return correction;
  }
  StatusOr<Auxiliary> End(const ParameterVector&, const ParameterVector& mean_gradient, SiteState* state) override {
    Auxiliary up;
    up["control_delta"] = Difference(mean_gradient, own_);
    state->Set(state_part::kControl, mean_gradient);
    return up;
  }

 private:
  ParameterVector own_;  // c_i
};

class FedDyn final : public LocalMethod {
 public:
  explicit FedDyn(double alpha) : alpha_(alpha) {}
  StatusOr<GradientCorrection> Begin(const ParameterVector& received, const ParameterVector* server,
                                     const SiteState& state) override {
    RETURN_IF_ERROR(RefuseServerState(server));
    ASSIGN_OR_RETURN(own_, state.Take(state_part::kDynamics, received.shared_schema()));
    received_ = received;
    GradientCorrection correction;
    correction.pull = alpha_;
    if (alpha_ != 0) correction.anchor = received;
    if (!IsZero(own_)) {
      correction.shift = own_;
      for (float& value : correction.shift->values()) value = -value;
    }
    return correction;
  }
  StatusOr<Auxiliary> End(const ParameterVector& trained, const ParameterVector&, SiteState* state) override {
    AddScaled(&own_, Difference(trained, received_), static_cast<float>(-alpha_));
    state->Set(state_part::kDynamics, own_);
    return Auxiliary();
  }

 private:
  const double alpha_;
  ParameterVector own_, received_;  // h_i, x
};

}  // namespace

std::unique_ptr<LocalMethod> MakeLocalMethod(const wire::FederationSpec& federation) {
  const wire::StrategySpec* strategy = wire::FindStrategy(federation.strategy);
  CONSILIUM_CHECK(strategy != nullptr, "the job's strategy was validated");
  switch (strategy->local) {
    case wire::LocalMethod::kProximal:
      return std::make_unique<Proximal>(wire::ParameterOf(federation, "mu"));
    case wire::LocalMethod::kScaffold:
      return std::make_unique<Scaffold>();
    case wire::LocalMethod::kFedDyn:
      return std::make_unique<FedDyn>(wire::ParameterOf(federation, "alpha"));
    case wire::LocalMethod::kPlain:
    case wire::LocalMethod::kDitto:
      break;
  }
  return std::make_unique<Plain>();
}

double EffectiveSteps(const wire::JobSpec& job, std::int64_t first_epoch, std::int64_t end_epoch) {
  const wire::Schedule schedule = wire::ScheduleOf(job);
  const double momentum = job.train.momentum;
  const double first_rate = PolyLearningRate(1.0, first_epoch, schedule.epochs);
  double velocity = 0, moved = 0;
  for (std::int64_t epoch = first_epoch; epoch < end_epoch; ++epoch) {
    const double rate = PolyLearningRate(1.0, epoch, schedule.epochs) / first_rate;
    for (std::int64_t step = 0; step < schedule.iterations; ++step) {
      velocity = momentum * velocity + 1;
      moved += rate * (1 + momentum * velocity);
    }
  }
  return moved;
}

}  // namespace consilium::trainer
