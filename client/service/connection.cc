#include "client/service/connection.h"

#include <boost/asio/post.hpp>

namespace consilium::client {

namespace asio = boost::asio;

namespace {

// One dial, one fetch, one upload and one digest at a time is all that a session asks for.
constexpr std::size_t kPoolThreads = 4;

}  // namespace

// Carries the transport's callbacks to the strand.  Lives as long as its transport.
class Connection::Listener final : public transport::SiteEvents {
 public:
  Listener(Connection& connection, std::uint64_t number) : connection_(connection), number_(number) {}

  void OnMessage(wire::CoordinatorMessage message) override {
    asio::post(connection_.strand_,
               [&connection = connection_, number = number_, message = std::move(message)]() mutable {
                 connection.Hear(number, std::move(message));
               });
  }
  void OnDisconnect(const Status& reason) override {
    asio::post(connection_.strand_,
               [&connection = connection_, number = number_, reason] { connection.Lose(number, reason); });
  }

 private:
  // Safe: the connection closes the transport and joins the pool before it goes, and the strand is not run after that.
  Connection& connection_;
  const std::uint64_t number_;
};

Connection::Connection(asio::io_context& strand, transport::GrpcClientOptions options, Events events)
    : strand_(strand), options_(std::move(options)), events_(std::move(events)), pool_(kPoolThreads) {}

Connection::~Connection() {
  HangUp();
  pool_.join();
}

void Connection::Dial() {
  HangUp();
  const std::uint64_t number = ++number_;
  auto listener = std::make_shared<Listener>(*this, number);
  asio::post(pool_, [this, number, listener] {
    StatusOr<std::unique_ptr<transport::SiteTransport>> made = transport::ConnectGrpc(options_, listener.get());
    if (!made.ok()) return listener->OnDisconnect(made.status());
    std::shared_ptr<transport::SiteTransport> transport = std::move(made).value();
    asio::post(strand_, [this, number, listener, transport] {
      if (number != number_) return transport->Close();  // hung up, or lost again, meanwhile
      transport_ = transport;
      listener_ = listener;
      for (wire::CoordinatorMessage& message : std::exchange(early_, {}))
        if (number == number_) events_.on_message(std::move(message));
    });
  });
}

void Connection::HangUp() {
  ++number_;
  early_.clear();
  if (!transport_) return;
  transport_->Close();
  transport_.reset();
  listener_.reset();
}

void Connection::Hear(std::uint64_t number, wire::CoordinatorMessage message) {
  if (number != number_) return;
  if (transport_) {
    events_.on_message(std::move(message));
  } else {
    early_.push_back(std::move(message));
  }
}

void Connection::Lose(std::uint64_t number, const Status& reason) {
  if (number != number_) return;
  // A refusal that came before its transport must still be heard: it says more than the end of the stream does.
  const std::vector<wire::CoordinatorMessage> unheard = std::exchange(early_, {});
  HangUp();
  for (const wire::CoordinatorMessage& message : unheard)
    if (std::holds_alternative<wire::Refusal>(message)) events_.on_message(message);
  events_.on_lost(reason);
}

void Connection::Send(wire::SiteMessage message) {
  if (transport_) transport_->Send(std::move(message));
}

void Connection::Transfer(std::function<Status(transport::SiteTransport&)> work, Done done) {
  asio::post(pool_,
             [this, transport = transport_, listener = listener_, work = std::move(work), done = std::move(done)] {
               const Status status = transport ? work(*transport) : Unavailable("not connected");
               asio::post(strand_, [done, status] { done(status); });
             });
}

void Connection::Fetch(const wire::BlobManifest& model, Done done) {
  Transfer([model](transport::SiteTransport& transport) { return transport.Fetch(model, nullptr); }, std::move(done));
}

void Connection::Upload(const wire::TaskKey& task, const wire::BlobManifest& update, const std::filesystem::path& path,
                        Done done) {
  Transfer([task, update,
            path](transport::SiteTransport& transport) { return transport.Upload(task, update, path, nullptr); },
           std::move(done));
}

}  // namespace consilium::client
