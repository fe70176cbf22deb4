#include <gmock/gmock.h>

#include "datasets/image/image_io.h"

namespace consilium::datasets {
namespace {

TEST(NiftiOffTest, ABuildWithoutNiftiSaysHowToGetIt) {
  const Status status = ReadImage("a.nii.gz").status();
  EXPECT_EQ(status.code(), StatusCode::kUnimplemented);
  EXPECT_THAT(status.message(), ::testing::HasSubstr("libnifti-dev"));
  EXPECT_THAT(status.message(), ::testing::HasSubstr("-DCONSILIUM_NIFTI=ON"));
}

}  // namespace
}  // namespace consilium::datasets
