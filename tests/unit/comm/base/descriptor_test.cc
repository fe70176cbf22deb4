#include "comm/base/descriptor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "comm/base/file.h"
#include "tests/testing/run_program.h"

namespace consilium {
namespace {

using ::testing::HasSubstr;

TEST(Descriptor, WhatIsWrittenAtAPlaceIsReadThereAsFarAsTheFileGoes) {
  const testing::ScratchFolder scratch;
  const std::string path = (scratch / "file").string();
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_TRUE(WriteAll(descriptor, AsBytes("0123456789"), "writing it").ok());
  ASSERT_TRUE(WriteAt(descriptor, 3, AsBytes("abc"), "writing it").ok());
  Bytes out(20);
  EXPECT_EQ(ReadAt(descriptor, 2, out, "reading it").value(), 8u);
  EXPECT_EQ(std::string(out.begin(), out.begin() + 8), "2abc6789");
  EXPECT_EQ(ReadAt(descriptor, 50, out, "reading it").value(), 0u);
  ::close(descriptor);
  EXPECT_FALSE(WriteAll(descriptor, AsBytes("closed"), "writing it").ok());
  EXPECT_FALSE(WriteAt(descriptor, 0, AsBytes("closed"), "writing it").ok());
  EXPECT_THAT(ReadAt(descriptor, 0, out, "reading it").status().message(), HasSubstr("reading it: "));
}

TEST(InputFile, ReadsHereAndThereAndSaysWhereAFileEndsTooEarly) {
  const testing::ScratchFolder scratch;
  ASSERT_TRUE(WriteFileAtomic(scratch / "file", std::string_view("0123456789")).ok());
  InputFile opened = InputFile::Open(scratch / "file").value();
  const InputFile file = std::move(opened);
  Bytes out(4);
  ASSERT_TRUE(file.Read(6, out).ok());
  EXPECT_EQ(std::string(out.begin(), out.end()), "6789");
  ASSERT_TRUE(file.Read(0, out).ok());
  EXPECT_EQ(std::string(out.begin(), out.end()), "0123");
  const Status early = file.Read(7, out);
  EXPECT_EQ(early.code(), StatusCode::kDataLoss);
  EXPECT_THAT(early.message(), HasSubstr("file ends at byte 10, expected 11 or more"));
  EXPECT_EQ(InputFile::Open(scratch / "none").code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace consilium
