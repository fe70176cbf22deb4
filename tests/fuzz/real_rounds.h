// What was said and written in whole federations of three sites, in memory: seeds.
#pragma once

#include "client/core/session_io.h"
#include "coordinator/core/machine_io.h"

namespace consilium::fuzz {

struct RealRounds {
  std::vector<wire::SiteMessage> from_sites;
  std::vector<wire::CoordinatorMessage> from_coordinator;
  std::vector<coordinator::Record> records;
};
// One job in mode close with evaluations, one in mode secure; run once.
const RealRounds& SomeRealRounds();

}  // namespace consilium::fuzz
