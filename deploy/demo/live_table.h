// Redraws a block of lines in place on a terminal; in a pipe, prints a line only when something new happened.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace consilium::demo {

class LiveTable {
 public:
  explicit LiveTable(std::FILE* out);
  // On a terminal: replaces the block.  In a pipe: nothing.
  void Update(const std::vector<std::string>& lines);
  // A line that stays, above the block.
  void Say(const std::string& line);

 private:
  void Erase();
  std::FILE* out_;
  bool terminal_;
  std::vector<std::string> shown_;
};

}  // namespace consilium::demo
