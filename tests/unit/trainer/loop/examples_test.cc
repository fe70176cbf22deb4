#include <gtest/gtest.h>

#include <filesystem>

#include "comm/wire/job.h"
#include "trainer/models/registry.h"

namespace consilium::trainer {
namespace {

TEST(ExamplesTest, EveryExampleIsAJobThisBuildAccepts) {
  int examples = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(CONSILIUM_SOURCE_DIR) / "examples")) {
    if (entry.path().extension() != ".yaml") continue;
    const StatusOr<wire::JobSpec> job = wire::ReadJob(entry.path());
    ASSERT_TRUE(job.ok()) << job.status();
    const StatusOr<wire::ModelSpec> model = ResolveModel(job->model);
    EXPECT_TRUE(model.ok()) << entry.path() << ": " << model.status();
    ++examples;
  }
  EXPECT_GE(examples, 4);
}

}  // namespace
}  // namespace consilium::trainer
