// The include rules, shown trees that break them: a rule that cannot fail proves nothing.
#include "tests/tidy/include_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/tidy/layers.h"

namespace consilium::tidy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A small tree in order; each test breaks it in one place.
Tree Good() {
  return {
      {"comm/base/status.h", "#pragma once\n#include <string>\n#include <sys/types.h>\n"},
      {"comm/base/log.cc", "#include \"comm/base/status.h\"\n#include <spdlog/spdlog.h>\n"},
      {"comm/transport/transport.h", "#include \"comm/base/status.h\"\n"},
      {"comm/transport/grpc/dialer.h", "#include \"comm/transport/transport.h\"\n"},
      {"comm/transport/grpc/dialer.cc",
       "#include \"comm/transport/grpc/dialer.h\"\n#include <grpcpp/grpcpp.h>\n"
       "#include \"federation.grpc.pb.h\"\n"},
      {"trainer/models/unet.h", "#include <torch/torch.h>\n#include \"comm/base/status.h\"\n"},
      {"trainer/loop/trainer.cc", "#include \"trainer/models/unet.h\"\n"},
      {"coordinator/core/machine.cc", "#include \"comm/base/status.h\"\n"},
      {"tests/unit/a_test.cc", "#include \"fixture.h\"\n#include <gtest/gtest.h>\n"},
      {"tests/unit/fixture.h", "#include \"coordinator/core/machine.h\"\n"},
      {"coordinator/core/machine.h", ""},
  };
}

TEST(IncludeRules, ATreeInOrderHasNoViolations) {
  EXPECT_THAT(CheckArrows(Good()), IsEmpty());
  EXPECT_THAT(CheckLibraries(Good()), IsEmpty());
  EXPECT_THAT(CheckTranslationUnits(Good()), IsEmpty());
  EXPECT_THAT(CheckCircles(Good()), IsEmpty());
}

TEST(IncludeRules, AnArrowThatIsNotInThePlanIsNamedWithItsLine) {
  Tree tree = Good();
  tree["coordinator/core/machine.cc"] = "\n#include \"trainer/models/unet.h\"\n";
  EXPECT_THAT(CheckArrows(tree),
              ElementsAre("coordinator/core/machine.cc:2: includes \"trainer/models/unet.h\": the plan "
                          "has no arrow from coordinator/core to trainer/models"));
}

TEST(IncludeRules, TheInterfaceDoesNotOpenTheFolderBelowIt) {
  Tree tree = Good();
  tree["coordinator/core/machine.cc"] = "#include \"comm/transport/grpc/dialer.h\"\n";
  tree["comm/sim/network.cc"] = "#include \"comm/transport/transport.h\"\n#include \"comm/transport/grpc/dialer.h\"\n";
  EXPECT_EQ(CheckArrows(tree).size(), 2u);
}

TEST(IncludeRules, TheTwoCoresDoNotKnowEachOther) {
  Tree tree = Good();
  tree["client/core/session.cc"] = "#include \"coordinator/core/machine.h\"\n";
  EXPECT_THAT(CheckArrows(tree), ElementsAre(HasSubstr("no arrow from client/core to coordinator/core")));
}

TEST(IncludeRules, NothingIncludesTests) {
  Tree tree = Good();
  tree["comm/base/log.cc"] = "#include \"tests/unit/fixture.h\"\n";
  EXPECT_THAT(CheckArrows(tree), ElementsAre(HasSubstr("no arrow from comm/base to tests/unit")));
}

TEST(IncludeRules, AnIncludeOfNoFileAndANeighbourOutsideTestsAreRefused) {
  Tree tree = Good();
  tree["comm/base/log.cc"] = "#include \"status.h\"\n#include \"nifti1_io.h\"\n";
  EXPECT_THAT(CheckArrows(tree), ElementsAre(HasSubstr("comm/base/log.cc:1:"), HasSubstr("comm/base/log.cc:2:")));
}

TEST(IncludeRules, AFolderOutsideThePlanIsRefused) {
  Tree tree = Good();
  tree["utilities/strings.h"] = "";
  EXPECT_THAT(CheckArrows(tree), ElementsAre(HasSubstr("'utilities', a folder that")));
}

TEST(IncludeRules, ALibrarysHeaderOutsideItsFoldersIsRefused) {
  Tree tree = Good();
  tree["comm/wire/a.cc"] = "#include <openssl/evp.h>\n";
  tree["coordinator/core/b.cc"] = "#  include <torch/torch.h>\n";
  tree["datasets/planner/c.cc"] = "#include <ATen/ATen.h>\n";
  tree["trainer/loop/d.cc"] = "#include <absl/status/status.h>\n";
  tree["client/service/e.cc"] = "#include \"federation.pb.h\"\n";
  tree["trainer/startup/f.cc"] = "#include <torch/torch.h>\n";
  EXPECT_THAT(CheckLibraries(tree), ElementsAre(HasSubstr("protobuf does not belong in client/service"),
                                                HasSubstr("openssl does not belong in comm/wire"),
                                                HasSubstr("torch does not belong in coordinator/core"),
                                                HasSubstr("torch does not belong in datasets/planner"),
                                                HasSubstr("absl does not belong in trainer/loop"),
                                                HasSubstr("torch does not belong in trainer/startup")));
}

TEST(IncludeRules, ALibraryThatNobodyListedIsRefused) {
  Tree tree = Good();
  tree["comm/base/log.cc"] = "#include <eigen3/Eigen/Dense>\n";
  EXPECT_THAT(CheckLibraries(tree), ElementsAre(HasSubstr("<eigen3/Eigen/Dense>, a header that")));
}

TEST(IncludeRules, TorchAndGrpcInOneUnitAreFoundThroughHeaders) {
  Tree tree = Good();
  tree["comm/transport/grpc/dialer.h"] = "#include <grpcpp/channel.h>\n";
  tree["tests/unit/a_test.cc"] = "#include \"comm/transport/grpc/dialer.h\"\n#include \"trainer/models/unet.h\"\n";
  EXPECT_THAT(CheckTranslationUnits(tree),
              ElementsAre("tests/unit/a_test.cc:1: sees both planes: tests/unit/a_test.cc -> trainer/models/unet.h -> "
                          "torch/torch.h; tests/unit/a_test.cc -> comm/transport/grpc/dialer.h -> grpcpp/channel.h"));
}

TEST(IncludeRules, FoldersInACircleAreFound) {
  Tree tree = Good();
  tree["trainer/models/unet.h"] = "#include \"trainer/loop/trainer.h\"\n";
  tree["trainer/loop/trainer.h"] = "#include \"trainer/models/unet.h\"\n";
  EXPECT_THAT(CheckArrows(tree), IsEmpty()) << "each arrow alone is allowed";
  EXPECT_THAT(CheckCircles(tree),
              ElementsAre(HasSubstr("trainer/loop: includes itself"), HasSubstr("trainer/models: ")));
}

TEST(Layers, TheLongestRowWins) {
  EXPECT_EQ(LayerOf("comm/transport/grpc")->folder, "comm/transport/grpc");
  EXPECT_EQ(LayerOf("comm/transport")->folder, "comm/transport");
  EXPECT_EQ(LayerOf("trainer/models")->folder, "trainer");
  EXPECT_EQ(LayerOf("comm/collective/compat/libtorch113")->folder, "comm/collective");
  EXPECT_EQ(LayerOf("")->folder, "");
  EXPECT_EQ(LayerOf("trainers"), nullptr);
  EXPECT_EQ(LayerOf("comm"), nullptr);
}

TEST(Layers, HeadersAreKnownByTheirLibrary) {
  EXPECT_EQ(LibraryOf("c10/util/Optional.h"), "torch");
  EXPECT_EQ(LibraryOf("nifti1_io.h"), "nifti");
  EXPECT_EQ(LibraryOf("vector"), "");
  EXPECT_EQ(LibraryOf("sys/mman.h"), "");
  EXPECT_EQ(LibraryOf("unistd.h"), "");
  EXPECT_EQ(LibraryOf("curl/curl.h"), "?");
}

}  // namespace
}  // namespace consilium::tidy
