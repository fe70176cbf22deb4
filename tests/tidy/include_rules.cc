#include "tests/tidy/include_rules.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <set>

#include "comm/base/status.h"
#include "tests/tidy/layers.h"

namespace consilium::tidy {
namespace {

struct Include {
  std::size_t line_number;
  bool quoted;
  std::string path;
};

std::vector<Include> IncludesOf(std::string_view content) {
  std::vector<Include> includes;
  std::size_t line_number = 0;
  for (std::string_view line : LinesOf(content)) {
    ++line_number;
    constexpr std::string_view kBlanks = " \t";
    const auto skip_blanks = [&] { line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size())); };
    skip_blanks();
    if (!line.starts_with("#")) continue;
    line.remove_prefix(1);
    skip_blanks();
    if (!line.starts_with("include")) continue;
    line.remove_prefix(7);
    skip_blanks();
    if (line.empty() || (line[0] != '"' && line[0] != '<')) continue;
    const std::size_t end = line.find(line[0] == '"' ? '"' : '>', 1);
    if (end != std::string_view::npos)
      includes.push_back({line_number, line[0] == '"', std::string(line.substr(1, end - 1))});
  }
  return includes;
}

bool IsGenerated(std::string_view path) { return path.ends_with(".pb.h"); }

// The file that a quoted include means: from the root, or (in tests only) a neighbour. "" when there is none.
std::string Resolve(const Tree& tree, const std::string& from, const std::string& include) {
  if (tree.contains(include)) return include;
  const std::string folder = FolderOf(from);
  const std::string neighbour = folder + "/" + include;
  if (folder.starts_with("tests") && include.find('/') == std::string::npos && tree.contains(neighbour))
    return neighbour;
  return "";
}

// The library behind an include, "" when it is ours or the system's.
std::string_view LibraryBehind(const Include& include) {
  if (include.quoted) return IsGenerated(include.path) ? "protobuf" : "";
  return LibraryOf(include.path);
}

}  // namespace

std::vector<std::string> CheckArrows(const Tree& tree) {
  std::vector<std::string> violations;
  for (const auto& [path, content] : tree) {
    if (!IsCpp(path)) continue;
    const std::string folder = FolderOf(path);
    const Layer* layer = LayerOf(folder);
    if (layer == nullptr) {
      violations.push_back(At(path, 1, "stands in '" + folder + "', a folder that tests/tidy/layers.cc does not know"));
      continue;
    }
    for (const Include& include : IncludesOf(content)) {
      if (!include.quoted || IsGenerated(include.path)) continue;
      const std::string target = Resolve(tree, path, include.path);
      if (target.empty()) {
        violations.push_back(
            At(path, include.line_number,
               "includes \"" + include.path + "\", no file from the root; third-party headers go in <>"));
      } else if (!MayInclude(*layer, folder, FolderOf(target))) {
        violations.push_back(
            At(path, include.line_number,
               "includes \"" + include.path + "\": the plan has no arrow from " + folder + " to " + FolderOf(target)));
      }
    }
  }
  return violations;
}

std::vector<std::string> CheckLibraries(const Tree& tree) {
  std::vector<std::string> violations;
  for (const auto& [path, content] : tree) {
    const Layer* layer = IsCpp(path) ? LayerOf(FolderOf(path)) : nullptr;
    if (layer == nullptr) continue;
    for (const Include& include : IncludesOf(content)) {
      const std::string_view library = LibraryBehind(include);
      if (library == "?") {
        violations.push_back(At(path, include.line_number,
                                "includes <" + include.path + ">, a header that tests/tidy/layers.cc does not know"));
      } else if (!library.empty() && !MaySee(*layer, library)) {
        violations.push_back(
            At(path, include.line_number,
               Concat("includes <", include.path, ">: ", library, " does not belong in ", FolderOf(path))));
      }
    }
  }
  return violations;
}

namespace {

// For one .cc: each library that it sees, with the chain of files that leads there.
std::map<std::string, std::string> LibrariesSeenBy(const Tree& tree, const std::string& source) {
  std::map<std::string, std::string> seen;
  std::map<std::string, std::string> chain{{source, source}};
  std::deque<std::string> waiting{source};
  while (!waiting.empty()) {
    const std::string path = waiting.front();
    waiting.pop_front();
    for (const Include& include : IncludesOf(tree.at(path))) {
      const std::string_view library = LibraryBehind(include);
      if (!library.empty()) seen.emplace(library, chain[path] + " -> " + include.path);
      const std::string target = include.quoted ? Resolve(tree, path, include.path) : "";
      if (!target.empty() && chain.emplace(target, chain[path] + " -> " + target).second) waiting.push_back(target);
    }
  }
  return seen;
}

}  // namespace

std::vector<std::string> CheckTranslationUnits(const Tree& tree) {
  std::vector<std::string> violations;
  for (const auto& [path, content] : tree) {
    if (!IsSource(path)) continue;
    const std::map<std::string, std::string> seen = LibrariesSeenBy(tree, path);
    const auto torch = seen.find(std::string(kDataPlaneLibrary));
    if (torch == seen.end()) continue;
    for (const std::string_view library : kControlPlaneLibraries)
      if (const auto other = seen.find(std::string(library)); other != seen.end())
        violations.push_back(At(path, 1, "sees both planes: " + torch->second + "; " + other->second));
  }
  return violations;
}

std::vector<std::string> CheckCircles(const Tree& tree) {
  std::map<std::string, std::set<std::string>> arrows;
  for (const auto& [path, content] : tree) {
    if (!IsCpp(path)) continue;
    for (const Include& include : IncludesOf(content)) {
      const std::string target = include.quoted ? FolderOf(Resolve(tree, path, include.path)) : "";
      if (!target.empty() && target != FolderOf(path)) arrows[FolderOf(path)].insert(target);
    }
  }
  // Whatever can be reached from a folder must not reach it back.
  std::vector<std::string> violations;
  for (const auto& [start, unused] : arrows) {
    std::set<std::string> reached;
    std::deque<std::string> waiting{start};
    while (!waiting.empty()) {
      const std::string folder = waiting.front();
      waiting.pop_front();
      for (const std::string& next : arrows[folder])
        if (reached.insert(next).second) waiting.push_back(next);
    }
    if (!reached.contains(start)) continue;
    std::string members;
    for (const std::string& folder : reached) members += " " + folder;
    violations.push_back(start + ": includes itself through others; reachable are" + members);
  }
  return violations;
}

}  // namespace consilium::tidy
