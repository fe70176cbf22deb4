// What doctor found: one line each, with the mend.  Shared by the control plane's half and the trainer's, whose JSON is
// read by the other.
#pragma once

#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "comm/base/json.h"
#include "comm/base/status.h"

namespace consilium {

enum class FindingLevel {
  kOk,
  kWarn,  // works, but slower or narrower than this machine allows
  kFail,  // something that people rely on does not work
};

// "OK", "WARN", "FAIL".
std::string_view FindingLevelName(FindingLevel level);

struct Finding {
  FindingLevel level = FindingLevel::kOk;
  std::string subject;           // "blas"; short, lower case, the same from release to release
  std::string detail;            // "OpenBLAS 0.3.21, core Prescott"
  std::string mend = {};         // what to do about it: a command or a sentence; empty when nothing needs doing
  Json values = Json::object();  // the detail's numbers, for machines: {"gflops": 159.2}
};

// One line per finding; a mend follows on a line of its own:
//   WARN  blas     OpenBLAS 0.3.21 picked core Prescott on an AVX-512 machine
//                  mend: unset OPENBLAS_CORETYPE
void PrintFindings(std::span<const Finding> findings, std::ostream& out);

// {"findings": [{"level": "warn", "subject": ..., "detail": ..., "mend": ..., "values": {...}}], "worst": "warn"}
Json FindingsToJson(std::span<const Finding> findings);
// The other way; InvalidArgument names what is missing.
StatusOr<std::vector<Finding>> FindingsFromJson(const Json& json);

// kOk when there are none.
FindingLevel WorstOf(std::span<const Finding> findings);

}  // namespace consilium
