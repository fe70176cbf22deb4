#include "privacy/pki/roster_text.h"

#include <algorithm>

#include "comm/base/json_number.h"
#include "privacy/pki/utc.h"

namespace consilium::pki {
namespace {

constexpr int kRosterVersion = 1;

// Throws Json::exception like at(); the caller turns both into a Status.
WallTime TimeAt(const Json& json, const char* key, Status* status) {
  const StatusOr<WallTime> when = ParseSecond(json.at(key).get<std::string>());
  if (when.ok()) return *when;
  if (status->ok()) *status = Annotate(when.status(), key);
  return WallTime();
}

RosterEntry EntryOf(const Json& json, Status* status) {
  RosterEntry entry;
  json.at("name").get_to(entry.name);
  json.at("certificate").get_to(entry.certificate);
  entry.not_after = TimeAt(json, "expires", status);
  const StatusOr<transport::Role> role = transport::RoleFromName(json.at("role").get<std::string>());
  const StatusOr<Bytes> key = FromHex(json.at("key").get<std::string>());
  if (!role.ok() || !key.ok() || key->size() != entry.key.size()) {
    if (status->ok()) *status = InvalidArgument("the party '", entry.name.substr(0, 80), "' has no valid role or key");
    return entry;
  }
  entry.role = *role;
  std::copy(key->begin(), key->end(), entry.key.begin());
  return entry;
}

}  // namespace

StatusOr<RosterText> ParseRosterText(const std::string& text, const std::string& where) {
  const StatusOr<Json> json = ParseJson(text, where);
  if (!json.ok()) return json.status();
  RosterText roster;
  Status status;
  try {
    if (WholeNumber<int>(json->at("version")) != kRosterVersion)
      return InvalidArgument(where, ": version ", json->at("version").dump(), " of the roster; this program reads ",
                             kRosterVersion);
    json->at("project").get_to(roster.contents.project);
    roster.contents.serial = WholeNumber<std::uint64_t>(json->at("serial"));
    roster.contents.issued = TimeAt(*json, "issued", &status);
    roster.contents.expires = TimeAt(*json, "expires", &status);
    for (const Json& party : json->at("parties")) roster.contents.parties.push_back(EntryOf(party, &status));
    for (const Json& revoked : json->at("revoked"))
      roster.contents.revoked.push_back({.certificate = revoked.at("certificate").get<std::string>(),
                                         .name = revoked.at("name").get<std::string>(),
                                         .reason = revoked.at("reason").get<std::string>(),
                                         .when = TimeAt(revoked, "when", &status)});
    const StatusOr<Bytes> signature = FromHex(json->at("signature").get<std::string>());
    if (!signature.ok()) return InvalidArgument(where, ": signature: not hexadecimal");
    roster.signature = *signature;
  } catch (const Json::exception& error) {
    return InvalidArgument(where, " is not a roster: ", error.what());
  }
  if (!status.ok()) return Annotate(status, where);
  return roster;
}

std::string FormatRosterText(const RosterContents& contents, const Bytes& signature) {
  Json json = {{"version", kRosterVersion},
               {"project", contents.project},
               {"serial", contents.serial},
               {"issued", FormatSecond(contents.issued)},
               {"expires", FormatSecond(contents.expires)},
               {"parties", Json::array()},
               {"revoked", Json::array()}};
  for (const RosterEntry& party : contents.parties)
    json["parties"].push_back({{"name", party.name},
                               {"role", transport::RoleName(party.role)},
                               {"key", ToHex(party.key)},
                               {"certificate", party.certificate},
                               {"expires", FormatSecond(party.not_after)}});
  for (const Revocation& revoked : contents.revoked)
    json["revoked"].push_back({{"certificate", revoked.certificate},
                               {"name", revoked.name},
                               {"reason", revoked.reason},
                               {"when", FormatSecond(revoked.when)}});
  json["signature"] = ToHex(signature);
  return json.dump(2) + "\n";
}

}  // namespace consilium::pki
