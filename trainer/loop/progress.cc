#include "trainer/loop/progress.h"

#include <cmath>

namespace consilium::trainer {
namespace {

std::string Format(const char* format, auto... values) {
  char text[160];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

}  // namespace

Progress::Progress(const ProgressOptions& options)
    : options_(options), start_(options.clock->Now()), last_line_(start_) {}

void Progress::Begin(std::int64_t steps_done) {
  start_ = last_line_ = options_.clock->Now();
  steps_before_ = steps_done;
  steps_ = 0;
}

// From this run alone: all of its time (validation and checkpoints too) over all of its steps.
std::string Progress::TimeLeft() const {
  const std::int64_t left = options_.epochs * options_.iterations - steps_before_ - steps_;
  if (left <= 0) return "";
  if (steps_ == 0) return "? left";
  const double seconds =
      Seconds(options_.clock->Now() - start_) / static_cast<double>(steps_) * static_cast<double>(left);
  return FormatDuration(std::chrono::seconds(std::llround(seconds))) + " left";
}

void Progress::Print(const std::string& text, bool renewable) {
  if (options_.out == nullptr) return;
  std::fprintf(options_.out, "%s%s%s", line_open_ ? "\r\x1b[K" : "", text.c_str(), renewable ? "" : "\n");
  std::fflush(options_.out);
  line_open_ = renewable;
}

void Progress::OnStep(const StepReport& step) {
  ++steps_;
  const Instant now = options_.clock->Now();
  if (!options_.terminal && now - last_line_ < options_.pipe_interval) return;
  last_line_ = now;
  const std::string loss = std::isnan(step.loss) ? std::string() : Format("  loss %.4f", step.loss);
  Print(Format("epoch %lld/%lld  step %lld/%lld", static_cast<long long>(step.epoch + 1),
               static_cast<long long>(options_.epochs), static_cast<long long>(step.iteration + 1),
               static_cast<long long>(step.iterations)) +
            loss + Format("  %.1f patches/s  ", step.patches_per_second) + TimeLeft(),
        options_.terminal);
}

void Progress::OnEpoch(const EpochReport& epoch, const ValidationReport& validation, bool is_best) {
  std::string text =
      Format("epoch %lld/%lld", static_cast<long long>(epoch.epoch + 1), static_cast<long long>(options_.epochs));
  if (!std::isnan(epoch.loss)) text += Format("  train loss %.4f", epoch.loss);
  if (!std::isnan(validation.loss)) {
    text += Format("  validation loss %.4f  pseudo Dice", validation.loss);
    for (const double dice : validation.pseudo_dice) text += std::isnan(dice) ? " -" : Format(" %.3f", dice);
    if (is_best) text += " (best)";
  }
  text += Format("  %.1fs  %.1f patches/s  ", epoch.seconds, epoch.patches_per_second) + TimeLeft();
  last_line_ = options_.clock->Now();
  Print(text, /*renewable=*/false);
}

void Progress::Say(const std::string& text) { Print(text, /*renewable=*/false); }

}  // namespace consilium::trainer
