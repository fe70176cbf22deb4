#include "deploy/demo/live_table.h"

#include <unistd.h>

namespace consilium::demo {

LiveTable::LiveTable(std::FILE* out) : out_(out), terminal_(::isatty(::fileno(out)) == 1) {}

void LiveTable::Erase() {
  // Up one line and clear it, for each line shown.
  for (std::size_t i = 0; i < shown_.size(); ++i) std::fputs("\x1b[1A\x1b[2K", out_);
}

void LiveTable::Update(const std::vector<std::string>& lines) {
  if (!terminal_ || lines == shown_) return;
  Erase();
  for (const std::string& line : lines) std::fprintf(out_, "%s\n", line.c_str());
  std::fflush(out_);
  shown_ = lines;
}

void LiveTable::Say(const std::string& line) {
  if (terminal_) Erase();
  std::fprintf(out_, "%s\n", line.c_str());
  if (terminal_)
    for (const std::string& shown : shown_) std::fprintf(out_, "%s\n", shown.c_str());
  std::fflush(out_);
}

}  // namespace consilium::demo
