// JSON (nlohmann::json; keys keep the order in which they were put) with our errors.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "comm/base/status.h"

namespace consilium {

using Json = nlohmann::ordered_json;

// `where` names the source in the error: "dataset.json: line 3, column 9: ...".
StatusOr<Json> ParseJson(const std::string& text, const std::string& where);
StatusOr<Json> ReadJson(const std::filesystem::path& path);
Status WriteJson(const std::filesystem::path& path, const Json& json);

}  // namespace consilium
