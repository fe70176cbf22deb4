#include "comm/wire/shared_schema.h"

#include <algorithm>

namespace consilium::wire {

bool GlobMatches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, resume = 0;  // the last '*', and where in the text to try after it
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++, resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p, ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1, t = ++resume;  // let the star take one character more
    } else {
      return false;
    }
  }
  return std::all_of(pattern.begin() + static_cast<std::ptrdiff_t>(p), pattern.end(), [](char c) { return c == '*'; });
}

StatusOr<tensor::Schema> SharedSchema(const tensor::Schema& model, const std::vector<std::string>& personal) {
  std::vector<bool> stays(model.tensors().size());
  for (const std::string& pattern : personal) {
    bool found = false;
    for (std::size_t i = 0; i < stays.size(); ++i) {
      if (!GlobMatches(pattern, model.tensors()[i].name)) continue;
      stays[i] = found = true;
    }
    if (!found)
      return InvalidArgument("federation.personal: '", pattern, "' matches none of the model's ", stays.size(),
                             " tensors (e.g. '", stays.empty() ? "" : model.tensors().front().name,
                             "'); '*' stands for any text");
  }
  std::vector<tensor::TensorSpec> shared;
  for (std::size_t i = 0; i < stays.size(); ++i) {
    const tensor::TensorSpec& spec = model.tensors()[i];
    if (stays[i]) continue;
    for (const char* reserved : {"aux.", "codec."})
      if (spec.name.starts_with(reserved))
        return InvalidArgument("tensor '", spec.name, "': names that begin with '", reserved,
                               "' are taken in update files; rename the module");
    shared.push_back(spec);
  }
  if (shared.empty()) return InvalidArgument("federation.personal: every tensor of the model stays at the sites");
  return tensor::Schema::Create(std::move(shared));
}

}  // namespace consilium::wire
