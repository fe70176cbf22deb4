// The rules of the house, held against the repository as it stands.
#include <gtest/gtest.h>

#include "tests/tidy/include_rules.h"
#include "tests/tidy/text_rules.h"
#include "tests/tidy/tree.h"

namespace consilium::tidy {
namespace {

const Tree& TheRepository() {
  static const Tree tree = ReadTree(CONSILIUM_SOURCE_DIR);
  return tree;
}

void Report(const std::vector<std::string>& violations) {
  for (const std::string& violation : violations) ADD_FAILURE() << violation;
}

TEST(Tidy, TheRepositoryIsRead) {
  EXPECT_GT(TheRepository().size(), 50u);
  EXPECT_TRUE(TheRepository().contains("comm/base/status.h"));
  EXPECT_TRUE(TheRepository().contains("tests/tidy/tidy_test.cc"));
}

TEST(Tidy, IncludesFollowTheArrowsOfThePlan) { Report(CheckArrows(TheRepository())); }
TEST(Tidy, LibrariesHeadersStayInTheirFolders) { Report(CheckLibraries(TheRepository())); }
TEST(Tidy, NoTranslationUnitSeesBothPlanes) { Report(CheckTranslationUnits(TheRepository())); }
TEST(Tidy, FoldersDoNotIncludeEachOtherInACircle) { Report(CheckCircles(TheRepository())); }
TEST(Tidy, LinesFitIntoTheColumns) { Report(CheckLineLengths(TheRepository())); }
TEST(Tidy, FilesHoldOneConcept) { Report(CheckFileLengths(TheRepository())); }
TEST(Tidy, HeadersGuardThemselvesAndOpenNoNamespace) { Report(CheckHeaders(TheRepository())); }
TEST(Tidy, NothingIsPutOff) { Report(CheckPromises(TheRepository())); }
TEST(Tidy, NoMergeIsLeftHalfDone) { Report(CheckMergeMarks(TheRepository())); }
TEST(Tidy, NoTextNamesOnePersonsMachine) { Report(CheckPlaces(TheRepository())); }
TEST(Tidy, UnitTestsDoNotSleepNorThrowDice) { Report(CheckUnitTests(TheRepository())); }
TEST(Tidy, RandomNumbersAreOurOwn) { Report(CheckRandomness(TheRepository())); }
TEST(Tidy, EverySourceIsBuilt) { Report(CheckDeadFiles(TheRepository())); }
TEST(Tidy, EveryLibraryHasAReadme) { Report(CheckReadmes(TheRepository())); }

}  // namespace
}  // namespace consilium::tidy
