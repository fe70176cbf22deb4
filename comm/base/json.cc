#include "comm/base/json.h"

#include <string>

#include "comm/base/file.h"

namespace consilium {

StatusOr<Json> ParseJson(const std::string& text, const std::string& where) {
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    const std::string what = error.what();  // "[json.exception.parse_error.101] parse error at line 3, column 9: ..."
    const std::size_t prefix = what.find("] ");
    return InvalidArgument(where, " is not valid JSON: ", prefix == std::string::npos ? what : what.substr(prefix + 2));
  }
}

StatusOr<Json> ReadJson(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseJson(text, path.string());
}

Status WriteJson(const std::filesystem::path& path, const Json& json) {
  // A metric may be NaN; JSON has no NaN, and dump() writes null for it.
  return WriteFileAtomic(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace consilium
