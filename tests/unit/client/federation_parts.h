// What a federation in memory is made of: the parties with their disks, and models as bytes.
#pragma once

#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/core/session_machine.h"
#include "coordinator/core/job_machine.h"

namespace consilium::client {

namespace hub = coordinator;

inline constexpr std::size_t kValues = 4;

inline std::vector<float> Values(const std::string& bytes) {
  std::vector<float> values(kValues);
  std::memcpy(values.data(), bytes.data(), kValues * sizeof(float));
  return values;
}
inline std::string BytesOf(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}
inline wire::BlobManifest ManifestOf(const std::string& bytes) {
  const Digest digest = Sha256Of(bytes);
  return {digest, bytes.size(), {digest}};
}

// A process and its disk; what is not called disk dies with the process.
struct Coordinator {
  std::optional<hub::JobMachine> machine;
  std::vector<Bytes> journal;           // disk
  std::map<Digest, std::string> blobs;  // disk
  std::deque<hub::Input> answers;       // of the shell's worker thread
  std::multimap<Instant, std::uint64_t> timers;
};

struct Site {
  std::optional<SessionMachine> machine;
  std::string persisted;                     // disk
  std::map<std::string, std::string> files;  // disk
  std::map<Digest, std::string> blobs;       // disk
  std::set<std::string> charges;             // disk: the account under privacy.sites
  std::map<std::string, std::string> noisy;  // masked file -> the release that it is
  std::deque<Input> answers;
  std::optional<RunTask> running;
  std::multimap<Instant, std::uint64_t> timers;
  bool dialling = false, up = false, left = false;
  std::deque<wire::CoordinatorMessage> inbox;
  std::deque<wire::SiteMessage> outbox;
  std::set<wire::TaskKey> remembered;  // outcomes that were ever persisted
};

}  // namespace consilium::client
