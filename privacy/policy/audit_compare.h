// Do the logs of a coordinator and its sites tell the same story?  Where they speak of the same thing they name the
// same digest: what a site released is what the coordinator took, and the job that a site was asked about is the one
// that was handed in.  So a log that was cut short, or kept in two versions, contradicts the others even when nobody
// noted its head.  And a log of which two versions were told contradicts itself in the notes of any two sites.
#pragma once

#include <span>

#include "privacy/policy/audit_check.h"

namespace consilium::policy {

// Entries that are compared.
bool IsShared(const std::string& type);

// What is wrong with this log if the others are right, a sentence each.  An update that a site released and nobody took
// is none: it may have come too late.
std::vector<std::string> ContradictionsOf(const AuditFindings& log, std::span<const AuditFindings> others);

// Logs of which these parties were told two versions, a sentence each: they noted different heads after the same number
// of entries.  That log itself is not needed.
std::vector<std::string> ForksNoted(std::span<const AuditFindings> logs);

}  // namespace consilium::policy
