// Five sites, each a process of the real client with its own policy and audit log, and a coordinator in this process
// whose transport lies.
#pragma once

#include <optional>
#include <thread>

#include "tests/integration/lies/lying_transport.h"
#include "tests/testing/local_federation.h"
#include "tests/testing/run_program.h"

namespace consilium::testing {

// Strand-bound.
class LyingConsortium {
 public:
  // Provisioned and running.  Policies: at least four in a sum, secure aggregation required.
  LyingConsortium();
  // The coordinator is stopped.
  ~LyingConsortium();

  LyingTransport& transport() { return transport_; }
  // Hands in a job of one secure round among all sites, about which this lie is told.
  void Submit(const std::string& job, Lie lie);
  void Abort(const std::string& job);
  // Waits until the site's audit log has an entry of this type about this job whose detail says `text` in its reason or
  // why; the entry's detail.
  Json AwaitEntry(const std::string& site, const std::string& job, const std::string& type, const std::string& text);
  std::vector<Json> EntriesOf(const std::string& site) const;
  void AwaitState(const std::string& job, const std::string& state);
  ProgramResult Verify(const std::vector<std::string>& sites);

  const std::vector<std::string>& sites() const { return sites_; }
  // A model of the same shape and other values, in the coordinator's store.
  wire::BlobManifest OtherModel();

 private:
  std::filesystem::path AuditOf(const std::string& site) const {
    return federation_->client_folder(site) / "audit.jsonl";
  }
  ProgramResult Run(std::vector<std::string> arguments);

  const std::vector<std::string> sites_ = {"a", "b", "c", "d", "e"};
  ScratchFolder scratch_;
  LyingTransport transport_;
  std::optional<LocalFederation> federation_;
  std::thread coordinator_;
  int runs_ = 0;
};

}  // namespace consilium::testing
