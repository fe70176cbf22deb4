// A round's updates into the next global model: any strategy of coordinator/strategies/strategy.h over files on disk.
//
// One pass over the updates tile by tile, in the order of site names, in f64; one more before it for strategies that
// look at norms or inner products.  Memory is kWorkerBytes a thread plus n x n inner products, whatever the model's
// size; tiles shrink with the number of sites.  The result does not depend on the number of threads, bit for bit.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "comm/base/digest.h"
#include "comm/base/json.h"
#include "comm/wire/job.h"
#include "comm/wire/messages.h"

namespace consilium::coordinator {

// What one thread's tiles may take together.
inline constexpr std::size_t kWorkerBytes = 16 << 20;

struct AggregateContribution {
  SiteName site;
  std::filesystem::path update;  // passed CheckUpdateFile (model_file.h)
  // The model that the site trained from; empty: the global model.  Read only when the file holds weights and the
  // strategy works on deltas, or the other way round.
  std::filesystem::path base;
  double weight = 1;            // in (0, kWeightMax]
  std::uint32_t staleness = 0;  // rounds between its base and the global model; asynchronous rounds only
  wire::Metrics metrics;
};

struct AggregateRequest {
  wire::FederationSpec federation;    // strategy, its parameters, groups, matrix
  std::vector<std::string> personal;  // patterns of tensors that stay at the sites (wire/shared_schema.h)
  std::vector<SiteName> sites;        // all of the job's, contributors or not
  std::vector<AggregateContribution> contributions;  // in name order, at least one
  std::filesystem::path model;                       // the global model
  std::filesystem::path state;                       // AggregateResult::state of the last round; empty at first
  std::filesystem::path output_folder;               // exists; holds the results under fixed names
  std::size_t threads = 0;                           // 0: the machine's, at most 4
};

struct AggregateResult {
  std::filesystem::path model;
  Digest parameters;                // ParametersDigest (model_file.h) of the model
  std::filesystem::path state;      // what the strategy keeps until the next round; empty: nothing
  std::filesystem::path auxiliary;  // for Task::auxiliary of the next round; may be the state's file; empty: none
  // The sites that get a model of their own instead; several may share a file.  A site that is missing here keeps the
  // one that it was given before: merge this map over the last round's.  Empty for most strategies.
  std::map<SiteName, std::filesystem::path> site_models;
  Json notes;  // a map of scalars for metrics.jsonl: whom Krum selected, how many were clipped
};

// Writes the results, durable and whole, over what an interrupted call left.  The same request gives the same bytes.
// Errors: FailedPrecondition when no model can be made of these updates: too few for the rule, a metric is missing, or
// the result is not finite; another try gives the same.  Storage and others: the machine's fault, a later try may work.
// DataLoss: a file of ours is damaged.
StatusOr<AggregateResult> Aggregate(const AggregateRequest& request);

}  // namespace consilium::coordinator
