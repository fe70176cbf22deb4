#include "deploy/demo/event_tail.h"

#include <fstream>

namespace consilium::demo {

std::vector<Json> EventTail::Next() {
  std::vector<Json> events;
  std::ifstream in(file_, std::ios::binary);
  in.seekg(at_);
  for (std::string line; std::getline(in, line) && !in.eof();) {  // a line without its end is still being written
    at_ += static_cast<std::streamoff>(line.size()) + 1;
    if (StatusOr<Json> json = ParseJson(line, file_.string()); json.ok() && json->is_object())
      events.push_back(*std::move(json));
  }
  return events;
}

}  // namespace consilium::demo
