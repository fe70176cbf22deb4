#include "datasets/statistics/case_progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace consilium::datasets {

CaseProgress::CaseProgress() : start_(SystemClock().Now()), shown_(start_), is_terminal_(isatty(STDERR_FILENO) == 1) {}

double CaseProgress::seconds() const { return Seconds(SystemClock().Now() - start_); }

void CaseProgress::Show(const std::string& case_id, std::int64_t done, std::int64_t total) {
  const Instant now = SystemClock().Now();
  const bool is_due = now - shown_ >= (is_terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(10));
  if (!is_due && done < total) return;
  shown_ = now;
  const double rate = static_cast<double>(done) / std::max(seconds(), 1e-9);
  const auto left =
      std::chrono::milliseconds(static_cast<std::int64_t>(1000 * static_cast<double>(total - done) / rate));
  std::fprintf(stderr, "%s%lld/%lld %s  %.1f cases/s  %s left%s", is_terminal_ ? "\r\x1b[K" : "",
               static_cast<long long>(done), static_cast<long long>(total), case_id.c_str(), rate,
               FormatDuration(left).c_str(), is_terminal_ && done < total ? "" : "\n");
}

}  // namespace consilium::datasets
