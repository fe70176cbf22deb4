#include "coordinator/service/task_desk.h"

#include <algorithm>

namespace consilium::coordinator {

void TaskDesk::Connected(const SiteName& site) {
  Desk& desk = desks_[site];
  desk.heard = false;
  desk.line.clear();
}

void TaskDesk::Disconnected(const SiteName& site) {
  const auto found = desks_.find(site);
  if (found == desks_.end()) return;
  Desk& desk = found->second;
  if (desk.in_hand) desk.preferred = std::exchange(desk.in_hand, std::nullopt);
  desk.heard = false;
  desk.line.clear();
}

TaskDesk::Messages TaskDesk::Heard(const SiteName& site, const wire::SiteMessage& message, Instant now) {
  Desk& desk = desks_[site];
  // Who is ready for a secure sum has done its work, and may begin another job's meanwhile.
  if (const auto* answer = std::get_if<wire::SecureAnswer>(&message);
      answer != nullptr && answer->stage == wire::SecureStage::kReady && desk.in_hand == answer->task) {
    desk.in_hand.reset();
    if (desk.heard) return Next(&desk, now);
  }
  if (std::exchange(desk.heard, true)) return {};
  if (const auto* beat = std::get_if<wire::Heartbeat>(&message); beat != nullptr && !beat->task.job.empty())
    desk.preferred = beat->task;
  return Next(&desk, now);
}

TaskDesk::Messages TaskDesk::Say(const SiteName& site, wire::CoordinatorMessage message, Instant now) {
  Desk& desk = desks_[site];
  if (auto* task = std::get_if<wire::Task>(&message)) {
    if (desk.in_hand == task->task) return {std::move(message)};  // said again: it is the same work
    Forget(&desk, task->task);
    desk.line.push_back({std::move(*task), now});
    return Next(&desk, now);
  }
  const wire::TaskKey* closed = nullptr;
  if (const auto* receipt = std::get_if<wire::Receipt>(&message)) closed = &receipt->task;
  if (const auto* down = std::get_if<wire::StandDown>(&message)) closed = &down->task;
  if (closed != nullptr) {
    Forget(&desk, *closed);
    if (desk.in_hand == *closed) desk.in_hand.reset();
  }
  if (const auto* ended = std::get_if<wire::JobEnded>(&message)) {
    std::erase_if(desk.line, [&](const Waiter& waiter) { return waiter.task.task.job == ended->job; });
    if (desk.in_hand && desk.in_hand->job == ended->job) desk.in_hand.reset();
  }
  Messages messages = {std::move(message)};
  for (wire::CoordinatorMessage& next : Next(&desk, now)) messages.push_back(std::move(next));
  return messages;
}

std::map<SiteName, TaskDesk::Messages> TaskDesk::Drop(const JobId& job, Instant now) {
  std::map<SiteName, Messages> all;
  for (auto& [site, desk] : desks_) {
    std::erase_if(desk.line, [&](const Waiter& waiter) { return waiter.task.task.job == job; });
    if (!desk.in_hand || desk.in_hand->job != job) continue;
    const wire::TaskKey task = *std::exchange(desk.in_hand, std::nullopt);
    Messages& messages = all[site];
    messages.push_back(wire::StandDown{task, "the job stopped at the coordinator"});
    for (wire::CoordinatorMessage& next : Next(&desk, now)) messages.push_back(std::move(next));
  }
  return all;
}

const wire::TaskKey* TaskDesk::InHand(const SiteName& site) const {
  const auto found = desks_.find(site);
  return found == desks_.end() || !found->second.in_hand ? nullptr : &*found->second.in_hand;
}

std::size_t TaskDesk::Waiting(const SiteName& site) const {
  const auto found = desks_.find(site);
  return found == desks_.end() ? 0 : found->second.line.size();
}

TaskDesk::Messages TaskDesk::Next(Desk* desk, Instant now) {
  if (!desk->heard || desk->in_hand || desk->line.empty()) return {};
  auto next = desk->line.begin();
  if (desk->preferred) {
    const auto same = std::find_if(desk->line.begin(), desk->line.end(),
                                   [&](const Waiter& waiter) { return waiter.task.task == *desk->preferred; });
    if (same != desk->line.end()) next = same;
    desk->preferred.reset();
  }
  Waiter waiter = std::move(*next);
  desk->line.erase(next);
  if (waiter.task.deadline_ms > 0) {
    const auto waited =
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now - waiter.since).count());
    waiter.task.deadline_ms = waited < waiter.task.deadline_ms ? waiter.task.deadline_ms - waited : 1;
  }
  desk->in_hand = waiter.task.task;
  return {std::move(waiter.task)};
}

void TaskDesk::Forget(Desk* desk, const wire::TaskKey& task) {
  std::erase_if(desk->line, [&](const Waiter& waiter) { return waiter.task.task == task; });
}

}  // namespace consilium::coordinator
