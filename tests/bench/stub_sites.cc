#include "tests/bench/stub_sites.h"

#include <fcntl.h>
#include <unistd.h>

#include "comm/base/log.h"

namespace consilium::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kHeartbeat{3};

}  // namespace

class StubSites::Site final : public transport::SiteEvents {
 public:
  Site(StubSites* all, const fs::path& kit, int port, fs::path folder) : all_(all), folder_(std::move(folder)) {
    name_ = kit.filename().string();
    blobs_ = transport::BlobStore::Open(folder_).value();
    transport::GrpcClientOptions options = transport::ClientOptionsFrom(transport::ReadKit(kit).value());
    options.host = "127.0.0.1";
    options.port = port;
    options.blobs = blobs_.get();
    options.hello.build = "bench";
    options.hello.instance = name_;
    options.hello.capability.features = wire::FeaturesOfThisBuild();
    auto connected = transport::ConnectGrpc(std::move(options), this);
    CONSILIUM_CHECK(connected.ok(), connected.status());
    {
      const std::lock_guard lock(mutex_);
      transport_ = std::move(connected).value();
    }
    changed_.notify_all();
  }
  ~Site() override { transport_->Close(); }

  void OnMessage(wire::CoordinatorMessage message) override {
    if (auto* task = std::get_if<wire::Task>(&message)) all_->Enqueue([this, task = std::move(*task)] { Do(task); });
    if (const auto* refusal = std::get_if<wire::Refusal>(&message))
      CONSILIUM_CHECK(false, name_, " was refused: ", refusal->message);
  }
  void OnDisconnect(const Status& reason) override {
    Log(LogLevel::kInfo, "bench_site_disconnected", {{"site", name_}, {"reason", reason.ToString()}});
  }
  void Beat() {
    const std::lock_guard lock(mutex_);
    if (transport_)
      transport_->Send(wire::Heartbeat{busy_ ? wire::SitePhase::kTraining : wire::SitePhase::kIdle, task_});
  }
  transport::Traffic traffic() const { return transport_->traffic(); }

 private:
  void Do(const wire::Task& task) {
    SetBusy(task.task);
    if (!wire::HasUpload(task.task.kind)) {
      transport_->Send(wire::EvaluationReport{task.task, {{"dice", 0.5}, {"cases", 2}}});
    } else if (Status status = Train(task); !status.ok()) {
      Log(LogLevel::kWarning, "bench_task_failed", {{"site", name_}, {"reason", status.ToString()}});
    }
    SetBusy({});
  }

  void SetBusy(const wire::TaskKey& task) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return transport_ != nullptr; });
    task_ = task;
    busy_ = !task.job.value().empty();
  }

  Status Train(const wire::Task& task) {
    RETURN_IF_ERROR(transport_->Fetch(task.model, nullptr));
    const fs::path update = folder_ / "update";
    fs::copy_file(blobs_->PathOf(task.model.digest), update, fs::copy_options::overwrite_existing);
    RETURN_IF_ERROR(blobs_->Remove(task.model.digest));
    const float value =
        1e-3f * static_cast<float>(name_.back()) + 1e-4f * static_cast<float>(std::hash<std::string>()(name_) % 97);
    const int file = ::open(update.c_str(), O_RDWR | O_CLOEXEC);
    const auto end = static_cast<off_t>(task.model.bytes - sizeof value);
    const bool changed = ::pwrite(file, &value, sizeof value, end) == sizeof value;
    ::close(file);
    CONSILIUM_CHECK(changed);
    ASSIGN_OR_RETURN(const wire::BlobManifest manifest, wire::ManifestOfFile(update));
    RETURN_IF_ERROR(transport_->Upload(task.task, manifest, update, nullptr));
    transport_->Send(wire::UpdateReady{task.task, manifest, 10, {{"loss", 0.5}, {"seconds", 0.1}, {"steps", 1}}});
    fs::remove(update);
    return Status();
  }

  StubSites* const all_;
  const fs::path folder_;
  std::string name_;
  std::unique_ptr<transport::BlobStore> blobs_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<transport::SiteTransport> transport_;
  wire::TaskKey task_;
  bool busy_ = false;
};

StubSites::StubSites(const StubSitesOptions& options) {
  for (std::size_t i = 0; i < options.workers; ++i) threads_.emplace_back([this] { Work(); });
  for (const fs::path& kit : options.kits)
    sites_.push_back(std::make_unique<Site>(this, kit, options.port, options.folder / kit.filename()));
  threads_.emplace_back([this] { Beat(); });
}

StubSites::~StubSites() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    jobs_.clear();
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

std::uint64_t StubSites::bytes_fetched() const {
  std::uint64_t bytes = 0;
  for (const auto& site : sites_) bytes += site->traffic().bytes_received;
  return bytes;
}

std::uint64_t StubSites::bytes_sent() const {
  std::uint64_t bytes = 0;
  for (const auto& site : sites_) bytes += site->traffic().bytes_sent;
  return bytes;
}

void StubSites::Enqueue(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  changed_.notify_all();
}

void StubSites::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    const std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
}

void StubSites::Beat() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kHeartbeat, [this] { return stopping_; })) {
    lock.unlock();
    for (const auto& site : sites_) site->Beat();
    lock.lock();
  }
}

}  // namespace consilium::bench
