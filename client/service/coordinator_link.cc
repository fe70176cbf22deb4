#include "client/service/coordinator_link.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace consilium::client {
namespace {

// Progress is told chunk by chunk, as the bytes of the blob up to that chunk's end.
transport::SiteTransport::Progress CountInto(std::uint64_t* moved) {
  return [moved](std::uint64_t bytes_done, std::uint64_t) {
    if (bytes_done > 0) *moved += (bytes_done - 1) % wire::kChunkBytes + 1;
  };
}

}  // namespace

// One dial and what comes of it.  Events may come before ConnectGrpc has returned; they wait until the strand has its
// transport.
class CoordinatorLink::Connection final : public transport::SiteEvents,
                                          public std::enable_shared_from_this<Connection> {
 public:
  Connection(CoordinatorLink* link, boost::asio::io_context* loop) : link_(link), loop_(loop) {}

  // In the dialling thread.
  void Open(const transport::GrpcClientOptions& options) {
    StatusOr<std::unique_ptr<transport::SiteTransport>> made = transport::ConnectGrpc(options, this);
    const Status status = made.status();
    std::shared_ptr<transport::SiteTransport> transport;
    if (made.ok()) transport = std::move(made).value();
    boost::asio::post(*loop_, [self = shared_from_this(), transport, status] { self->Opened(transport, status); });
  }

  void OnMessage(wire::CoordinatorMessage message) override {
    Deliver([message = std::move(message)](CoordinatorLink* link) { link->handlers_.on_message(message); });
  }
  void OnDisconnect(const Status& reason) override {
    Deliver([reason](CoordinatorLink* link) { link->Lost(reason); });
  }

  // --- on the strand

  const std::shared_ptr<transport::SiteTransport>& transport() const { return transport_; }
  // Nothing of this connection is told any more.
  void Forget() {
    forgotten_ = true;
    if (transport_) transport_->Close();
  }

 private:
  using Event = std::function<void(CoordinatorLink*)>;

  void Deliver(Event event) {
    const std::shared_ptr<Connection> self = weak_from_this().lock();
    if (!self) return;
    boost::asio::post(*loop_, [self, event = std::move(event)] {
      if (self->forgotten_) return;
      self->opened_ ? event(self->link_) : self->early_.push_back(event);
    });
  }

  void Opened(const std::shared_ptr<transport::SiteTransport>& transport, const Status& status) {
    transport_ = transport;
    opened_ = true;
    if (forgotten_) return Forget();
    if (!status.ok()) return link_->Lost(status);
    for (const Event& event : std::exchange(early_, {}))
      if (!forgotten_) event(link_);
  }

  CoordinatorLink* const link_;  // touched on the strand, and only while not forgotten
  boost::asio::io_context* const loop_;
  std::shared_ptr<transport::SiteTransport> transport_;
  bool opened_ = false, forgotten_ = false;
  std::vector<Event> early_;
};

CoordinatorLink::CoordinatorLink(transport::GrpcClientOptions options, boost::asio::io_context* loop, Handlers handlers)
    : options_(std::move(options)), loop_(loop), handlers_(std::move(handlers)) {}

// A dial in flight ends with a connection that has to be closed where nobody calls back any more: here.
CoordinatorLink::~CoordinatorLink() {
  HangUp();
  dialler_.join();
  transfers_.join();
  loop_->restart();
  loop_->poll();
}

void CoordinatorLink::Dial() {
  HangUp();
  current_ = std::make_shared<Connection>(this, loop_);
  boost::asio::post(dialler_, [connection = current_, options = options_] { connection->Open(options); });
}

void CoordinatorLink::HangUp() {
  if (const std::shared_ptr<Connection> connection = std::move(current_)) connection->Forget();
  current_.reset();
}

void CoordinatorLink::Lost(const Status& reason) {
  HangUp();
  handlers_.on_lost(reason);
}

void CoordinatorLink::Send(wire::SiteMessage message) {
  if (current_ && current_->transport()) current_->transport()->Send(std::move(message));
}

void CoordinatorLink::Fetch(const wire::BlobManifest& manifest, Done done) {
  boost::asio::post(transfers_, [loop = loop_, transport = current_ ? current_->transport() : nullptr, manifest,
                                 done = std::move(done)] {
    std::uint64_t moved = 0;
    const Status status = transport ? transport->Fetch(manifest, CountInto(&moved)) : Unavailable("not connected");
    boost::asio::post(*loop, [done, status, moved] { done(status, moved); });
  });
}

void CoordinatorLink::Upload(const wire::TaskKey& task, const wire::BlobManifest& manifest,
                             const std::filesystem::path& path, Done done) {
  boost::asio::post(transfers_, [loop = loop_, transport = current_ ? current_->transport() : nullptr, task, manifest,
                                 path, done = std::move(done)] {
    std::uint64_t moved = 0;
    const Status status =
        transport ? transport->Upload(task, manifest, path, CountInto(&moved)) : Unavailable("not connected");
    boost::asio::post(*loop, [done, status, moved] { done(status, moved); });
  });
}

}  // namespace consilium::client
