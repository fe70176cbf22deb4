// safetensors files from somebody who wishes us ill: every one gives a DataLoss, in little time and memory.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "comm/base/entropy.h"
#include "comm/base/rng.h"
#include "comm/tensor/safetensors.h"
#include "tests/testing/run_program.h"

namespace consilium::tensor {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string File(const std::string& header, const std::string& data, std::uint64_t announced) {
  return std::string(reinterpret_cast<const char*>(&announced), 8) + header + data;
}
std::string File(const std::string& header, const std::string& data = "") { return File(header, data, header.size()); }

std::string Tensor(const std::string& name, const std::string& shape, std::uint64_t begin, std::uint64_t end,
                   const std::string& dtype = "F32") {
  return Concat("\"", name, "\":{\"dtype\":\"", dtype, "\",\"shape\":", shape, ",\"data_offsets\":[", begin, ",", end,
                "]}");
}

class HostileSafetensors : public ::testing::Test {
 protected:
  // One descriptor for all: closing a file that was truncated makes some file systems write it out, thousands of times
  // here.
  Status Open(const std::string& bytes) {
    if (descriptor_ < 0) descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CONSILIUM_CHECK(::pwrite(descriptor_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()) &&
                    ::ftruncate(descriptor_, static_cast<off_t>(bytes.size())) == 0);
    return SafetensorsFile::Open(path_).status();
  }
  ~HostileSafetensors() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  void ExpectRefused(const std::string& bytes, const std::string& reason) {
    const Status status = Open(bytes);
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << reason << ": " << status;
    EXPECT_THAT(status.message(), HasSubstr(reason));
    EXPECT_THAT(status.message(), HasSubstr(path_.string()));
  }
  std::string Good() {
    return File(
        "{" + Tensor("a", "[2,2]", 0, 16) + "," + Tensor("b", "[]", 16, 20) + ",\"__metadata__\":{\"k\":\"v\"}}",
        std::string(20, 'x'));
  }

  consilium::testing::ScratchFolder scratch_;
  const std::filesystem::path path_ = scratch_ / "hostile.safetensors";
  int descriptor_ = -1;
};

TEST_F(HostileSafetensors, TheGoodOneIsGood) { EXPECT_TRUE(Open(Good()).ok()); }

TEST_F(HostileSafetensors, EveryTruncationIsRefused) {
  const std::string good = Good();
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_EQ(Open(good.substr(0, size)).code(), StatusCode::kDataLoss) << size;
  EXPECT_EQ(Open(good + "x").code(), StatusCode::kDataLoss);
}

TEST_F(HostileSafetensors, AHeaderOf10GigabytesIsRefusedWithoutAllocatingIt) {
  for (const std::uint64_t announced :
       {std::uint64_t{10} << 30, ~std::uint64_t{0}, std::uint64_t{1} << 63, ~std::uint64_t{0} - 7, std::uint64_t{1000}})
    ExpectRefused(File("{}", "", announced), Concat("announces a header of ", announced, " bytes"));
  // Also when the file really is so large (here a sparse one).
  const std::uint64_t huge = std::uint64_t{10} << 30;
  EXPECT_EQ(Open(File("{}", "", huge)).code(), StatusCode::kDataLoss);
  std::filesystem::resize_file(path_, huge + 100);
  rusage before{}, after{};
  ::getrusage(RUSAGE_SELF, &before);
  const Status status = SafetensorsFile::Open(path_).status();
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 << 10);  // kilobytes
}

TEST_F(HostileSafetensors, OverlapsGapsAndBytesBeyondTheEndAreRefused) {
  const std::string data(16, 'x');
  ExpectRefused(File("{" + Tensor("a", "[2]", 0, 8) + "," + Tensor("b", "[3]", 4, 16) + "}", data),
                "a gap or an overlap");
  ExpectRefused(File("{" + Tensor("a", "[4]", 0, 16) + "," + Tensor("b", "[4]", 0, 16) + "}", data),
                "a gap or an overlap");
  ExpectRefused(File("{" + Tensor("a", "[1]", 0, 4) + "," + Tensor("b", "[2]", 8, 16) + "}", data),
                "a gap or an overlap");
  ExpectRefused(File("{" + Tensor("a", "[3]", 4, 16) + "}", data), "a gap or an overlap");
  ExpectRefused(File("{" + Tensor("a", "[3]", 0, 12) + "}", data), "the tensors end at byte 12");
  ExpectRefused(File("{}", data), "the tensors end at byte 0");
  ExpectRefused(File("{" + Tensor("a", "[5]", 0, 20) + "}", data), "announces bytes 0 to 20, the file has 16");
  ExpectRefused(File("{" + Tensor("a", "[5]", 20, 0) + "}", data), "announces bytes 20 to 0");
  ExpectRefused(File("{" + Tensor("a", "[5]", 0, ~std::uint64_t{0}) + "}", data), "announces bytes");
  ExpectRefused(File("{" + Tensor("a", "[4]", ~std::uint64_t{3}, 16) + "}", data), "announces bytes");
}

TEST_F(HostileSafetensors, ShapesThatDoNotFitTheirBytesOrOverflowAreRefused) {
  const std::string data(16, 'x');
  ExpectRefused(File("{" + Tensor("a", "[5]", 0, 16) + "}", data), "has 16 bytes, its shape needs 20");
  ExpectRefused(File("{" + Tensor("a", "[4]", 0, 16, "F64") + "}", data), "its shape needs 32");
  ExpectRefused(File("{" + Tensor("a", "[4294967296,4294967296]", 0, 16) + "}", data), "too large");
  ExpectRefused(File("{" + Tensor("a", "[4611686018427387905,4]", 0, 16) + "}", data),
                "a dimension of 4611686018427387905");
  ExpectRefused(File("{" + Tensor("a", "[281474976710656,281474976710656,0]", 0, 0) + "}"), "too large");
  ExpectRefused(File("{" + Tensor("a", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,4]", 0, 16) + "}", data),
                "more than 16 dimensions");
  ExpectRefused(File("{" + Tensor("a", "[-4]", 0, 16) + "}", data), "negative number");
  ExpectRefused(File("{" + Tensor("a", "[4.0]", 0, 16) + "}", data), "not whole");
  ExpectRefused(File("{" + Tensor("a", "[4e0]", 0, 16) + "}", data), "not whole");
  ExpectRefused(File("{" + Tensor("a", "[18446744073709551616]", 0, 16) + "}", data), "not whole");
}

TEST_F(HostileSafetensors, HeadersOfAnotherFormAreRefused) {
  for (const std::string header :
       {"",
        " ",
        "null",
        "1",
        "\"text\"",
        "[]",
        "[{}]",
        "{",
        "}",
        "{}{}",
        "{} x",
        "{\"a\":1}",
        "{\"a\":null}",
        "{\"a\":[]}",
        "{\"a\":{}}",
        "{\"a\":\"F32\"}",
        "{\"a\":{\"dtype\":\"F32\"}}",
        "{\"a\":{\"dtype\":true}}",
        "{\"a\":{\"dtype\":{}}}",
        "{\"a\":{\"dtype\":[\"F32\"]}}",
        "{\"a\":{\"shape\":4}}",
        "{\"a\":{\"shape\":{}}}",
        "{\"a\":{\"shape\":[[4]]}}",
        "{\"a\":{\"shape\":[\"4\"]}}",
        "{\"a\":{\"data_offsets\":0}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0,0]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0],\"code\":1}}",
        "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"shape\":[0],\"data_offsets\":[0,0]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0],\"data_offsets\":[0,0]}}",
        "{\"__metadata__\":1}",
        "{\"__metadata__\":[]}",
        "{\"__metadata__\":{\"k\":1}}",
        "{\"__metadata__\":{\"k\":{}}}",
        "{\"__metadata__\":{\"k\":null}}",
        "{\"__metadata__\":{\"k\":\"v\",\"k\":\"w\"}}",
        "{\"__metadata__\":{},\"__metadata__\":{}}",
        "{\"a\":{\"dtype\":\"F3",
        "\xff\xfe{}",
        "{\"\xff\":{}}"})
    EXPECT_EQ(Open(File(header)).code(), StatusCode::kDataLoss) << header;
  ExpectRefused(File("{" + Tensor("a", "[0]", 0, 0) + "," + Tensor("a", "[0]", 0, 0) + "}"), "'a' is there twice");
  ExpectRefused(File("{" + Tensor("a", "[4]", 0, 16, "PICKLE") + "}", std::string(16, 'x')), "has the type 'PICKLE'");
  ExpectRefused(File("{" + Tensor("", "[4]", 0, 16) + "}", std::string(16, 'x')), "no name");
}

TEST_F(HostileSafetensors, NamesCannotDriveTheReadersTerminalOrFillIt) {
  const Status escape = Open(File("{" + Tensor("\\u001b[2J", "[0]", 0, 0) + "}"));
  EXPECT_EQ(escape.code(), StatusCode::kDataLoss);
  EXPECT_THAT(escape.message(), Not(HasSubstr("\x1b")));
  const Status type = Open(File("{" + Tensor("a", "[0]", 0, 0, "\\u001b[2J\\n") + "}"));
  EXPECT_EQ(type.code(), StatusCode::kDataLoss);
  EXPECT_THAT(type.message(), Not(HasSubstr("\x1b")));
  const Status endless = Open(File("{" + Tensor(std::string(1 << 20, 'n'), "[0]", 0, 0) + "}"));
  EXPECT_EQ(endless.code(), StatusCode::kDataLoss);
  EXPECT_LT(endless.message().size(), 400u);
}

TEST_F(HostileSafetensors, DeepAndWideJsonCostsNeitherStackNorTime) {
  const std::size_t size = 15 << 20;  // just below the limit of a header
  const std::string wide_unit = Tensor("x", "[0]", 0, 0) + ",";
  for (const std::string start : {"[", "{\"a\":", "{\"a\":{\"shape\":[", "{\"__metadata__\":{\"k\":["})
    for (const std::string unit : {"[", "{\"a\":"}) {
      std::string deep = start;
      deep.reserve(size + 8);
      while (deep.size() < size) deep += unit;
      EXPECT_EQ(Open(File(deep)).code(), StatusCode::kDataLoss);
    }
  // 200,000 tensors with names of their own are a legal file: an index that searched linearly would take hours.
  std::string many = "{";
  for (int i = 0; i < 200'000; ++i) many += (i ? "," : "") + Tensor(Concat("t", i), "[0]", 0, 0);
  EXPECT_TRUE(Open(File(many + "}")).ok());
}

TEST_F(HostileSafetensors, RandomBytesAndRandomMutationsNeverGetThroughUnchecked) {
  const std::string good = Good();
  Rng rng(20261121);
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = good;
    const std::uint64_t edits = 1 + rng.Below(3);
    for (std::uint64_t edit = 0; edit < edits; ++edit)
      bytes[rng.Below(bytes.size())] = static_cast<char>(rng.Below(256));
    const Status status = Open(bytes);
    if (!status.ok()) {
      EXPECT_EQ(status.code(), StatusCode::kDataLoss) << "iteration " << i << ": " << status;
      continue;
    }
    // Only names, metadata, data, or a type of equal size can have changed: what it says still fits the file.
    ++accepted;
    const SafetensorsFile file = SafetensorsFile::Open(path_).value();
    std::uint64_t total = 0;
    for (std::size_t t = 0; t < file.schema().tensors().size(); ++t) {
      Bytes out(file.schema().tensors()[t].bytes());
      EXPECT_TRUE(file.Read(t, 0, out).ok());
      total += out.size();
    }
    EXPECT_EQ(total, 20u);
  }
  std::printf("seed 20261121: %d of 20000 mutations were harmless\n", accepted);
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Bytes noise(seed);
    SeededEntropy(seed).Fill(noise);
    EXPECT_EQ(Open(std::string(AsText(noise))).code(), StatusCode::kDataLoss) << "seed " << seed;
  }
}

TEST_F(HostileSafetensors, APipeIsRefusedInsteadOfWaitedFor) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(SafetensorsFile::Open(path_).code(), StatusCode::kDataLoss);
}

TEST_F(HostileSafetensors, AFileThatShrinksAfterItWasOpenedIsNoticed) {
  ASSERT_TRUE(Open(Good()).ok());
  const SafetensorsFile file = SafetensorsFile::Open(path_).value();
  std::filesystem::resize_file(path_, Good().size() - 10);
  Bytes out(16);
  EXPECT_EQ(file.Read(0, 0, out).code(), StatusCode::kDataLoss);
}

}  // namespace
}  // namespace consilium::tensor
