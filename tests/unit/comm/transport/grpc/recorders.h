// Event sinks that remember what they were told, and wait for it with a deadline.
#pragma once

#include <condition_variable>
#include <mutex>
#include <vector>

#include "comm/transport/transport.h"

namespace consilium::transport::testing {

inline constexpr std::chrono::seconds kPatience{20};  // a test that waits so long has failed

class CoordinatorRecorder final : public CoordinatorEvents {
 public:
  struct Event {
    enum Kind { kConnect, kMessage, kDisconnect } kind;
    SiteName site;
    SessionId session{};
    std::string build;                         // kConnect: of the Hello
    std::optional<wire::SiteMessage> message;  // kMessage
    Status reason;                             // kDisconnect
  };

  void OnConnect(const SiteName& site, SessionId session, const wire::Hello& hello) override;
  void OnMessage(const SiteName& site, SessionId session, wire::SiteMessage message) override;
  void OnDisconnect(const SiteName& site, SessionId session, const Status& reason) override;
  Status AuthorizeFetch(const SiteName& site, const Digest& digest) override;
  Status AuthorizeUpload(const SiteName& site, const wire::TaskKey& task, const wire::BlobManifest& manifest) override;

  // The n-th event of this kind for this site, from 0; fails the process at the deadline.
  Event Await(Event::Kind kind, const std::string& site, std::size_t n = 0);
  std::vector<Event> events();
  std::size_t uploads_asked();
  // What AuthorizeFetch and AuthorizeUpload answer.
  void SetAnswer(Status answer);
  // Makes AuthorizeFetch wait until Unblock().
  void Block();
  void Unblock();

 private:
  void Add(Event event);
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> events_;
  std::size_t uploads_asked_ = 0;
  Status answer_;
  bool blocked_ = false;
};

class SiteRecorder final : public SiteEvents {
 public:
  void OnMessage(wire::CoordinatorMessage message) override;
  void OnDisconnect(const Status& reason) override;

  wire::CoordinatorMessage AwaitMessage(std::size_t n = 0);
  Status AwaitDisconnect();
  std::size_t messages();
  // Makes OnMessage wait until Unblock().
  void Block();
  void Unblock();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<wire::CoordinatorMessage> messages_;
  std::optional<Status> reason_;
  bool blocked_ = false;
};

}  // namespace consilium::transport::testing
