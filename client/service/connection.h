// One connection to the coordinator after another.  Each has a number, so that what a former one still says is ignored.
//
// Dialling and transfers block, so they run on a pool; their results, and everything the coordinator says, are told on
// the strand.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "comm/transport/grpc/grpc_client.h"

namespace consilium::client {

// Strand-bound.
class Connection {
 public:
  struct Events {
    std::function<void(wire::CoordinatorMessage)> on_message;
    std::function<void(Status reason)> on_lost;  // once per Dial(), unless HangUp() came before
  };

  // `strand` runs on one thread, which must be the one that calls; it outlives this object.
  Connection(boost::asio::io_context& strand, transport::GrpcClientOptions options, Events events);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Dial();
  // Nothing more is heard of this connection; transfers in flight end with kCancelled.
  void HangUp();
  void Send(wire::SiteMessage message);

  using Done = std::function<void(Status)>;  // called on the strand, always
  void Fetch(const wire::BlobManifest& model, Done done);
  void Upload(const wire::TaskKey& task, const wire::BlobManifest& update, const std::filesystem::path& path,
              Done done);
  // Runs `work` on the pool, then `done` with its result on the strand: for what takes long but needs no connection.
  template <typename T>
  void InBackground(std::function<T()> work, std::function<void(T)> done) {
    boost::asio::post(pool_, [this, work = std::move(work), done = std::move(done)] {
      boost::asio::post(strand_, [done, result = work()] { done(result); });
    });
  }

 private:
  class Listener;
  void Hear(std::uint64_t number, wire::CoordinatorMessage message);
  void Lose(std::uint64_t number, const Status& reason);
  void Transfer(std::function<Status(transport::SiteTransport&)> work, Done done);

  boost::asio::io_context& strand_;
  const transport::GrpcClientOptions options_;
  const Events events_;
  std::uint64_t number_ = 0;
  // Shared with transfers in flight, which a closed transport ends.
  std::shared_ptr<transport::SiteTransport> transport_;
  std::shared_ptr<Listener> listener_;
  std::vector<wire::CoordinatorMessage> early_;  // came before the transport itself did
  boost::asio::thread_pool pool_;
};

}  // namespace consilium::client
