#include "comm/wire/frame.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace consilium::wire {
namespace {

class FrameTest : public testing::Test {
 protected:
  FrameTest() { CONSILIUM_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_) == 0); }
  ~FrameTest() override {
    for (const int end : ends_)
      if (end >= 0) ::close(end);
  }
  void CloseWriter() {
    ::close(ends_[0]);
    ends_[0] = -1;
  }
  void Raw(const Bytes& bytes) { ASSERT_EQ(::write(ends_[0], bytes.data(), bytes.size()), ssize_t(bytes.size())); }
  int writer() const { return ends_[0]; }
  int reader() const { return ends_[1]; }

  int ends_[2] = {-1, -1};
};

TEST_F(FrameTest, WhatIsWrittenIsReadMessageByMessageAndThenTheEnd) {
  const Bytes big(300'000, 7);  // more than a socket's buffer: the writer must go on after a partial write
  std::thread thread([&] {
    EXPECT_TRUE(WriteFrame(writer(), AsBytes("one")).ok());
    EXPECT_TRUE(WriteFrame(writer(), {}).ok());
    EXPECT_TRUE(WriteFrame(writer(), big).ok());
    CloseWriter();
  });
  EXPECT_EQ(AsText(*ReadFrame(reader(), 1 << 20).value()), "one");
  EXPECT_TRUE(ReadFrame(reader(), 1 << 20).value()->empty());
  EXPECT_EQ(*ReadFrame(reader(), 1 << 20).value(), big);
  const auto end = ReadFrame(reader(), 1 << 20);
  thread.join();
  ASSERT_TRUE(end.ok());
  EXPECT_FALSE(end->has_value());
}

TEST_F(FrameTest, AMessageThatEndsTooEarlyIsDataLossAtEveryByte) {
  ByteWriter whole;
  whole.PutBytes(AsBytes("message"));
  for (std::size_t size = 1; size < whole.bytes().size(); ++size) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ASSERT_EQ(::write(ends[0], whole.bytes().data(), size), ssize_t(size));
    ::close(ends[0]);
    EXPECT_EQ(ReadFrame(ends[1], 1 << 20).code(), StatusCode::kDataLoss) << size << " bytes";
    ::close(ends[1]);
  }
}

TEST_F(FrameTest, AnAnnouncedSizeAboveTheLimitIsRefusedBeforeItIsRead) {
  Raw({0xff, 0xff, 0xff, 0xff});
  const auto frame = ReadFrame(reader(), 100);
  ASSERT_FALSE(frame.ok());
  EXPECT_EQ(frame.code(), StatusCode::kDataLoss);
  EXPECT_NE(frame.status().message().find("4294967295"), std::string::npos) << frame.status();
}

TEST_F(FrameTest, AMessageOfExactlyTheLimitPassesAndOneMoreByteDoesNot) {
  ASSERT_TRUE(WriteFrame(writer(), Bytes(100)).ok());
  ASSERT_TRUE(WriteFrame(writer(), Bytes(101)).ok());
  EXPECT_TRUE(ReadFrame(reader(), 100).ok());
  EXPECT_EQ(ReadFrame(reader(), 100).code(), StatusCode::kDataLoss);
}

TEST_F(FrameTest, WritingToAPeerThatIsGoneIsAnErrorAndNoSignal) {
  ::close(ends_[1]);
  ends_[1] = -1;
  EXPECT_EQ(WriteFrame(writer(), AsBytes("hello")).code(), StatusCode::kUnavailable);
}

TEST(Frame, PipesWorkToo) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ASSERT_TRUE(WriteFrame(ends[1], AsBytes("hello")).ok());
  EXPECT_EQ(AsText(*ReadFrame(ends[0], 100).value()), "hello");
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(Frame, ADescriptorThatIsNoneIsAnError) {
  EXPECT_FALSE(WriteFrame(-1, AsBytes("x")).ok());
  EXPECT_FALSE(ReadFrame(-1, 100).ok());
}

}  // namespace
}  // namespace consilium::wire
