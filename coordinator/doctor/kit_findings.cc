#include "comm/transport/grpc/tcp_dial.h"
#include "comm/transport/grpc/tls_probe.h"
#include "coordinator/doctor/doctor.h"

namespace consilium::coordinator {
namespace {

constexpr auto kExpiryWarning = std::chrono::hours(24 * 30);

Finding Failing(std::string subject, const Status& status, std::string mend) {
  return {FindingLevel::kFail, std::move(subject), status.message(), std::move(mend)};
}

Finding CertificateFinding(const transport::OwnCertificate& own) {
  const auto left = own.not_after - SystemClock().WallNow();
  const auto days = std::chrono::duration_cast<std::chrono::hours>(left).count() / 24;
  Finding finding{FindingLevel::kOk, "certificate",
                  Concat(transport::ToUri(own.self), ", valid until ", FormatUtc(own.not_after), " (", days, " days)")};
  finding.values = {{"days_left", days}};
  if (left < kExpiryWarning) {
    finding.level = FindingLevel::kWarn;
    finding.mend = "renew it before it expires: consilium enroll --renew --kit KIT";
  }
  return finding;
}

// What a site or an operator can see of the coordinator from here.
Finding CoordinatorFinding(const transport::Kit& kit, const transport::OwnCertificate& own) {
  const StatusOr<std::optional<transport::Proxy>> proxy =
      transport::ChooseProxy("", kit.coordinator_host, transport::ProcessEnvironment());
  if (!proxy.ok()) return Failing("coordinator", proxy.status(), "mend the variable, or unset it");
  const std::string way = *proxy ? " (through the HTTP proxy " + (*proxy)->where() + ")" : std::string();
  const std::string where = transport::HostAndPort(kit.coordinator_host, kit.coordinator_port) + way;
  const Status probe =
      transport::ProbeTls({.host = kit.coordinator_host,
                           .port = kit.coordinator_port,
                           .proxy = *proxy,
                           .dns_name = transport::CoordinatorDnsName(kit.self.project, kit.coordinator_name)},
                          own);
  if (probe.ok())
    return {FindingLevel::kOk, "coordinator",
            where + " answers with TLS 1.3 and the right certificate, and accepts ours"};
  if (probe.code() == StatusCode::kUnavailable)
    return {FindingLevel::kWarn, "coordinator", probe.message(),
            "is the coordinator running, and does the firewall let this machine out to " + where + "?"};
  return Failing("coordinator", probe,
                 "compare both certificates; a new kit comes from whoever ran `consilium provision`");
}

}  // namespace

std::vector<Finding> CheckKit(const std::filesystem::path& folder) {
  const StatusOr<transport::Kit> kit = transport::ReadKit(folder);
  if (!kit.ok()) return {Failing("kit", kit.status(), "a kit is a folder made by `consilium provision`")};
  std::vector<Finding> findings;
  findings.push_back(
      {FindingLevel::kOk, "kit",
       Concat(transport::RoleName(kit->self.role), " '", kit->self.name, "' of project '", kit->self.project, "'")});
  for (Finding& finding : CheckMixedUp(folder)) findings.push_back(std::move(finding));
  if (WorstOf(findings) == FindingLevel::kFail) return findings;
  for (Finding& finding : CheckSigning(folder, kit->self, SystemClock().WallNow()))
    findings.push_back(std::move(finding));
  const StatusOr<transport::OwnCertificate> own = transport::LoadOwnCertificate(kit->tls, kit->self.role);
  if (!own.ok()) {
    findings.push_back(
        Failing("certificate", own.status(), "renew it with consilium enroll --renew, or take a whole kit"));
    return findings;
  }
  findings.push_back(CertificateFinding(*own));
  if (own->self.project != kit->self.project || own->self.name != kit->self.name) {
    findings.push_back({FindingLevel::kFail, "certificate",
                        Concat("it is for '", own->self.name, "' of project '", own->self.project,
                               "', and kit.json is for '", kit->self.name, "' of '", kit->self.project, "'"),
                        "take all files from one kit"});
    return findings;
  }
  if (kit->self.role != transport::Role::kCoordinator) {
    findings.push_back(CoordinatorFinding(*kit, *own));
    return findings;
  }
  const Status port = transport::CheckPortIsFree(kit->listen_address, kit->coordinator_port);
  findings.push_back(port.ok()
                         ? Finding{FindingLevel::kOk, "port",
                                   Concat(kit->listen_address, ":", kit->coordinator_port, " is free to listen on")}
                         : Finding{FindingLevel::kWarn, "port", port.message(),
                                   "if that is the running coordinator, all is well; else stop it or pass --listen"});
  return findings;
}

}  // namespace consilium::coordinator
