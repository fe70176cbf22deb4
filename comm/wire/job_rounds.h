// The job file's keys about rounds: federation.mode, sites, evaluate, early_stop, cross_site.  Internal to job.cc.
#pragma once

#include "comm/wire/job.h"

namespace consilium::wire {

std::string_view RoundModeName(RoundMode mode);  // "close"

// Of the map `federation`.
void ReadRounds(ConfigReader& reader, FederationSpec* federation);
// What only the whole job can tell: fedbuff makes mode async, and what does not go together is refused.
Status ResolveRounds(const ConfigNode& root, JobSpec* job);
// Adds the keys to the map `federation` of a resolved job.
void AddRoundsJson(const FederationSpec& federation, Json* json);

}  // namespace consilium::wire
