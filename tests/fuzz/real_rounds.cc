#include "real_rounds.h"

#include "tests/unit/client/federation_world.h"

namespace consilium::fuzz {

const RealRounds& SomeRealRounds() {
  static const RealRounds rounds = [] {
    RealRounds seen;
    for (const char* mode : {"close", "secure"}) {
      client::FederationOptions options{.mode = mode, .rounds = 2};
      if (options.mode == "close") options.more = R"(, "evaluate": {"every": 1})";
      options.lie = [&](const SiteName&, wire::CoordinatorMessage& message) {
        seen.from_coordinator.push_back(message);
      };
      options.hear = [&](const SiteName&, const wire::SiteMessage& message) { seen.from_sites.push_back(message); };
      options.record = [&](const coordinator::Record& record) { seen.records.push_back(record); };
      client::RunFederation(options);
    }
    return seen;
  }();
  return rounds;
}

}  // namespace consilium::fuzz
