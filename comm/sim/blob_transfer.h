// Blobs over streams of the simulated network, one stream a transfer, in units that are acknowledged: a cut transfer
// goes on after the last unit that arrived.  At most `window_units` are on their way, so that a heartbeat waits behind
// few of them.
//
// Strand-bound, all of it.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "comm/sim/blob_store.h"
#include "comm/sim/network.h"
#include "comm/wire/upload.h"

namespace consilium::sim {

inline constexpr char kFetchPurpose[] = "fetch";
inline constexpr char kUploadPurpose[] = "upload";

struct TransferOptions {
  std::size_t unit_bytes = 64 << 10;
  std::size_t window_units = 4;
};

struct TransferStats {
  std::uint64_t bytes_sent = 0;      // of blobs, by anybody
  std::uint64_t bytes_repeated = 0;  // of them, those that the receiver had when the sender began
  std::uint64_t resumed = 0;         // transfers that did not start at the beginning
};

// A site's transfers.
class TransferClient {
 public:
  using Done = std::function<void(const Status&)>;

  // Everything outlives the client; `self` and `server` are nodes' names.
  TransferClient(Network* network, BlobStore* store, std::string self, std::string server, TransferOptions options,
                 TransferStats* stats)
      : network_(network),
        store_(store),
        self_(std::move(self)),
        server_(std::move(server)),
        options_(options),
        stats_(stats) {}

  // Makes the blob present here.  `done` is called unless Abort or the process's end comes first.
  void Fetch(const wire::BlobManifest& manifest, Done done);
  // Makes the server have `bytes`, which are the manifest's.  What the server says of its own accord comes as it is.
  void Upload(const wire::TaskKey& task, const wire::BlobManifest& manifest, Bytes bytes, Done done);
  // Ends all transfers; nothing is called.
  void Abort();
  std::set<Digest> Receiving() const;

  // The endpoint hands over what concerns transfers; false: not ours.
  bool OnConnected(StreamId stream);
  bool OnMessage(StreamId stream, const Bytes& message);
  bool OnClosed(StreamId stream, const Status& reason);

 private:
  struct Transfer {
    bool upload = false;
    wire::BlobManifest manifest;
    Bytes opening, bytes;
    std::uint64_t next = 0;  // the next unit to send
    Done done;
  };
  void Start(Transfer transfer, const char* purpose);
  void TakeUnit(StreamId stream, Transfer* transfer, ByteReader* message);
  void Finish(StreamId stream, const Status& status);

  Network* network_;
  BlobStore* store_;
  std::string self_, server_;
  TransferOptions options_;
  TransferStats* stats_;
  std::map<StreamId, Transfer> transfers_;
};

// Who may fetch and upload what; errors go to the site as they are.  AlreadyExists ends an upload well.
struct TransferGate {
  std::function<Status(const SiteName& site, const Digest& digest)> fetch;
  std::function<Status(const SiteName& site, const wire::UploadOffer& offer)> upload;
};

// The coordinator's side of all transfers.
class TransferServer {
 public:
  TransferServer(Network* network, BlobStore* store, std::string self, TransferGate gate, TransferOptions options,
                 TransferStats* stats)
      : network_(network),
        store_(store),
        self_(std::move(self)),
        gate_(std::move(gate)),
        options_(options),
        stats_(stats) {}

  void OnAccepted(StreamId stream, const std::string& peer, const std::string& purpose);
  bool OnMessage(StreamId stream, const Bytes& message);
  bool OnClosed(StreamId stream);
  std::set<Digest> Receiving() const;

 private:
  struct Transfer {
    SiteName site;
    bool upload = false;
    bool open = false;  // the first message was seen
    wire::BlobManifest manifest;
    Bytes bytes;
    std::uint64_t next = 0;
  };
  void OpenFetch(StreamId stream, Transfer* transfer, ByteReader* message);
  void OpenUpload(StreamId stream, Transfer* transfer, ByteReader* message);
  void TakeUnit(StreamId stream, Transfer* transfer, ByteReader* message);
  void End(StreamId stream, const Status& status);

  Network* network_;
  BlobStore* store_;
  std::string self_;
  TransferGate gate_;
  TransferOptions options_;
  TransferStats* stats_;
  std::map<StreamId, Transfer> transfers_;
};

}  // namespace consilium::sim
