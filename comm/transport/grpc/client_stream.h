// Blob transfers on the site's side: blocking, one chunk at a time, each with a deadline.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>

#include "comm/base/time.h"
#include "comm/transport/transport.h"
#include "comm/wire/upload.h"
#include "federation.grpc.pb.h"

namespace consilium::transport {

// The calls of one connection that block some thread, so that Close() can end them.  Thread-safe.
class OpenCalls {
 public:
  // False: closed already.
  bool Add(grpc::ClientContext* context);
  void Remove(grpc::ClientContext* context);
  // Cancels those that are open and refuses new ones.
  void Close();
  // Waits; true when closed meanwhile.
  bool ClosedWithin(Duration duration);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<grpc::ClientContext*> contexts_;
  bool closed_ = false;
};

struct TransferOptions {
  v1::Federation::Stub* stub = nullptr;
  OpenCalls* calls = nullptr;
  Duration stall_timeout{};
  std::uint32_t minor = wire::kProtocolMinor;  // of the protocol
  TrafficMeter* traffic = nullptr;
};

Status FetchBlob(const TransferOptions& options, const wire::BlobManifest& manifest, BlobStore* blobs,
                 const SiteTransport::Progress& progress);
Status UploadBlob(const TransferOptions& options, const wire::UploadOffer& offer, const std::filesystem::path& path,
                  const SiteTransport::Progress& progress);

}  // namespace consilium::transport
