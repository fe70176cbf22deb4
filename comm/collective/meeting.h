// The ranks' first meeting over the store: everybody says what it is about to do and where it runs; nobody goes on
// until all have come and agree.
#pragma once

#include <torch/csrc/distributed/c10d/Store.hpp>

#include <map>
#include <string>
#include <vector>

#include "comm/base/time.h"
#include "comm/collective/communicator.h"

namespace consilium::collective {

// What one rank says: facts that all ranks must share, and facts of its own ("host").
struct Profile {
  std::map<std::string, std::string> shared;  // "job", "world", "build", "backend"
  std::map<std::string, std::string> own;     // "host", "loopback", "address", "gpu"
};

// All profiles, by rank.  Logs who is awaited every 10 s.  Errors: Rendezvous, naming the ranks that did not come by
// `deadline`, or the first rank whose shared facts differ from rank 0's, with both values.
StatusOr<std::vector<Profile>> Meet(const c10::intrusive_ptr<c10d::Store>& store, const Place& place,
                                    const Profile& mine, Duration timeout);

// The first difference from profile 0 in words, as a Rendezvous error.
Status CompareProfiles(const std::vector<Profile>& profiles);

}  // namespace consilium::collective
