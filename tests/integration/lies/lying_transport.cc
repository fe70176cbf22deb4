#include "tests/integration/lies/lying_transport.h"

namespace consilium::testing {
namespace {

const JobId* JobOf(const wire::CoordinatorMessage& message) {
  if (const auto* task = std::get_if<wire::Task>(&message)) return &task->task.job;
  if (const auto* question = std::get_if<wire::SecureRequest>(&message)) return &question->task.job;
  if (const auto* receipt = std::get_if<wire::Receipt>(&message)) return &receipt->task.job;
  return nullptr;
}

}  // namespace

class LyingTransport::Door final : public transport::CoordinatorTransport {
 public:
  Door(LyingTransport* liar, std::unique_ptr<transport::CoordinatorTransport> inner)
      : liar_(liar), inner_(std::move(inner)) {
    liar_->inner_ = inner_.get();
  }
  void Send(SessionId session, wire::CoordinatorMessage message) override { liar_->Send(session, std::move(message)); }
  void Close(SessionId session, wire::Refusal refusal) override { inner_->Close(session, std::move(refusal)); }
  transport::Traffic TrafficOf(const SiteName& site) const override { return inner_->TrafficOf(site); }
  int port() const override { return inner_->port(); }
  void Shutdown() override { inner_->Shutdown(); }

 private:
  LyingTransport* liar_;
  std::unique_ptr<transport::CoordinatorTransport> inner_;
};

StatusOr<std::unique_ptr<transport::CoordinatorTransport>> LyingTransport::Listen(
    transport::GrpcServerOptions options, transport::CoordinatorEvents* honest) {
  const std::lock_guard lock(mutex_);  // nobody is heard before there is a way to answer
  honest_ = honest;
  ASSIGN_OR_RETURN(std::unique_ptr<transport::CoordinatorTransport> inner,
                   transport::StartGrpcServer(std::move(options), this));
  return std::unique_ptr<transport::CoordinatorTransport>(new Door(this, std::move(inner)));
}

void LyingTransport::LieAbout(const JobId& job, Lie lie) {
  const std::lock_guard lock(mutex_);
  lies_[job] = std::move(lie);
}

void LyingTransport::Offer(const Digest& blob) {
  const std::lock_guard lock(mutex_);
  offered_.insert(blob);
}

void LyingTransport::Say(const SiteName& to, wire::CoordinatorMessage message) {
  const std::lock_guard lock(mutex_);
  if (const auto session = sessions_.find(to); session != sessions_.end())
    inner_->Send(session->second, std::move(message));
}

std::set<SiteName> LyingTransport::ReleasedOf(const JobId& job) {
  const std::lock_guard lock(mutex_);
  return released_[job];
}

void LyingTransport::Send(SessionId session, wire::CoordinatorMessage message) {
  const std::lock_guard lock(mutex_);
  if (const JobId* job = JobOf(message); job != nullptr && sites_.contains(session))
    if (const auto lie = lies_.find(*job); lie != lies_.end() && lie->second.tell)
      lie->second.tell(sites_.at(session), message);
  inner_->Send(session, std::move(message));
}

void LyingTransport::OnConnect(const SiteName& site, SessionId session, const wire::Hello& hello) {
  {
    const std::lock_guard lock(mutex_);
    sites_[session] = site;
    sessions_[site] = session;
  }
  honest_->OnConnect(site, session, hello);
}

void LyingTransport::OnMessage(const SiteName& site, SessionId session, wire::SiteMessage message) {
  if (const auto* answer = std::get_if<wire::SecureAnswer>(&message)) {
    const std::lock_guard lock(mutex_);
    if (answer->stage == wire::SecureStage::kRelease) released_[answer->task.job].insert(site);
    const auto lie = lies_.find(answer->task.job);
    if (lie != lies_.end() && lie->second.hear && !lie->second.hear(*this, site, *answer)) return;
  }
  honest_->OnMessage(site, session, std::move(message));
}

void LyingTransport::OnDisconnect(const SiteName& site, SessionId session, const Status& reason) {
  {
    const std::lock_guard lock(mutex_);
    sites_.erase(session);
    if (const auto newest = sessions_.find(site); newest != sessions_.end() && newest->second == session)
      sessions_.erase(newest);
  }
  honest_->OnDisconnect(site, session, reason);
}

Status LyingTransport::AuthorizeFetch(const SiteName& site, const Digest& digest) {
  {
    const std::lock_guard lock(mutex_);
    if (offered_.contains(digest)) return Status();
  }
  return honest_->AuthorizeFetch(site, digest);
}

Status LyingTransport::AuthorizeUpload(const SiteName& site, const wire::TaskKey& task,
                                       const wire::BlobManifest& manifest) {
  return honest_->AuthorizeUpload(site, task, manifest);
}

}  // namespace consilium::testing
