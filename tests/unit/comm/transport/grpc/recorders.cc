#include "tests/unit/comm/transport/grpc/recorders.h"

#include <algorithm>

namespace consilium::transport::testing {

void CoordinatorRecorder::Add(Event event) {
  const std::lock_guard lock(mutex_);
  events_.push_back(std::move(event));
  changed_.notify_all();
}

void CoordinatorRecorder::OnConnect(const SiteName& site, SessionId session, const wire::Hello& hello) {
  Add({.kind = Event::kConnect, .site = site, .session = session, .build = hello.build});
}

void CoordinatorRecorder::OnMessage(const SiteName& site, SessionId session, wire::SiteMessage message) {
  Add({.kind = Event::kMessage, .site = site, .session = session, .message = std::move(message)});
}

void CoordinatorRecorder::OnDisconnect(const SiteName& site, SessionId session, const Status& reason) {
  Add({.kind = Event::kDisconnect, .site = site, .session = session, .reason = reason});
}

Status CoordinatorRecorder::AuthorizeFetch(const SiteName&, const Digest&) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !blocked_; });
  return answer_;
}

Status CoordinatorRecorder::AuthorizeUpload(const SiteName&, const wire::TaskKey&, const wire::BlobManifest&) {
  const std::lock_guard lock(mutex_);
  ++uploads_asked_;
  return answer_;
}

CoordinatorRecorder::Event CoordinatorRecorder::Await(Event::Kind kind, const std::string& site, std::size_t n) {
  std::unique_lock lock(mutex_);
  const Event* found = nullptr;
  const auto look = [&] {
    std::size_t seen = 0;
    for (const Event& event : events_)
      if (event.kind == kind && event.site.value() == site && seen++ == n) found = &event;
    return found != nullptr;
  };
  CONSILIUM_CHECK(changed_.wait_for(lock, kPatience, look), "event ", kind, " number ", n, " of ", site,
                  " did not come");
  return *found;
}

std::vector<CoordinatorRecorder::Event> CoordinatorRecorder::events() {
  const std::lock_guard lock(mutex_);
  return events_;
}

std::size_t CoordinatorRecorder::uploads_asked() {
  const std::lock_guard lock(mutex_);
  return uploads_asked_;
}

void CoordinatorRecorder::SetAnswer(Status answer) {
  const std::lock_guard lock(mutex_);
  answer_ = std::move(answer);
}

void CoordinatorRecorder::Block() {
  const std::lock_guard lock(mutex_);
  blocked_ = true;
}

void CoordinatorRecorder::Unblock() {
  const std::lock_guard lock(mutex_);
  blocked_ = false;
  changed_.notify_all();
}

void SiteRecorder::OnMessage(wire::CoordinatorMessage message) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !blocked_; });
  messages_.push_back(std::move(message));
  changed_.notify_all();
}

void SiteRecorder::OnDisconnect(const Status& reason) {
  const std::lock_guard lock(mutex_);
  CONSILIUM_CHECK(!reason_, "a second OnDisconnect");
  reason_ = reason;
  changed_.notify_all();
}

wire::CoordinatorMessage SiteRecorder::AwaitMessage(std::size_t n) {
  std::unique_lock lock(mutex_);
  CONSILIUM_CHECK(changed_.wait_for(lock, kPatience, [&] { return messages_.size() > n; }), "message ", n,
                  " did not come");
  return messages_[n];
}

Status SiteRecorder::AwaitDisconnect() {
  std::unique_lock lock(mutex_);
  CONSILIUM_CHECK(changed_.wait_for(lock, kPatience, [&] { return reason_.has_value(); }), "no disconnect came");
  return *reason_;
}

std::size_t SiteRecorder::messages() {
  const std::lock_guard lock(mutex_);
  return messages_.size();
}

void SiteRecorder::Block() {
  const std::lock_guard lock(mutex_);
  blocked_ = true;
}

void SiteRecorder::Unblock() {
  const std::lock_guard lock(mutex_);
  blocked_ = false;
  changed_.notify_all();
}

}  // namespace consilium::transport::testing
