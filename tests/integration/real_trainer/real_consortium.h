// Three sites with the real trainer and a coordinator that runs many jobs at once: what one job costs beside the others
// is its training alone.
#pragma once

#include "comm/tensor/parameter_vector.h"
#include "tests/testing/local_federation.h"
#include "tests/testing/run_program.h"

namespace consilium {

inline constexpr auto kJobPatience = std::chrono::seconds(400);

// Strand-bound.
class RealConsortium {
 public:
  struct Options {
    int iterations = 12;  // a round
    int rounds = 3;
  };
  // Provisioned: sites a, b and c, each with its own cases, of different numbers.  Nothing runs yet.
  explicit RealConsortium(const Options& options);

  void StartCoordinator();
  void StartClient(const std::string& site);
  void Start();

  // `federation`: the lines of the job's section beside rounds and sites, e.g. "strategy: {name: fedprox}"; those of
  // the whole file in `more`.
  void Submit(const std::string& job, const std::vector<std::string>& federation,
              const std::vector<std::string>& sites = {"a", "b", "c"}, const std::vector<std::string>& more = {});

  // result.json, of a job that must end well.
  Json AwaitResult(const std::string& job);
  bool IsOver(const std::string& job) const;
  void AwaitEvent(const std::string& job, const Json& wanted);
  // The rounds of metrics.jsonl.
  std::vector<Json> Rounds(const std::string& job) const;
  tensor::ParameterVector Weights(const std::string& job) const;
  tensor::ParameterVector InitialWeights() const;

  testing::LocalFederation& federation() { return *federation_; }
  std::filesystem::path data(const std::string& site) const { return scratch_ / ("data-" + site); }

 private:
  const Options options_;
  testing::ScratchFolder scratch_;
  std::optional<testing::LocalFederation> federation_;
};

}  // namespace consilium
