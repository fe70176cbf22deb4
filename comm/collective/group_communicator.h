// A Communicator over a c10d process group.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "comm/collective/process_group.h"

namespace consilium::collective {

struct GroupMembership {
  GroupOptions options;
  c10::intrusive_ptr<c10d::Store> store;  // where ranks leave word when something fails
  std::vector<std::string> hosts;         // by rank, for messages
};

// Connects to all peers.  Errors: Rendezvous.
StatusOr<std::unique_ptr<Communicator>> MakeGroupCommunicator(GroupMembership membership);

}  // namespace consilium::collective
