// The job file's federation.strategy section.  Internal to comm/wire.
#pragma once

#include "comm/wire/job.h"

namespace consilium::wire {

// Reads name, weighting, the strategy's own numbers, and groups or matrix.  federation->sites and sites_min are read.
void ReadStrategy(ConfigReader& reader, FederationSpec* federation);
// What defaults to something elsewhere in the job, and what must fit to it.  After everything else was read.
Status ResolveStrategy(const ConfigNode& root, JobSpec* job);
// The section with every key and its value.
Json StrategyToJson(const FederationSpec& federation);

}  // namespace consilium::wire
