// The connection to the coordinator, made and remade: dials and transfers block, so they run in threads of their own;
// everything that comes of them is posted to the strand.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "comm/transport/grpc/grpc_client.h"

namespace consilium::client {

// Strand-bound.
class CoordinatorLink {
 public:
  struct Handlers {
    std::function<void(wire::CoordinatorMessage)> on_message;
    std::function<void(const Status&)> on_lost;  // once per Dial at most; not after HangUp
  };
  // `options` as ClientOptionsFrom gives them, with blobs and hello.
  CoordinatorLink(transport::GrpcClientOptions options, boost::asio::io_context* loop, Handlers handlers);
  // Waits for a dial and transfers in flight, and runs what they posted: `loop` must not be running any more.
  ~CoordinatorLink();

  void Dial();
  void HangUp();
  // A message for a connection that is gone is dropped: on_lost tells.
  void Send(wire::SiteMessage message);

  // `bytes_moved`: of whole chunks, by this call.
  using Done = std::function<void(const Status&, std::uint64_t bytes_moved)>;
  // `done` comes on the strand, also when the connection is lost or closed meanwhile.
  void Fetch(const wire::BlobManifest& manifest, Done done);
  void Upload(const wire::TaskKey& task, const wire::BlobManifest& manifest, const std::filesystem::path& path,
              Done done);

 private:
  class Connection;
  void Lost(const Status& reason);

  transport::GrpcClientOptions options_;
  boost::asio::io_context* loop_;
  Handlers handlers_;
  boost::asio::thread_pool dialler_{1}, transfers_{2};
  std::shared_ptr<Connection> current_;
};

}  // namespace consilium::client
