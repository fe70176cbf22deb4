#include "comm/collective/overlap_trace.h"

#include <algorithm>

#include "comm/base/json.h"

namespace consilium::collective {
namespace {

constexpr int kBackwardLane = 0;  // buckets follow

Json Slice(const std::string& name, int rank, int lane, Instant origin, Instant begin, Instant end) {
  const auto microseconds = [](Duration duration) {
    return std::chrono::duration<double, std::micro>(duration).count();
  };
  return {{"name", name},
          {"ph", "X"},
          {"pid", rank},
          {"tid", lane},
          {"ts", microseconds(begin - origin)},
          {"dur", microseconds(std::max(Duration::zero(), Duration(end - begin)))}};
}

Json LaneName(int rank, int lane, const std::string& name) {
  return {{"name", "thread_name"}, {"ph", "M"}, {"pid", rank}, {"tid", lane}, {"args", {{"name", name}}}};
}

}  // namespace

void OverlapTrace::BackwardBegan(std::int64_t step) {
  const std::lock_guard lock(mutex_);
  if (steps_.size() >= kEventsMax) return void(++dropped_);
  const Instant now = clock_.Now();
  steps_.push_back({step, now, now, now});
}

void OverlapTrace::BucketLaunched(std::int64_t step, std::size_t bucket, std::int64_t bytes) {
  const std::lock_guard lock(mutex_);
  const Instant now = clock_.Now();
  if (!steps_.empty() && steps_.back().step == step) steps_.back().gradients_ready = now;
  if (buckets_.size() >= kEventsMax) return void(++dropped_);
  buckets_.push_back({step, bucket, bytes, now, now});
}

void OverlapTrace::BucketFinished(std::int64_t step, std::size_t bucket) {
  const std::lock_guard lock(mutex_);
  const auto event = std::find_if(buckets_.rbegin(), buckets_.rend(),
                                  [&](const BucketEvent& e) { return e.step == step && e.bucket == bucket; });
  if (event != buckets_.rend()) event->finished = clock_.Now();
}

void OverlapTrace::BackwardEnded(std::int64_t step) {
  const std::lock_guard lock(mutex_);
  if (!steps_.empty() && steps_.back().step == step) steps_.back().backward_end = clock_.Now();
}

std::vector<OverlapTrace::BucketEvent> OverlapTrace::buckets() const {
  const std::lock_guard lock(mutex_);
  return buckets_;
}

std::vector<OverlapTrace::StepEvent> OverlapTrace::steps() const {
  const std::lock_guard lock(mutex_);
  return steps_;
}

std::int64_t OverlapTrace::overlapped_buckets() const {
  const std::lock_guard lock(mutex_);
  return OverlappedLocked();
}

std::int64_t OverlapTrace::OverlappedLocked() const {
  return std::count_if(buckets_.begin(), buckets_.end(), [this](const BucketEvent& bucket) {
    const auto step = std::lower_bound(steps_.begin(), steps_.end(), bucket.step,
                                       [](const StepEvent& event, std::int64_t number) { return event.step < number; });
    return step != steps_.end() && step->step == bucket.step && bucket.launched < step->gradients_ready;
  });
}

Status OverlapTrace::WriteChromeTrace(const std::filesystem::path& path) const {
  const std::vector<StepEvent> steps = this->steps();
  const std::vector<BucketEvent> buckets = this->buckets();
  const Instant origin = steps.empty() ? Instant() : steps.front().backward_begin;
  Json events = Json::array();
  events.push_back(
      {{"name", "process_name"}, {"ph", "M"}, {"pid", rank_}, {"args", {{"name", Concat("rank ", rank_)}}}});
  events.push_back(LaneName(rank_, kBackwardLane, "backward"));
  std::size_t lanes = 0;
  for (const BucketEvent& bucket : buckets) lanes = std::max(lanes, bucket.bucket + 1);
  for (std::size_t bucket = 0; bucket < lanes; ++bucket)
    events.push_back(LaneName(rank_, static_cast<int>(bucket) + 1, Concat("all-reduce, bucket ", bucket)));
  for (const StepEvent& step : steps) {
    events.push_back(Slice("backward", rank_, kBackwardLane, origin, step.backward_begin, step.gradients_ready));
    events.back()["args"] = {{"step", step.step}};
    events.push_back(
        Slice("wait for all-reduce", rank_, kBackwardLane, origin, step.gradients_ready, step.backward_end));
    events.back()["args"] = {{"step", step.step}};
  }
  for (const BucketEvent& bucket : buckets) {
    events.push_back(
        Slice("all-reduce", rank_, static_cast<int>(bucket.bucket) + 1, origin, bucket.launched, bucket.finished));
    events.back()["args"] = {{"step", bucket.step}, {"bytes", bucket.bytes}};
  }
  const std::lock_guard lock(mutex_);
  return WriteJson(path, {{"traceEvents", events},
                          {"displayTimeUnit", "ms"},
                          {"otherData", {{"overlapped_buckets", OverlappedLocked()}, {"dropped_events", dropped_}}}});
}

}  // namespace consilium::collective
