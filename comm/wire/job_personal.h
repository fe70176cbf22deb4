// The job file's federation.personal, federation.personalization and federation.local.momentum.  Internal to comm/wire.
#pragma once

#include "comm/wire/job.h"

namespace consilium::wire {

void ReadPersonal(ConfigReader& federation, FederationSpec* spec);
void ReadLocalMomentum(ConfigReader& local, FederationSpec* spec);
// What defaults to something elsewhere in the job, and what must fit to it.  After the strategy was resolved.
Status ResolvePersonal(const ConfigNode& root, JobSpec* job);
// Adds what is not at its default, so that sites of protocol 1.0 can read jobs that need none of it.
void AddPersonal(const FederationSpec& spec, Json* federation);

}  // namespace consilium::wire
