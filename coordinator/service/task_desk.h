// Hands a site one job's task at a time when several jobs want it: a site does one task at a time, and a second one
// would take the first one's place.
//
// In turn: each job has one task of a site in the line, and the next one joins at its end, so jobs alternate.  After a
// reconnect the site's first message says what it has in hand; that goes on first.  Pure.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "comm/base/time.h"
#include "comm/wire/messages.h"

namespace consilium::coordinator {

// Strand-bound.
class TaskDesk {
 public:
  // Each returns what is to be said to the site now.
  using Messages = std::vector<wire::CoordinatorMessage>;

  void Connected(const SiteName& site);
  void Disconnected(const SiteName& site);
  // Every message of the site.
  Messages Heard(const SiteName& site, const wire::SiteMessage& message, Instant now);
  // A job wants this said.
  Messages Say(const SiteName& site, wire::CoordinatorMessage message, Instant now);
  // The job is no longer run here: its tasks leave the lines.
  std::map<SiteName, Messages> Drop(const JobId& job, Instant now);

  // What the site was given last and has not answered, and how many wait behind it.
  const wire::TaskKey* InHand(const SiteName& site) const;
  std::size_t Waiting(const SiteName& site) const;

 private:
  struct Waiter {
    wire::Task task;
    Instant since{};
  };
  struct Desk {
    bool heard = false;                      // since it connected
    std::optional<wire::TaskKey> in_hand;    // said on this connection
    std::optional<wire::TaskKey> preferred;  // in hand when the connection was lost
    std::deque<Waiter> line;
  };
  static Messages Next(Desk* desk, Instant now);
  static void Forget(Desk* desk, const wire::TaskKey& task);

  std::map<SiteName, Desk> desks_;
};

}  // namespace consilium::coordinator
