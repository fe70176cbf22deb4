// What carries messages and blobs between a coordinator and its sites.  Implemented over gRPC with mutual TLS in grpc/,
// and over a simulated network later; shells see only this.
//
// Sites connect outward only.  A site's name is proven by its certificate before any of these calls; nothing here takes
// it from a message.
#pragma once

#include <functional>
#include <memory>

#include "comm/base/ids.h"
#include "comm/transport/blob_store.h"
#include "comm/transport/traffic.h"
#include "comm/wire/messages.h"

namespace consilium::transport {

// Implemented by the coordinator's shell.  Called from transport threads: the On... calls for one site are in order and
// never concurrent, all others may be concurrent.  Must return soon (hand the work to a queue); may call Send and
// Close.
class CoordinatorEvents {
 public:
  virtual ~CoordinatorEvents() = default;
  // The site said Hello with a protocol that we speak, and was answered with Welcome by the transport.  If the site
  // already had a session, that one gets OnDisconnect first (the newest connection of a site wins: after a cut, the old
  // stream may take long to notice).
  virtual void OnConnect(const SiteName& site, SessionId session, const wire::Hello& hello) = 0;
  virtual void OnMessage(const SiteName& site, SessionId session, wire::SiteMessage message) = 0;
  virtual void OnDisconnect(const SiteName& site, SessionId session, const Status& reason) = 0;
  // May this site fetch this blob / upload this blob for this task?  An error is sent to the site as it is;
  // AlreadyExists (the task's update is there) ends the site's Upload well, without a byte sent.
  virtual Status AuthorizeFetch(const SiteName& site, const Digest& digest) = 0;
  virtual Status AuthorizeUpload(const SiteName& site, const wire::TaskKey& task,
                                 const wire::BlobManifest& manifest) = 0;
};

// Thread-safe.
class CoordinatorTransport {
 public:
  virtual ~CoordinatorTransport() = default;
  // Queues the message.  A session that is gone is no error: OnDisconnect tells.  A queue longer than its bound closes
  // the session (the site is not reading).
  virtual void Send(SessionId session, wire::CoordinatorMessage message) = 0;
  // Sends the refusal, then closes.
  virtual void Close(SessionId session, wire::Refusal refusal) = 0;
  // What this site's transfers carried since the start; zeros for a site that had none.
  virtual Traffic TrafficOf(const SiteName& /*site*/) const { return {}; }
  // The port in use (port 0 in the options: a free one).
  virtual int port() const = 0;
  // Stops accepting, closes all sessions, returns when no callback runs or will run.
  virtual void Shutdown() = 0;
};

// Implemented by the site's shell.  Called from transport threads, never concurrently.
class SiteEvents {
 public:
  virtual ~SiteEvents() = default;
  virtual void OnMessage(wire::CoordinatorMessage message) = 0;  // the first one is Welcome or Refusal
  // The stream ended; no call follows.  Code kUnavailable: try again later; kUnauthenticated, kPermissionDenied,
  // kFailedPrecondition (version): a person has to mend something, the message says what.
  virtual void OnDisconnect(const Status& reason) = 0;
};

// One connection of a site.  Thread-safe.
class SiteTransport {
 public:
  virtual ~SiteTransport() = default;
  virtual void Send(wire::SiteMessage message) = 0;

  using Progress = std::function<void(std::uint64_t bytes_done, std::uint64_t bytes_total)>;
  // Makes the blob present and verified in the local store.  Resumes after the chunks that a partial file already has.
  // Blocking; Close() from another thread makes it return kCancelled.
  virtual Status Fetch(const wire::BlobManifest& manifest, const Progress& progress) = 0;
  // Makes the coordinator have the blob, for this task.  Chunks it already has are not sent again.  Blocking, as Fetch.
  virtual Status Upload(const wire::TaskKey& task, const wire::BlobManifest& manifest,
                        const std::filesystem::path& path, const Progress& progress) = 0;
  // What Fetch and Upload carried on this connection.
  virtual Traffic traffic() const { return {}; }
  // Ends the stream; OnDisconnect follows if it has not come yet, and no callback runs after Close returns.
  virtual void Close() = 0;
};

}  // namespace consilium::transport
