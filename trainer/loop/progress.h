// What a person sees while a model trains: one line that renews itself on a terminal, plain lines now and then in a
// pipe, one line an epoch in both; always with the rate and the time that is left.
#pragma once

#include <cstdio>
#include <string>

#include "comm/base/time.h"
#include "trainer/loop/trainer.h"

namespace consilium::trainer {

struct ProgressOptions {
  std::FILE* out = nullptr;  // null: nobody looks (other ranks)
  bool terminal = false;
  std::int64_t epochs = 1;
  std::int64_t iterations = 1;  // an epoch
  Duration pipe_interval = std::chrono::seconds(30);
  const Clock* clock = &SystemClock();
};

// Strand-bound.
class Progress {
 public:
  explicit Progress(const ProgressOptions& options);
  // Training starts now; `steps_done` by earlier runs.
  void Begin(std::int64_t steps_done);
  void OnStep(const StepReport& step);
  void OnEpoch(const EpochReport& epoch, const ValidationReport& validation, bool is_best);
  // A line of its own, e.g. "checkpoint at step 120".
  void Say(const std::string& text);

 private:
  std::string TimeLeft() const;  // "12m left"; "" at the end
  void Print(const std::string& text, bool renewable);
  const ProgressOptions options_;
  Instant start_, last_line_;
  std::int64_t steps_before_ = 0;
  std::int64_t steps_ = 0;  // by this run
  bool line_open_ = false;  // the cursor stands behind a line that renews itself
};

}  // namespace consilium::trainer
