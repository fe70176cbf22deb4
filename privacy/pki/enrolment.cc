#include "privacy/pki/enrolment.h"

#include <algorithm>

#include "comm/base/file.h"
#include "comm/base/json_number.h"
#include "privacy/crypto/request.h"

namespace consilium::pki {
namespace {

constexpr int kVersion = 1;
constexpr std::size_t kPaperBytesMax = std::size_t{32} << 20;
constexpr std::size_t kFingerprintBytes = 16;

// Reads a paper of this kind; `read` may throw what Json::at throws.
template <typename Paper, typename Reader>
StatusOr<Paper> ReadPaper(const std::filesystem::path& file, const std::string& kind, Reader read) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kPaperBytesMax));
  ASSIGN_OR_RETURN(const Json json, ParseJson(text, file.string()));
  try {
    const auto found = json.at("consilium").get<std::string>();
    if (found != kind)
      return InvalidArgument(file.string(), " is of the kind '", found.substr(0, 40), "'; here the '", kind,
                             "' is needed");
    if (WholeNumber<int>(json.at("version")) != kVersion)
      return InvalidArgument(file.string(), " is of version ", json.at("version").dump(), "; this program reads ",
                             kVersion);
    Paper paper;
    RETURN_IF_ERROR(Annotate(read(json, &paper), file.string()));
    return paper;
  } catch (const Json::exception& error) {
    return InvalidArgument(file.string(), " is no ", kind, ": ", error.what());
  }
}

Status CheckName(const std::string& what, const std::string& name) {
  return IsValidName(name) ? Status() : InvalidArgument(what, ": '", name.substr(0, 80), "' is not a name");
}

std::string Grouped(const Digest& digest) {
  const std::string hex = ToHex(ByteSpan(digest.bytes).first(kFingerprintBytes));
  std::string grouped;
  for (std::size_t i = 0; i < hex.size(); i += 4) grouped += (i == 0 ? "" : " ") + hex.substr(i, 4);
  return grouped;
}

std::string Plain(const std::string& fingerprint) {
  std::string plain;
  for (const char c : fingerprint) {
    if (c == ' ' || c == ':' || c == '-') continue;
    plain += c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return plain;
}

}  // namespace

Json ToJson(const Invitation& invitation) {
  return {{"consilium", "invitation"},
          {"version", kVersion},
          {"project", invitation.self.project},
          {"role", transport::RoleName(invitation.self.role)},
          {"name", invitation.self.name},
          {"coordinator",
           {{"name", invitation.coordinator_name},
            {"host", invitation.coordinator_host},
            {"port", invitation.coordinator_port}}},
          {"authority", invitation.authority_pem}};
}

StatusOr<Invitation> ReadInvitation(const std::filesystem::path& file) {
  return ReadPaper<Invitation>(file, "invitation", [](const Json& json, Invitation* invitation) -> Status {
    json.at("project").get_to(invitation->self.project);
    json.at("name").get_to(invitation->self.name);
    ASSIGN_OR_RETURN(invitation->self.role, transport::RoleFromName(json.at("role").get<std::string>()));
    const Json& coordinator = json.at("coordinator");
    coordinator.at("name").get_to(invitation->coordinator_name);
    coordinator.at("host").get_to(invitation->coordinator_host);
    invitation->coordinator_port = WholeNumber<int>(coordinator.at("port"));
    json.at("authority").get_to(invitation->authority_pem);
    RETURN_IF_ERROR(CheckName("project", invitation->self.project));
    RETURN_IF_ERROR(CheckName("name", invitation->self.name));
    RETURN_IF_ERROR(CheckName("coordinator.name", invitation->coordinator_name));
    if (invitation->coordinator_port < 1 || invitation->coordinator_port > 65535)
      return InvalidArgument("coordinator.port is not between 1 and 65535");
    return Status();
  });
}

Json ToJson(const EnrolmentRequest& request) {
  Json json = {{"consilium", "enrolment request"},
               {"version", kVersion},
               {"project", request.project},
               {"role", request.role},
               {"name", request.name},
               {"tls", request.tls_pem},
               {"signing", request.signing_pem}};
  if (request.by_current_key) json["by_current_key"] = ToHex(*request.by_current_key);
  return json;
}

StatusOr<EnrolmentRequest> ReadRequest(const std::filesystem::path& file) {
  return ReadPaper<EnrolmentRequest>(
      file, "enrolment request", [](const Json& json, EnrolmentRequest* request) -> Status {
        json.at("project").get_to(request->project);
        json.at("role").get_to(request->role);
        json.at("name").get_to(request->name);
        json.at("tls").get_to(request->tls_pem);
        json.at("signing").get_to(request->signing_pem);
        RETURN_IF_ERROR(CheckName("project", request->project));
        RETURN_IF_ERROR(CheckName("name", request->name));
        RETURN_IF_ERROR(transport::RoleFromName(request->role).status());
        if (!json.contains("by_current_key")) return Status();
        const StatusOr<Bytes> signature = FromHex(json.at("by_current_key").get<std::string>());
        request->by_current_key.emplace();
        if (!signature.ok() || signature->size() != request->by_current_key->size())
          return InvalidArgument("by_current_key is no signature");
        std::copy(signature->begin(), signature->end(), request->by_current_key->begin());
        return Status();
      });
}

Bytes CanonicalBytes(const EnrolmentRequest& request) {
  ByteWriter writer;
  writer.PutString("consilium enrolment request 1");
  for (const std::string& part : {request.project, request.role, request.name, request.tls_pem, request.signing_pem})
    writer.PutString(part);
  return std::move(writer).Take();
}

std::string FingerprintOf(const EnrolmentRequest& request) { return Grouped(Sha256Of(CanonicalBytes(request))); }

std::string FingerprintOf(const crypto::Certificate& authority) {
  return Grouped(Sha256Of("consilium authority " + authority.public_key().Fingerprint()));
}

bool SameFingerprint(const std::string& typed, const std::string& fingerprint) {
  return Plain(typed) == Plain(fingerprint);
}

StatusOr<RequestedKeys> KeysOf(const EnrolmentRequest& request) {
  StatusOr<crypto::PublicKey> tls = crypto::KeyOfRequest(request.tls_pem);
  if (!tls.ok()) return Annotate(tls.status(), "tls");
  StatusOr<crypto::PublicKey> signing = crypto::KeyOfRequest(request.signing_pem);
  if (!signing.ok()) return Annotate(signing.status(), "signing");
  if (!tls->is_p256()) return InvalidArgument("tls: the key is not an elliptic-curve key on P-256");
  if (!signing->is_ed25519()) return InvalidArgument("signing: the key is not an Ed25519 key");
  return RequestedKeys{*std::move(tls), *std::move(signing)};
}

Json ToJson(const EnrolmentAnswer& answer) {
  return {{"consilium", "enrolment answer"}, {"version", kVersion},           {"name", answer.name},
          {"tls", answer.tls_pem},           {"signing", answer.signing_pem}, {"roster", answer.roster}};
}

StatusOr<EnrolmentAnswer> ReadAnswer(const std::filesystem::path& file) {
  return ReadPaper<EnrolmentAnswer>(file, "enrolment answer", [](const Json& json, EnrolmentAnswer* answer) -> Status {
    json.at("name").get_to(answer->name);
    json.at("tls").get_to(answer->tls_pem);
    json.at("signing").get_to(answer->signing_pem);
    json.at("roster").get_to(answer->roster);
    return CheckName("name", answer->name);
  });
}

}  // namespace consilium::pki
