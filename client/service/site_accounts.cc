#include "client/service/site_accounts.h"

#include "comm/base/log.h"
#include "privacy/dp/noise_key.h"

namespace consilium::client {
namespace {

// Releases of a job are about one vector, so they differ in nothing that they cost.
const dp::SkellamSum* LastOf(const dp::Ledger& ledger, const std::string& scope) {
  const dp::SkellamSum* last = nullptr;
  for (const auto& [release, mechanism] : ledger.charges())
    if (release.starts_with(scope)) last = std::get_if<dp::SkellamSum>(&mechanism);
  return last;
}

}  // namespace

// The name comes from a peer, and becomes a folder here.
StatusOr<std::filesystem::path> SiteAccounts::FolderOf(const std::string& data_set) const {
  constexpr std::size_t kNameBytesMax = 200;
  const bool plain = !data_set.empty() && data_set.size() <= kNameBytesMax && data_set.front() != '.' &&
                     data_set.find('/') == std::string::npos && data_set.find('\0') == std::string::npos;
  if (!plain) return InvalidArgument("'", data_set, "' is not a data set's name");
  return ledgers_ / data_set / "site";
}

Status SiteAccounts::CheckAnother(const std::string& job, const SitePrivacyWork& privacy) {
  const std::scoped_lock lock(mutex_);
  ASSIGN_OR_RETURN(const std::filesystem::path folder, FolderOf(privacy.data_set));
  const std::string scope = job + "/";
  ASSIGN_OR_RETURN(const std::unique_ptr<dp::Ledger> ledger,
                   dp::Ledger::Open(folder, {.epsilon = privacy.spec.epsilon, .delta = privacy.spec.delta}, scope));
  const dp::SkellamSum* last = LastOf(*ledger, scope);
  if (last == nullptr) return Status();
  return Annotate(ledger->CanCharge(scope + "another round", *last), "privacy.sites: this site");
}

StatusOr<SecretBytes> SiteAccounts::Pay(const NoisyRelease& release) {
  const std::scoped_lock lock(mutex_);
  ASSIGN_OR_RETURN(const std::filesystem::path folder, FolderOf(release.data_set));
  ASSIGN_OR_RETURN(const std::unique_ptr<dp::Ledger> ledger,
                   dp::Ledger::Open(folder, release.budget, release.job + "/"));
  ASSIGN_OR_RETURN(SecretBytes secret, dp::OpenNoiseKey(folder, *entropy_));
  RETURN_IF_ERROR(Annotate(ledger->Charge(release.release, release.plan.mechanism()), "privacy.sites: this site"));
  ASSIGN_OR_RETURN(const double spent, ledger->Spent());
  ASSIGN_OR_RETURN(const double spent_in_all, ledger->SpentInAll());
  Log(LogLevel::kInfo, "privacy_charged",
      {{"release", release.release},
       {"unit", "site, its vector replaced by zeros"},
       {"epsilon", spent},
       {"epsilon_budget", release.budget.epsilon},
       {"epsilon_data_set", spent_in_all},
       {"delta", release.budget.delta},
       {"noise_multiplier", release.plan.noise_multiplier},
       {"clip", release.clip}});
  return secret;
}

}  // namespace consilium::client
