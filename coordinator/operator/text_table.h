// Rows for people: columns as wide as what is in them, cut at the right where a terminal ends.
#pragma once

#include <string>
#include <vector>

namespace consilium::coordinator {

class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) : rows_{std::move(header)} {}
  // As many cells as the header has.
  void Add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.size() == 1; }
  // `columns`: of the terminal; 0: no limit.
  std::string ToString(std::size_t columns) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// Of the terminal on standard output; 0 when it is none.
std::size_t TerminalColumns();

}  // namespace consilium::coordinator
