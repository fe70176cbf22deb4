#include "comm/base/secret.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <ostream>
#include <sstream>
#include <type_traits>

#include "comm/base/secret_file.h"

namespace consilium {
namespace {

template <typename T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};

static_assert(!std::is_copy_constructible_v<SecretBytes> && !std::is_copy_assignable_v<SecretBytes>);
static_assert(!Printable<SecretBytes>, "a secret must not reach a log by accident");

TEST(SecretBytes, ComparesByContent) {
  const SecretBytes a(Bytes{1, 2, 3}), same(Bytes{1, 2, 3}), other(Bytes{1, 2, 4}), shorter(Bytes{1, 2});
  EXPECT_TRUE(a.EqualsConstantTime(same));
  EXPECT_FALSE(a.EqualsConstantTime(other));
  EXPECT_FALSE(a.EqualsConstantTime(shorter));
  EXPECT_TRUE(SecretBytes().EqualsConstantTime(SecretBytes()));
}

TEST(SecretBytes, MovingLeavesNothingBehind) {
  SecretBytes a(Bytes{1, 2, 3});
  const SecretBytes b = std::move(a);
  EXPECT_EQ(a.Reveal().size(), 0u);
  EXPECT_EQ(b.Reveal().size(), 3u);
  SecretBytes c(Bytes{9});
  c = SecretBytes(Bytes{4, 5});
  EXPECT_EQ(c.Reveal()[1], 5);
}

TEST(SecretBytes, CanBeFilledInPlace) {
  SecretBytes secret(4);
  secret.RevealMutable()[2] = 7;
  EXPECT_EQ(secret.Reveal()[2], 7);
}

// The kernel's flags of the mapping that this address lies in: "rd wr mr mw me dd ac".
std::string FlagsOf(const void* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0, end = 0;
    char dash = 0;
    if (std::istringstream range(line); range >> std::hex >> begin >> dash >> end && dash == '-')
      inside = begin <= wanted && wanted < end;
    if (inside && line.starts_with("VmFlags:")) return line;
  }
  return "";
}

TEST(SecretBytes, AreInPagesThatNoCoreDumpHolds) {
  const SecretBytes small(Bytes{1, 2, 3}), large(1 << 20);
  const Bytes plain(3);
  for (const void* address : {small.Reveal().data(), large.Reveal().data()})
    EXPECT_NE(FlagsOf(address).find(" dd"), std::string::npos) << FlagsOf(address);
  ASSERT_NE(FlagsOf(plain.data()), "");
  EXPECT_EQ(FlagsOf(plain.data()).find(" dd"), std::string::npos) << "the test could not fail";
}

TEST(SecretBytes, LeaveNothingBehindWhereTheyWere) {
  // The pool hands the same block out again: what was in it is gone.
  const std::uint8_t* where = nullptr;
  {
    const SecretBytes secret(Bytes(32, 0x5a));
    where = secret.Reveal().data();
  }
  auto* again = static_cast<std::uint8_t*>(AllocateSecret(32));
  ASSERT_EQ(again, where) << "the pool gives the block that was freed last";
  for (int i = 16; i < 32; ++i) EXPECT_EQ(again[i], 0) << i;  // the pool keeps its list in the first bytes
  FreeSecret(again, 32);
}

TEST(SecretFile, IsReadWholeOrNotAtAll) {
  const std::filesystem::path file = std::filesystem::path(::testing::TempDir()) / Concat("secret-", ::getpid());
  std::ofstream(file) << "key";
  EXPECT_EQ(AsText(ReadSecretFile(file).value().Reveal()), "key");
  EXPECT_EQ(ReadSecretFile(file, 2).code(), StatusCode::kResourceExhausted);
  std::filesystem::remove(file);
  EXPECT_FALSE(ReadSecretFile(file).ok());
  EXPECT_FALSE(ReadSecretFile(::testing::TempDir()).ok()) << "a folder";
}

// In a child, because it is for good: bit 0, dumpable; bit 1, a core's size is allowed.
int DumpsOfAChild(const char* setting) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit some{4096, 4096};
    if (::setrlimit(RLIMIT_CORE, &some) != 0) ::_exit(9);
    setting == nullptr ? ::unsetenv("CONSILIUM_CORE_DUMPS") : ::setenv("CONSILIUM_CORE_DUMPS", setting, 1);
    ForbidCoreDumps();
    rlimit now{};
    ::getrlimit(RLIMIT_CORE, &now);
    ::_exit((::prctl(PR_GET_DUMPABLE) == 1 ? 1 : 0) | (now.rlim_cur != 0 ? 2 : 0));
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WEXITSTATUS(status);
}

TEST(CoreDumps, AreForbiddenUnlessAPersonAllowsThem) {
  rlimit now{};
  ASSERT_EQ(::getrlimit(RLIMIT_CORE, &now), 0);
  if (now.rlim_max < 4096) GTEST_SKIP() << "core dumps are forbidden here already";
  EXPECT_EQ(DumpsOfAChild(nullptr), 0);
  EXPECT_EQ(DumpsOfAChild("0"), 0);
  EXPECT_EQ(DumpsOfAChild("1"), 3);
}

}  // namespace
}  // namespace consilium
