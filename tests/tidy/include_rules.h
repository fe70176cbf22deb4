// What #include lines must obey. Each rule returns one line per violation, and nothing when the tree is in order.
#pragma once

#include <string>
#include <vector>

#include "tests/tidy/tree.h"

namespace consilium::tidy {

// Every source stands in a folder of the plan, every quoted include leads from the root to a file of ours, and along an
// arrow of the plan.
std::vector<std::string> CheckArrows(const Tree& tree);
// A library's headers are seen only by the folders that the plan allows.
std::vector<std::string> CheckLibraries(const Tree& tree);
// No translation unit sees torch and the control plane's libraries, however far away; the violation shows the way to
// each.
std::vector<std::string> CheckTranslationUnits(const Tree& tree);
// Folders do not include each other in a circle.
std::vector<std::string> CheckCircles(const Tree& tree);

}  // namespace consilium::tidy
