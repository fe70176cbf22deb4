#include "comm/base/findings.h"

#include <algorithm>
#include <cctype>

namespace consilium {
namespace {

constexpr FindingLevel kLevels[] = {FindingLevel::kOk, FindingLevel::kWarn, FindingLevel::kFail};

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

StatusOr<Finding> FindingFromJson(const Json& json) {
  if (!json.is_object()) return InvalidArgument("a finding is not an object");
  for (const char* key : {"level", "subject", "detail", "mend"})
    if (!json.contains(key) || !json[key].is_string()) return InvalidArgument("a finding has no text '", key, "'");
  Finding finding{.subject = json["subject"], .detail = json["detail"], .mend = json["mend"]};
  const std::string name = json["level"];
  const auto level = std::find_if(std::begin(kLevels), std::end(kLevels),
                                  [&](FindingLevel known) { return LowerCase(FindingLevelName(known)) == name; });
  if (level == std::end(kLevels)) return InvalidArgument("finding '", finding.subject, "' has level '", name, "'");
  finding.level = *level;
  if (json.contains("values")) finding.values = json["values"];
  return finding;
}

}  // namespace

std::string_view FindingLevelName(FindingLevel level) {
  switch (level) {
    case FindingLevel::kOk:
      return "OK";
    case FindingLevel::kWarn:
      return "WARN";
    case FindingLevel::kFail:
      return "FAIL";
  }
  return "FAIL";
}

void PrintFindings(std::span<const Finding> findings, std::ostream& out) {
  std::size_t width = 0;
  for (const Finding& finding : findings) width = std::max(width, finding.subject.size());
  for (const Finding& finding : findings) {
    const std::string level(FindingLevelName(finding.level));
    out << level << std::string(6 - level.size(), ' ') << finding.subject
        << std::string(width + 2 - finding.subject.size(), ' ') << finding.detail << "\n";
    if (!finding.mend.empty()) out << std::string(width + 8, ' ') << "mend: " << finding.mend << "\n";
  }
}

Json FindingsToJson(std::span<const Finding> findings) {
  Json list = Json::array();
  for (const Finding& finding : findings)
    list.push_back({{"level", LowerCase(FindingLevelName(finding.level))},
                    {"subject", finding.subject},
                    {"detail", finding.detail},
                    {"mend", finding.mend},
                    {"values", finding.values}});
  return {{"findings", list}, {"worst", LowerCase(FindingLevelName(WorstOf(findings)))}};
}

StatusOr<std::vector<Finding>> FindingsFromJson(const Json& json) {
  if (!json.is_object() || !json.contains("findings") || !json["findings"].is_array())
    return InvalidArgument("expected an object with a list 'findings'");
  std::vector<Finding> findings;
  for (const Json& item : json["findings"]) {
    ASSIGN_OR_RETURN(Finding finding, FindingFromJson(item));
    findings.push_back(std::move(finding));
  }
  return findings;
}

FindingLevel WorstOf(std::span<const Finding> findings) {
  FindingLevel worst = FindingLevel::kOk;
  for (const Finding& finding : findings) worst = std::max(worst, finding.level);
  return worst;
}

}  // namespace consilium
