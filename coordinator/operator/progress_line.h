// How far a transfer is: one line that is drawn over on a terminal, a line now and then in a pipe.  To stderr.
#pragma once

#include <cstdint>
#include <string>

#include "comm/base/time.h"

namespace consilium::coordinator {

// Strand-bound.
class ProgressLine {
 public:
  // `done_before`: bytes that a former try has moved already, which count for the share and not for the rate.
  ProgressLine(std::string what, std::uint64_t bytes_total, std::uint64_t done_before);
  ~ProgressLine();
  void Update(std::uint64_t bytes_done);

 private:
  const std::string what_;
  const std::uint64_t total_, before_;
  const bool terminal_;
  const Instant begin_;
  Instant shown_{};
  bool drawn_ = false;
};

}  // namespace consilium::coordinator
