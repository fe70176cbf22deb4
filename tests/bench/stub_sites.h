// Many sites in one process: real connections over mutual TLS, real transfers, and no training.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "comm/transport/grpc/grpc_client.h"

namespace consilium::bench {

struct StubSitesOptions {
  std::vector<std::filesystem::path> kits;  // one a site
  int port = 0;                             // of the coordinator, on 127.0.0.1
  std::filesystem::path folder;             // for models in transit; a site's files are removed after each task
  std::size_t workers = 4;                  // tasks in hand at one time
};

// An update is the model with one value changed by (site, round), so that no two are the same blob.
class StubSites {
 public:
  explicit StubSites(const StubSitesOptions& options);  // connects all, or aborts
  ~StubSites();
  std::uint64_t bytes_fetched() const;
  std::uint64_t bytes_sent() const;

 private:
  class Site;
  void Work();
  void Beat();
  void Enqueue(std::function<void()> job);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::vector<std::unique_ptr<Site>> sites_;
  std::vector<std::thread> threads_;
};

}  // namespace consilium::bench
