// Which of a model's tensors travel: all but the personal ones.
#pragma once

#include <string>
#include <vector>

#include "comm/tensor/schema.h"

namespace consilium::wire {

// '*' stands for any text (dots too), '?' for one character; everything else for itself.  Takes at most
// |pattern| x |text| steps.
bool GlobMatches(std::string_view pattern, std::string_view text);

// The model's tensors that no pattern of `personal` matches ("*.norm.*").  Errors: InvalidArgument when a pattern
// matches no tensor (a typing error would share what was meant to stay), when nothing is left to share, or when a
// tensor's name begins with "aux." or "codec.", which update files use for themselves.
StatusOr<tensor::Schema> SharedSchema(const tensor::Schema& model, const std::vector<std::string>& personal);

}  // namespace consilium::wire
