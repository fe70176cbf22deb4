// What actors need for secure sums: signing keys that never change, and masking and summing of models in memory, with
// the product's own arithmetic.
#pragma once

#include <map>

#include "client/core/session_io.h"
#include "coordinator/core/machine_io.h"
#include "fake_trainer.h"

namespace consilium::simtest {

crypto::SigningKey SigningKeyOf(const SiteName& site);
std::map<SiteName, crypto::RawPublicKey> RosterOf(const Scenario& scenario);

StatusOr<Bytes> MaskInMemory(const client::MaskVector& action, const Model& delta);
// `vectors` as the contributions of the fold.  The weighted mean of the survivors' updates.
StatusOr<Model> MeanInMemory(const coordinator::SecureFold& secure, const std::vector<Bytes>& vectors);

}  // namespace consilium::simtest
