// The repository's text files, in memory: so that the rules can also be shown a tree that breaks them.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace consilium::tidy {

// Path from the repository's root -> content.
using Tree = std::map<std::string, std::string>;

// Reads every text file of ours (by name: sources, CMake, scripts, documents); build folders and dot folders are left
// out.
Tree ReadTree(const std::filesystem::path& root);

// "comm/base/status.h" -> "comm/base"; "" at the root.
std::string FolderOf(std::string_view path);
bool IsHeader(std::string_view path);
bool IsSource(std::string_view path);  // .cc
bool IsCpp(std::string_view path);     // either

std::vector<std::string_view> LinesOf(std::string_view content);

// One broken rule: "comm/base/x.h:12: what is wrong".
std::string At(std::string_view path, std::size_t line_number, std::string_view what);

}  // namespace consilium::tidy
