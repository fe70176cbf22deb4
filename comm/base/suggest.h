// "Did you mean ...?" for verbs, options, keys and names.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace consilium {

// The known word nearest to `word` by edit distance (transpositions count once), or "" when none is near.
std::string NearestWord(std::string_view word, std::span<const std::string> known);
// "; did you mean 'epochs'?" or "; known: a, b, c" when nothing is near.
std::string Suggestion(std::string_view word, std::span<const std::string> known);

}  // namespace consilium
