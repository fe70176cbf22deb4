// The text rules, shown files that break them.
#include "tests/tidy/text_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace consilium::tidy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(TextRules, LinesAreCountedInCharacters) {
  std::string umlauts;
  for (int i = 0; i < 120; ++i) umlauts += "\xC3\xA4";
  const Tree tree{{"comm/base/a.cc", "\n" + std::string(121, 'x') + "\n"},
                  {"comm/base/b.cc", std::string(120, 'x') + "\n" + umlauts + "\n"},
                  {"deploy/setup.sh", std::string(200, 'x')},
                  {"README.md", std::string(500, 'x')}};
  EXPECT_THAT(CheckLineLengths(tree),
              ElementsAre("comm/base/a.cc:2: 121 columns, at most 120", "deploy/setup.sh:1: 200 columns, at most 120"));
}

TEST(TextRules, OnlyATableThatTheFormatterLeavesAloneMayBeWider) {
  const std::string wide(121, 'x');
  EXPECT_THAT(CheckLineLengths({{"a/b.cc", "// clang-format off\n" + wide + "\n// clang-format on\n" + wide + "\n"}}),
              ElementsAre(HasSubstr("a/b.cc:4:")));
}

TEST(TextRules, FilesAreShort) {
  std::string lines;
  for (int i = 0; i < 600; ++i) lines += "x\n";
  EXPECT_THAT(CheckFileLengths({{"a/b.cc", lines}}), IsEmpty());
  EXPECT_THAT(CheckFileLengths({{"a/b.cc", lines + "x\n"}}), ElementsAre(HasSubstr("a/b.cc:601: 601 lines")));
}

TEST(TextRules, AHeaderGuardsItselfAndOpensNoNamespace) {
  EXPECT_THAT(CheckHeaders({{"a/b.h", "// What it is.\n#pragma once\n"}}), IsEmpty());
  EXPECT_THAT(CheckHeaders({{"a/b.h", "#ifndef B\n#define B\n#endif\n"}}), ElementsAre("a/b.h:1: has no #pragma once"));
  EXPECT_THAT(CheckHeaders({{"a/b.h", "#pragma once\nusing namespace std;\n"}}), ElementsAre(HasSubstr("a/b.h:2:")));
  EXPECT_THAT(CheckHeaders({{"a/b.h", "// #pragma once\n"}}), ElementsAre("a/b.h:1: has no #pragma once"));
}

TEST(TextRules, NotesOfWorkPutOffAreFoundInCodeAndDocuments) {
  const Tree tree{{"a/b.cc",
                   "int x;  // TO"
                   "DO(me): more\n"},
                  {"docs/a.md",
                   "FIX"
                   "ME\n"},
                  {"a/c.cc", "int mastodon;\n"}};
  EXPECT_THAT(CheckPromises(tree), ElementsAre(HasSubstr("a/b.cc:1:"), HasSubstr("docs/a.md:1:")));
}

TEST(TextRules, MarksThatAMergeLeftAreFound) {
  const std::string open(7, '<'), close(7, '>');
  const Tree tree{{"docs/a.md", "text\n" + open + " HEAD\nours\n" + close + " theirs\n"},
                  {"a/b.cc", "x << y; a <<<< b\n"}};
  EXPECT_THAT(CheckMergeMarks(tree), ElementsAre(HasSubstr("docs/a.md:2:"), HasSubstr("docs/a.md:4:")));
}

TEST(TextRules, PathsOfOneMachineAreFound) {
  const Tree tree{{"docs/a.md",
                   "see /work"
                   "/shared/data\n"},
                  {"Makefile",
                   "x = /home"
                   "/me/torch\n"},
                  {"a/b.cc", "\"/worker/main\"\n"}};
  EXPECT_THAT(CheckPlaces(tree), ElementsAre(HasSubstr("Makefile:1:"), HasSubstr("docs/a.md:1:")));
}

TEST(TextRules, UnitTestsThatSleepOrThrowDiceAreFound) {
  const Tree tree{{"tests/unit/a_test.cc",
                   "std::this_thread::sleep_for(1s);\n// no sleep_for(1s) here\nint x = rand();\n"
                   "::usleep(3);\nSleeper(1);\nmy_rand(2);\nat = torch::rand({2});\nrng.random(2);\n"},
                  {"tests/integration/b_test.cc", "std::this_thread::sleep_for(1s);\n"}};
  EXPECT_THAT(CheckUnitTests(tree),
              ElementsAre(HasSubstr("tests/unit/a_test.cc:1:"), HasSubstr("tests/unit/a_test.cc:3:"),
                          HasSubstr("tests/unit/a_test.cc:4:")));
}

TEST(TextRules, TheLibrarysRandomNumbersAreFound) {
  const Tree tree{{"a/b.cc",
                   "std::mt"
                   "19937 g;\nstd::normal_"
                   "distribution<float> n;\nstd::random_"
                   "device d;\nRng rng(1);\n"}};
  EXPECT_EQ(CheckRandomness(tree).size(), 3u);
}

TEST(TextRules, ASourceThatNobodyBuildsIsFound) {
  const Tree tree{{"a/CMakeLists.txt", "consilium_library(a SOURCES b.cc sub/c.cc)"},
                  {"a/b.cc", ""},
                  {"a/sub/c.cc", ""},
                  {"a/d.cc", ""}};
  EXPECT_THAT(CheckDeadFiles(tree), ElementsAre(HasSubstr("a/d.cc:1:")));
}

TEST(TextRules, ALibraryWithoutReadmeIsFound) {
  const Tree tree{{"a/CMakeLists.txt", "consilium_library(a SOURCES b.cc)"},
                  {"b/CMakeLists.txt", "consilium_library(b SOURCES b.cc)"},
                  {"b/README.md", "# b"},
                  {"c/CMakeLists.txt", "add_subdirectory(d)"}};
  EXPECT_THAT(CheckReadmes(tree), ElementsAre(HasSubstr("a: has no README.md")));
}

TEST(Tree, LinesAreSplitWithAndWithoutALastNewline) {
  EXPECT_THAT(LinesOf("a\n\nb"), ElementsAre("a", "", "b"));
  EXPECT_THAT(LinesOf("a\n"), ElementsAre("a"));
  EXPECT_THAT(LinesOf(""), IsEmpty());
}

}  // namespace
}  // namespace consilium::tidy
