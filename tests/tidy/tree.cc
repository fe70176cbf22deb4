#include "tests/tidy/tree.h"

#include <fstream>
#include <set>
#include <sstream>

namespace consilium::tidy {
namespace {

namespace fs = std::filesystem;

bool IsText(const fs::path& path) {
  static const std::set<std::string> kExtensions{".cc", ".h",  ".proto", ".cmake", ".md",
                                                 ".sh", ".py", ".yaml",  ".json"};
  static const std::set<std::string> kNames{"CMakeLists.txt", "Makefile", "run"};
  return kExtensions.contains(path.extension().string()) || kNames.contains(path.filename().string());
}

bool IsForeign(const fs::path& folder) {
  const std::string name = folder.filename().string();
  return (name.starts_with(".") && name != ".ci") || name.starts_with("build");
}

}  // namespace

Tree ReadTree(const fs::path& root) {
  Tree tree;
  for (auto entry = fs::recursive_directory_iterator(root); entry != fs::recursive_directory_iterator(); ++entry) {
    if (entry->is_directory() && IsForeign(entry->path())) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file() && IsText(entry->path())) {
      std::ostringstream content;
      content << std::ifstream(entry->path()).rdbuf();
      tree[fs::relative(entry->path(), root).generic_string()] = std::move(content).str();
    }
  }
  return tree;
}

std::string FolderOf(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? "" : std::string(path.substr(0, slash));
}

bool IsHeader(std::string_view path) { return path.ends_with(".h"); }
bool IsSource(std::string_view path) { return path.ends_with(".cc"); }
bool IsCpp(std::string_view path) { return IsHeader(path) || IsSource(path); }

std::vector<std::string_view> LinesOf(std::string_view content) {
  std::vector<std::string_view> lines;
  for (std::size_t at = 0; at < content.size();) {
    const std::size_t end = std::min(content.find('\n', at), content.size());
    lines.push_back(content.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::string At(std::string_view path, std::size_t line_number, std::string_view what) {
  return std::string(path) + ":" + std::to_string(line_number) + ": " + std::string(what);
}

}  // namespace consilium::tidy
