// A roster as JSON.  Checks forms, not signatures: that is Roster's work.
#pragma once

#include "privacy/pki/roster.h"

namespace consilium::pki {

struct RosterText {
  RosterContents contents;
  Bytes signature;
};

// Errors: InvalidArgument naming the key.
StatusOr<RosterText> ParseRosterText(const std::string& text, const std::string& where);
std::string FormatRosterText(const RosterContents& contents, const Bytes& signature);

}  // namespace consilium::pki
