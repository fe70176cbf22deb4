#include "comm/base/config.h"

#include <gtest/gtest.h>

namespace consilium {
namespace {

struct Train {
  std::int64_t epochs = 100;
  double rate = 0.01;
  bool mirror = true;
  std::string precision = "auto";
  Duration every = std::chrono::minutes(10);
  std::vector<std::int64_t> patch;
  std::vector<double> weights;
  std::vector<std::string> names;
  std::vector<std::vector<std::int64_t>> strides;
};

StatusOr<Train> ReadTrain(const ConfigNode& root) {
  Train train;
  ConfigReader reader(root);
  reader.ReadMap("train", [&](ConfigReader& nested) {
    nested.Read("epochs", &train.epochs, AtLeast<std::int64_t>(1));
    nested.Read("rate", &train.rate, Between(0.0, 1.0));
    nested.Read("mirror", &train.mirror);
    nested.Read("precision", &train.precision, OneOf({"auto", "float32"}));
    nested.Read("every", &train.every);
    nested.Read("patch", &train.patch);
    nested.Read("weights", &train.weights);
    nested.Read("names", &train.names);
    nested.Read("strides", &train.strides);
    nested.RefuseUnbuilt("compile", "use the plain loop");
    nested.RefuseUnbuiltValue("optimizer", "adam", "use sgd");
    std::string optimizer;
    nested.Read("optimizer", &optimizer);
  });
  RETURN_IF_ERROR(reader.Finish());
  return train;
}

StatusOr<Train> ReadTrain(const std::string& text) {
  ASSIGN_OR_RETURN(const ConfigNode root, ConfigNode::Parse(text, "job.yaml"));
  return ReadTrain(root);
}

std::string ErrorOf(const std::string& text) {
  const StatusOr<Train> train = ReadTrain(text);
  return train.ok() ? "accepted" : train.status().message();
}

TEST(Config, ReadsEveryKindOfValue) {
  const Train train = ReadTrain(
                          "train:\n  epochs: 3\n  rate: 1e-3\n  mirror: false\n  precision: float32\n  every: 1h30m\n"
                          "  patch: [40, 56, 40]\n  weights: [0.5, 1]\n  names: [a, b]\n  strides: [[1, 1], [2, 2]]\n")
                          .value();
  EXPECT_EQ(train.epochs, 3);
  EXPECT_EQ(train.rate, 1e-3);
  EXPECT_FALSE(train.mirror);
  EXPECT_EQ(train.precision, "float32");
  EXPECT_EQ(train.every, std::chrono::minutes(90));
  EXPECT_EQ(train.patch, (std::vector<std::int64_t>{40, 56, 40}));
  EXPECT_EQ(train.weights, (std::vector<double>{0.5, 1.0}));
  EXPECT_EQ(train.names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(train.strides, (std::vector<std::vector<std::int64_t>>{{1, 1}, {2, 2}}));
}

TEST(Config, AbsentKeysKeepTheirDefaults) {
  for (const char* text : {"", "# only a comment\n", "train:\n", "train: {}\n", "train:\n  epochs:\n"}) {
    const StatusOr<Train> train = ReadTrain(text);
    ASSERT_TRUE(train.ok()) << text << train.status();
    EXPECT_EQ(train->epochs, 100) << text;
  }
}

TEST(Config, AWrongTypeNamesFileLineKeyAndWhatWasExpected) {
  EXPECT_EQ(ErrorOf("train:\n  mirror: true\n  epochs: many\n"),
            "job.yaml:3: train.epochs: expected a whole number, found 'many'");
  EXPECT_EQ(ErrorOf("train: {epochs: 3.5}\n"), "job.yaml:1: train.epochs: expected a whole number, found '3.5'");
  EXPECT_EQ(ErrorOf("train: {epochs: 99999999999999999999}\n"),
            "job.yaml:1: train.epochs: expected a whole number, found '99999999999999999999'");
  EXPECT_EQ(ErrorOf("train: {rate: .nan}\n"), "job.yaml:1: train.rate: expected a finite number, found '.nan'");
  EXPECT_EQ(ErrorOf("train: {rate: 1e999}\n"), "job.yaml:1: train.rate: expected a finite number, found '1e999'");
  EXPECT_EQ(ErrorOf("train: {mirror: yes}\n"), "job.yaml:1: train.mirror: expected true or false, found 'yes'");
  EXPECT_EQ(ErrorOf("train: {epochs: [1]}\n"), "job.yaml:1: train.epochs: expected a whole number, found a list");
  EXPECT_EQ(ErrorOf("train: {precision: {a: 1}}\n"), "job.yaml:1: train.precision: expected text, found a section");
  EXPECT_EQ(ErrorOf("train: {every: 10}\n"),
            "job.yaml:1: train.every: expected a duration such as 90s, 20m or 1h30m, found '10'");
  EXPECT_EQ(ErrorOf("train: {patch: [1, x]}\n"),
            "job.yaml:1: train.patch: expected a list of whole numbers, found a list");
  EXPECT_EQ(ErrorOf("train: {strides: [[1], 2]}\n"),
            "job.yaml:1: train.strides: expected a list of lists of whole numbers, found a list");
  EXPECT_EQ(ErrorOf("train: 3\n"), "job.yaml:1: train: expected a section of 'key: value' lines, found '3'");
}

TEST(Config, AValueOutsideItsRuleSaysTheRule) {
  EXPECT_EQ(ErrorOf("train: {epochs: 0}\n"), "job.yaml:1: train.epochs: expected at least 1, found '0'");
  EXPECT_EQ(ErrorOf("train: {rate: 2}\n"), "job.yaml:1: train.rate: expected between 0 and 1, found '2'");
  EXPECT_EQ(ErrorOf("train: {precision: flaot32}\n"),
            "job.yaml:1: train.precision: expected one of auto, float32 (did you mean 'float32'?), found 'flaot32'");
}

TEST(Config, AnUnknownKeyIsRefusedWithItsLineAndTheNearestKnownOne) {
  EXPECT_EQ(ErrorOf("train:\n  mirror: true\n  epohcs: 3\n"),
            "job.yaml:3: train.epohcs is not a known key; did you mean 'epochs'?");
  EXPECT_EQ(ErrorOf("tarin:\n  epochs: 3\n"), "job.yaml:1: tarin is not a known key; did you mean 'train'?");
}

TEST(Config, AnUnknownKeyIsRefusedEvenWhenItsValueIsEmpty) {
  EXPECT_EQ(ErrorOf("train:\n  epohcs:\n"), "job.yaml:2: train.epohcs is not a known key; did you mean 'epochs'?");
}

TEST(Config, WhatIsKnownButNotBuiltIsRefusedAndNeverIgnored) {
  EXPECT_EQ(ErrorOf("train: {compile: true}\n"),
            "job.yaml:1: train.compile is known but not built yet: use the plain loop");
  EXPECT_EQ(ErrorOf("train: {optimizer: adam}\n"),
            "job.yaml:1: train.optimizer: 'adam' is known but not built yet: use sgd");
  EXPECT_EQ(ReadTrain("train: {compile: true}\n").code(), StatusCode::kUnimplemented);
  EXPECT_EQ(ErrorOf("train: {optimizer: sgd}\n"), "accepted");
}

TEST(Config, AKeyGivenTwiceIsRefused) {
  EXPECT_EQ(ErrorOf("train:\n  epochs: 1\n  epochs: 2\n"), "job.yaml:3: the key 'epochs' is given twice; keep one");
}

TEST(Config, TextThatIsNotYamlNamesItsLine) {
  EXPECT_EQ(ErrorOf("train:\n  epochs: [1, 2\n").substr(0, 11), "job.yaml:3:");
  EXPECT_EQ(ErrorOf("- a\n- b\n"), "job.yaml: expected 'key: value' lines");
  EXPECT_EQ(ErrorOf("train: {}\n---\ntrain: {}\n"),
            "job.yaml:2: expected one document, and it has ended; remove what follows");
  // The YAML library reads empty documents without end here.
  EXPECT_EQ(ErrorOf(R"({"":[""]},)"), "job.yaml:1: expected one document, and it has ended; remove what follows");
  EXPECT_EQ(ErrorOf("a: [1]\n]\n"), "job.yaml:2: not valid YAML: illegal flow end");
  EXPECT_EQ(ErrorOf("[1, 2]: 3\n"), "job.yaml:1: expected a word as key");
}

TEST(Config, OnlyUtf8IsText) {
  EXPECT_EQ(ErrorOf("train:\n  precision: \xBF\n"), "job.yaml:2: not UTF-8 text; save the file as UTF-8");
  for (const char* bad : {"\xC0\x80", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xE2\x82", "\xFF"})
    EXPECT_NE(ErrorOf(Concat("# ", bad)).find("not UTF-8"), std::string::npos);
  EXPECT_EQ(ErrorOf("# \xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80\n"), "accepted");
}

TEST(Config, AnAliasThatContainsItselfIsRefused) {
  EXPECT_NE(ErrorOf("train: &loop\n  patch: *loop\n").find("does an alias contain itself?"), std::string::npos);
}

TEST(Config, AliasesThatMultiplyAreRefusedQuickly) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int level = 1; level < 12; ++level) {
    const std::string previous = "*a" + std::to_string(level - 1);
    text += Concat("a", level, ": &a", level, " [");
    for (int i = 0; i < 8; ++i) text += previous + " , ";
    text += previous + " ]\n";
  }
  EXPECT_NE(ErrorOf(text).find("nested too deeply or too large"), std::string::npos);
}

TEST(Config, DeepNestingIsAnErrorAndNotAStackOverflow) {
  EXPECT_NE(ErrorOf("train: " + std::string(100'000, '[')), "accepted");
  EXPECT_NE(ErrorOf("train: " + std::string(400, '[') + std::string(400, ']')), "accepted");
}

TEST(Config, ALongValueIsShownShortened) {
  EXPECT_EQ(ErrorOf("train: {epochs: " + std::string(1000, 'x') + "}\n"),
            "job.yaml:1: train.epochs: expected a whole number, found '" + std::string(80, 'x') + "...'");
}

TEST(ConfigSet, ReplacesAndMakesKeysAtDottedPaths) {
  ConfigNode root = ConfigNode::Parse("train: {epochs: 3}\n", "job.yaml").value();
  ASSERT_TRUE(root.Set("train.epochs=5").ok());
  ASSERT_TRUE(root.Set("train.patch=[8, 8]").ok());
  const Train train = ReadTrain(root).value();
  EXPECT_EQ(train.epochs, 5);
  EXPECT_EQ(train.patch, (std::vector<std::int64_t>{8, 8}));
}

TEST(ConfigSet, WorksOnAnEmptyFileAndAnEmptySection) {
  for (const char* text : {"", "train:\n"}) {
    ConfigNode root = ConfigNode::Parse(text, "job.yaml").value();
    ASSERT_TRUE(root.Set("train.epochs=5").ok());
    EXPECT_EQ(ReadTrain(root).value().epochs, 5) << "file: '" << text << "'";
  }
}

TEST(ConfigSet, ErrorsNameTheAssignmentAndNotALineOfTheFile) {
  ConfigNode root = ConfigNode::Parse("name: a\ntrain: {rate: 7}\n", "job.yaml").value();
  ASSERT_TRUE(root.Set("train.epochs=many").ok());
  ConfigReader reader(root);
  std::string name;
  std::int64_t epochs = 0;
  reader.Read("name", &name);
  reader.ReadMap("train", [&](ConfigReader& nested) { nested.Read("epochs", &epochs); });
  EXPECT_EQ(reader.Finish().message(), "--set train.epochs=many: train.epochs: expected a whole number, found 'many'");
  EXPECT_EQ(root["train"]["rate"].where(), "job.yaml:2: train.rate");
}

TEST(ConfigSet, MalformedAssignmentsSayHowToWriteOne) {
  ConfigNode root = ConfigNode::Parse("train: {epochs: 3}\n", "job.yaml").value();
  for (const char* bad : {"train.epochs", "=3", "train..epochs=3", ".epochs=3", "train.=3"})
    EXPECT_EQ(root.Set(bad).message(),
              "--set " + std::string(bad) + ": expected key=value, for example train.epochs=3");
  EXPECT_EQ(root.Set("train.epochs.first=3").message(),
            "--set train.epochs.first=3: 'epochs' is a value, not a section");
  EXPECT_EQ(root.Set("train.epochs=[1").code(), StatusCode::kInvalidArgument);
}

TEST(ConfigReader, RequireNamesTheMissingKey) {
  const ConfigNode root = ConfigNode::Parse("a: 1\n", "job.yaml").value();
  ConfigReader reader(root);
  reader.Require("name");
  EXPECT_EQ(reader.Finish().message(), "job.yaml: name is missing");
}

TEST(ConfigReader, AMissingKeyNamesTheWordThatMayHaveBeenMeantForIt) {
  const ConfigNode root = ConfigNode::Parse("epsilno: 8\n", "job.yaml").value();
  ConfigReader reader(root);
  reader.Require("epsilon");
  EXPECT_EQ(reader.Finish().message(), "job.yaml: epsilon is missing; did you mean it by 'epsilno'?");
}

TEST(ConfigReader, TheFirstErrorStays) {
  const ConfigNode root = ConfigNode::Parse("a: x\nb: y\n", "job.yaml").value();
  ConfigReader reader(root);
  std::int64_t a = 1, b = 2;
  reader.Read("a", &a);
  reader.Read("b", &b);
  EXPECT_EQ(reader.Finish().message(), "job.yaml:1: a: expected a whole number, found 'x'");
  EXPECT_EQ(b, 2);
}

TEST(JsonToYaml, ParsesBackToTheSameValues) {
  const Json json = {{"name", "a: \"b\"\n#c"},
                     {"empty", Json::object()},
                     {"train", {{"rate", 3e-5}, {"epochs", 3}, {"nested", {{"list", {1, 2}}, {"on", true}}}}}};
  const ConfigNode node = ConfigNode::Parse(JsonToYaml(json), "yaml").value();
  EXPECT_EQ(node["name"].scalar(), "a: \"b\"\n#c");
  EXPECT_EQ(node["train"]["rate"].scalar(), "3e-05");
  EXPECT_EQ(node["train"]["nested"]["on"].scalar(), "true");
  ASSERT_EQ(node["train"]["nested"]["list"].items().size(), 2u);
  EXPECT_EQ(node["train"]["nested"]["list"].items()[1].scalar(), "2");
  EXPECT_TRUE(node["empty"].IsMap());
}

}  // namespace
}  // namespace consilium
