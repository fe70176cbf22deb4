#include "tests/tidy/text_rules.h"

#include <algorithm>
#include <regex>

#include "comm/base/status.h"

namespace consilium::tidy {
namespace {

// UTF-8: every byte but a continuation begins a character.
std::size_t CharactersIn(std::string_view line) {
  return static_cast<std::size_t>(
      std::count_if(line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) >> 6) != 2; }));
}

// The line without what follows //. A // in a string is cut too, which only makes a rule blind there.
std::string_view WithoutComment(std::string_view line) { return line.substr(0, line.find("//")); }

// One violation per line of the chosen files that contains `pattern`.
template <typename Choose>
std::vector<std::string> Forbid(const Tree& tree, const std::regex& pattern, Choose choose, bool code_only,
                                const std::string& what) {
  std::vector<std::string> violations;
  for (const auto& [path, content] : tree) {
    if (!choose(path)) continue;
    std::size_t line_number = 0;
    for (const std::string_view line : LinesOf(content)) {
      ++line_number;
      const std::string_view text = code_only ? WithoutComment(line) : line;
      if (std::cmatch match; std::regex_search(text.data(), text.data() + text.size(), match, pattern))
        violations.push_back(At(path, line_number, "'" + match.str() + "': " + what));
    }
  }
  return violations;
}

bool Anywhere(std::string_view) { return true; }

}  // namespace

std::vector<std::string> CheckLineLengths(const Tree& tree) {
  std::vector<std::string> violations;
  for (const auto& [path, content] : tree) {
    if (!IsCpp(path) && !path.ends_with(".proto") && !path.ends_with(".sh") && !path.ends_with(".py")) continue;
    std::size_t line_number = 0;
    bool in_table = false;  // a table that the formatter leaves alone reads as one only with its columns
    for (const std::string_view line : LinesOf(content)) {
      ++line_number;
      if (line.find("// clang-format off") != std::string_view::npos) in_table = true;
      if (line.find("// clang-format on") != std::string_view::npos) in_table = false;
      if (!in_table && CharactersIn(line) > kColumnsMax)
        violations.push_back(At(path, line_number, Concat(CharactersIn(line), " columns, at most ", kColumnsMax)));
    }
  }
  return violations;
}

std::vector<std::string> CheckFileLengths(const Tree& tree) {
  std::vector<std::string> violations;
  for (const auto& [path, content] : tree)
    if (const std::size_t lines = LinesOf(content).size(); IsCpp(path) && lines > kLinesMax)
      violations.push_back(
          At(path, lines, Concat(lines, " lines, at most ", kLinesMax, "; there is a second concept in it")));
  return violations;
}

std::vector<std::string> CheckHeaders(const Tree& tree) {
  std::vector<std::string> violations = Forbid(tree, std::regex("^using namespace"), IsHeader, true,
                                               "a header must not open a namespace for all who include it");
  for (const auto& [path, content] : tree)
    if (IsHeader(path) && content.find("\n#pragma once\n") == std::string::npos &&
        !content.starts_with("#pragma once\n"))
      violations.push_back(At(path, 1, "has no #pragma once"));
  return violations;
}

std::vector<std::string> CheckPromises(const Tree& tree) {
  // In halves, because this file is read too.
  return Forbid(tree,
                std::regex("\\b(TO"
                           "DO|FIX"
                           "ME|X"
                           "XX|HA"
                           "CK)\\b"),
                Anywhere, false, "finish it, or state the limit in the README");
}

std::vector<std::string> CheckMergeMarks(const Tree& tree) {
  return Forbid(tree, std::regex("^(<{7}|>{7}) "), Anywhere, false, "a merge that was not resolved");
}

std::vector<std::string> CheckPlaces(const Tree& tree) {
  return Forbid(tree,
                std::regex("/work"
                           "/(main|shared|\\.)|/home"
                           "/[a-z]|/Users"
                           "/[A-Za-z]"),
                Anywhere, false,
                "a path of one machine; use one relative to the repository or an environment variable");
}

std::vector<std::string> CheckUnitTests(const Tree& tree) {
  const auto choose = [](std::string_view path) { return IsCpp(path) && path.starts_with("tests/unit/"); };
  // A bare or a global name (::usleep), or one of std; another namespace's (torch::rand) and a member are not meant.
  const std::regex pattern(
      "\\b(sleep_for|sleep_until|nanosleep) *\\(|(^|[^\\w:.>])(::|std::)?(usleep|sleep|alarm|s?rand|random) *\\(");
  return Forbid(tree, pattern, choose, true,
                "a unit test waits for a condition or moves a ManualClock, and draws from comm/base/rng.h");
}

std::vector<std::string> CheckRandomness(const Tree& tree) {
  return Forbid(
      tree,
      std::regex("std::(s?rand\\b|random_device|random_shuffle|shuffle\\b|mt19937|minstd_rand|\\w+_distribution)"),
      IsCpp, true, "differs between libraries; use comm/base/rng.h, or entropy.h for secrets");
}

std::vector<std::string> CheckDeadFiles(const Tree& tree) {
  std::vector<std::string> violations;
  for (const auto& [path, content] : tree) {
    if (!IsSource(path)) continue;
    const std::string name = path.substr(path.rfind('/') + 1);
    bool listed = false;
    for (std::string folder = FolderOf(path);; folder = FolderOf(folder)) {
      const auto cmake = tree.find(folder.empty() ? "CMakeLists.txt" : folder + "/CMakeLists.txt");
      listed = listed || (cmake != tree.end() && cmake->second.find(name) != std::string::npos);
      if (listed || folder.empty()) break;
    }
    if (!listed) violations.push_back(At(path, 1, "is in no CMakeLists.txt: nobody builds it"));
  }
  return violations;
}

std::vector<std::string> CheckReadmes(const Tree& tree) {
  std::vector<std::string> violations;
  for (const auto& [path, content] : tree) {
    const std::string folder = FolderOf(path);
    if (!path.ends_with("/CMakeLists.txt") || folder.starts_with("tests/") ||
        content.find("_library(") == std::string::npos)
      continue;
    if (!tree.contains(folder + "/README.md"))
      violations.push_back(folder +
                           ": has no README.md (what lives here, what it may touch, decisions taken and rejected)");
  }
  return violations;
}

}  // namespace consilium::tidy
