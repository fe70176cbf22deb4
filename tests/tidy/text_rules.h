// What every text must obey, beyond what the formatter and the compiler see. Each rule returns one line per violation.
#pragma once

#include <string>
#include <vector>

#include "tests/tidy/tree.h"

namespace consilium::tidy {

inline constexpr std::size_t kColumnsMax = 120;
inline constexpr std::size_t kLinesMax = 600;  // past 400 lines look for a second concept in the file

std::vector<std::string> CheckLineLengths(const Tree& tree);  // of code and scripts; in characters, not bytes
std::vector<std::string> CheckFileLengths(const Tree& tree);  // of code
std::vector<std::string> CheckHeaders(const Tree& tree);      // #pragma once; no `using namespace`
std::vector<std::string> CheckPromises(const Tree& tree);     // no note of work put off, anywhere
std::vector<std::string> CheckMergeMarks(const Tree& tree);   // no mark that a merge left, anywhere
std::vector<std::string> CheckPlaces(const Tree& tree);       // no path of one person's machine, anywhere
std::vector<std::string> CheckUnitTests(const Tree& tree);    // no sleeping, no foreign randomness
std::vector<std::string> CheckRandomness(const Tree& tree);   // comm/base/rng.h and entropy.h, never the library's
std::vector<std::string> CheckDeadFiles(const Tree& tree);    // every .cc is in a CMakeLists.txt
std::vector<std::string> CheckReadmes(const Tree& tree);      // every library's folder has a README.md

}  // namespace consilium::tidy
