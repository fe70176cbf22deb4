// Follows a growing file of JSON lines: returns the lines that were completed since the last look.
#pragma once

#include <filesystem>
#include <vector>

#include "comm/base/json.h"

namespace consilium::demo {

// Strand-bound.
class EventTail {
 public:
  explicit EventTail(std::filesystem::path file) : file_(std::move(file)) {}
  // Whole new lines that are JSON; a file that is not there yet has none.
  std::vector<Json> Next();

 private:
  std::filesystem::path file_;
  std::streamoff at_ = 0;
};

}  // namespace consilium::demo
