// A kit: the folder that one party of a project gets from `consilium provision` and starts with.
//
//   kit.json      who the party is, where the coordinator is; the coordinator's kit also lists the sites
//   tls/ca.crt    the project's certificate authority
//   tls/tls.crt   the party's certificate
//   tls/tls.key   its private key, mode 0600 (beside them: what privacy/pki and privacy/policy describe)
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "comm/base/ids.h"
#include "comm/transport/peer_name.h"

namespace consilium::transport {

// PEM files.
struct TlsFiles {
  std::filesystem::path ca, certificate, key;
};
TlsFiles TlsFilesIn(const std::filesystem::path& kit_folder);

struct Kit {
  PeerName self;
  std::string coordinator_name;  // "coordinator": with the project, the name its certificate must prove
  std::string coordinator_host;  // where sites and operators connect to
  int coordinator_port = 0;
  std::string listen_address = "0.0.0.0";  // coordinator only: the interface to listen on (at coordinator_port)
  std::vector<SiteName> sites;             // coordinator only: the roster, in name order
  std::filesystem::path folder;
  TlsFiles tls;
};

// Errors: NotFound when it is not a kit, FailedPrecondition while its keys wait for the authority's answer,
// InvalidArgument for a kit.json that is not right or a key that others can read (with the chmod that mends it).  The
// certificates are checked by LoadOwnCertificate (grpc/own_certificate.h), which StartGrpcServer and ConnectGrpc call.
StatusOr<Kit> ReadKit(const std::filesystem::path& folder);
// Also checks the role: "hospital-a's kit is a site's; this command needs the coordinator's".
StatusOr<Kit> ReadKit(const std::filesystem::path& folder, Role expected_role);
// For `--coordinator HOST:PORT`: the kit dials there instead; "" changes nothing.  Errors: InvalidArgument.
Status PointKitAt(const std::string& address, Kit* kit);
// Writes kit.json into `folder` (kit.folder and kit.tls are not written: they follow from where the kit lies).
Status WriteKitFile(const Kit& kit, const std::filesystem::path& folder);

}  // namespace consilium::transport
