#include "comm/base/suggest.h"

#include <gtest/gtest.h>

#include <vector>

namespace consilium {
namespace {

const std::vector<std::string> kVerbs{"train", "predict", "evaluate", "doctor", "demo"};

TEST(Suggest, FindsTheWordThatWasMeant) {
  EXPECT_EQ(NearestWord("tarin", kVerbs), "train") << "a transposition is one slip";
  EXPECT_EQ(NearestWord("predct", kVerbs), "predict");
  EXPECT_EQ(NearestWord("evalaute", kVerbs), "evaluate");
  EXPECT_EQ(NearestWord("docter", kVerbs), "doctor");
}

TEST(Suggest, SaysNothingWhenNothingIsNear) {
  EXPECT_EQ(NearestWord("xyzzy", kVerbs), "");
  EXPECT_EQ(NearestWord("", kVerbs), "");
  EXPECT_EQ(NearestWord(std::string(100'000, 'x'), kVerbs), "") << "hostile length must cost nothing";
  EXPECT_EQ(NearestWord("q", std::vector<std::string>{"b"}), "") << "one letter for another is no likeness";
}

TEST(Suggest, TheSentenceNamesTheNearestOrAllThatAreKnown) {
  EXPECT_EQ(Suggestion("tarin", kVerbs), "; did you mean 'train'?");
  EXPECT_EQ(Suggestion("xyzzy", kVerbs), "; known: train, predict, evaluate, doctor, demo");
  EXPECT_EQ(Suggestion("xyzzy", {}), "");
}

}  // namespace
}  // namespace consilium
