// "12/40 hippocampus_017  3.1 cases/s  9.0s left": one line that renews itself on a terminal, plain lines now and then
// in a pipe.
#pragma once

#include <string>

#include "comm/base/time.h"

namespace consilium::datasets {

// Strand-bound.
class CaseProgress {
 public:
  CaseProgress();
  void Show(const std::string& case_id, std::int64_t done, std::int64_t total);
  double seconds() const;

 private:
  Instant start_, shown_;
  bool is_terminal_;
};

}  // namespace consilium::datasets
