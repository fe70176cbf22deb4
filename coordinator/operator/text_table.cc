#include "coordinator/operator/text_table.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace consilium::coordinator {
namespace {

// In characters, not bytes: names are ASCII, but messages come from sites.
std::size_t WidthOf(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string Cut(const std::string& line, std::size_t columns) {
  if (columns == 0 || WidthOf(line) <= columns) return line;
  std::string cut;
  std::size_t width = 0;
  for (const char c : line) {
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80 && ++width >= columns) break;
    cut += c;
  }
  return cut + "~";
}

// One line a cell, and nothing in it that a terminal would act on.
std::string Plain(const std::string& text) {
  std::string plain = text;
  for (char& c : plain)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return plain;
}

}  // namespace

std::string TextTable::ToString(std::size_t columns) const {
  std::vector<std::size_t> widths(rows_.front().size(), 0);
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < widths.size() && i < row.size(); ++i) widths[i] = std::max(widths[i], WidthOf(row[i]));
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < widths.size() && i < row.size(); ++i) {
      line += Plain(row[i]);
      if (i + 1 < widths.size()) line += std::string(widths[i] + 2 - WidthOf(row[i]), ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += Cut(line, columns) + "\n";
  }
  return text;
}

std::size_t TerminalColumns() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) == 0 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

}  // namespace consilium::coordinator
