#include "coordinator/operator/progress_line.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>

namespace consilium::coordinator {
namespace {

constexpr auto kTerminalInterval = std::chrono::milliseconds(200);
constexpr auto kPipeInterval = std::chrono::seconds(10);

}  // namespace

ProgressLine::ProgressLine(std::string what, std::uint64_t bytes_total, std::uint64_t done_before)
    : what_(std::move(what)),
      total_(bytes_total),
      before_(done_before),
      terminal_(::isatty(STDERR_FILENO) != 0),
      begin_(SystemClock().Now()),
      shown_(begin_) {}

ProgressLine::~ProgressLine() {
  if (drawn_ && terminal_) std::fputs("\r\033[K", stderr);
}

void ProgressLine::Update(std::uint64_t bytes_done) {
  const Instant now = SystemClock().Now();
  if (now - shown_ < (terminal_ ? Duration(kTerminalInterval) : Duration(kPipeInterval))) return;
  shown_ = now;
  drawn_ = true;
  const double moved = bytes_done > before_ ? static_cast<double>(bytes_done - before_) : 0.0;
  const double rate = moved / std::max(1e-3, Seconds(now - begin_));
  const double left = rate > 0 ? static_cast<double>(total_ - std::min(total_, bytes_done)) / rate : 0;
  const double share = total_ == 0 ? 100.0 : 100.0 * static_cast<double>(bytes_done) / static_cast<double>(total_);
  std::fprintf(stderr, "%s%s  %3.0f %%  %.1f of %.1f MB  %.1f MB/s  %s left%s", terminal_ ? "\r\033[K" : "",
               what_.c_str(), share, static_cast<double>(bytes_done) / 1e6, static_cast<double>(total_) / 1e6,
               rate / 1e6, FormatDuration(std::chrono::seconds(std::llround(left))).c_str(), terminal_ ? "" : "\n");
  std::fflush(stderr);
}

}  // namespace consilium::coordinator
