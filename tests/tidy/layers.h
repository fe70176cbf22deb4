// The plan of the house as data: which folder may include which, and which libraries' headers it may see. Change it
// here, and say why in the folder's README.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace consilium::tidy {

// A folder, and everything below it that has no row of its own.
struct Layer {
  std::string_view folder;
  // Folders of ours, exactly; "trainer/*" means every folder below trainer; "*" means all. Its own folder is always
  // allowed.
  std::vector<std::string_view> may_include;
  // Libraries by the names of kLibraries; "*" means all.
  std::vector<std::string_view> libraries;
};
std::span<const Layer> Layers();

// The row for a folder: the one with the longest matching name. Null: the plan has no such room.
const Layer* LayerOf(std::string_view folder);
bool MayInclude(const Layer& layer, std::string_view own_folder, std::string_view included_folder);
bool MaySee(const Layer& layer, std::string_view library);

// The library that owns a header in angle brackets: "torch" for <ATen/Tensor.h>. "" for the C++ library and the
// operating system; "?" when the header is in no list.
std::string_view LibraryOf(std::string_view header);

// Libraries that must not meet in one translation unit: they bring their own, clashing protobuf, and a program that
// holds one is not to hold the other.
inline constexpr std::string_view kDataPlaneLibrary = "torch";
inline constexpr std::string_view kControlPlaneLibraries[] = {"grpc", "protobuf", "absl", "boost", "sqlite"};

}  // namespace consilium::tidy
