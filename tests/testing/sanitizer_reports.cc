// Linked into every test of a sanitizer build: a test fails when a sanitizer reported something while it ran, in the
// test's own process or in any that it started, however those ended.
//
// Every process inherits where reports go (the log_path of TSAN_OPTIONS, ASAN_OPTIONS and UBSAN_OPTIONS, set by
// consilium_test in deploy/cmake), one file for each; CONSILIUM_SANITIZER_REPORTS names the same place.
#include <gtest/gtest.h>
#include <sanitizer/common_interface_defs.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <string>

namespace consilium::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kShownBytesMax = 20000;

// The files of reports and their sizes: those whose path begins with the named one.
std::map<fs::path, std::uintmax_t> ReportFiles() {
  std::map<fs::path, std::uintmax_t> files;
  const char* const prefix = std::getenv("CONSILIUM_SANITIZER_REPORTS");
  if (prefix == nullptr) return files;
  std::error_code error;
  for (fs::directory_iterator entry(fs::path(prefix).parent_path(), error), end; !error && entry != end;
       entry.increment(error))
    if (entry->path().string().starts_with(std::string(prefix) + ".")) files[entry->path()] = entry->file_size(error);
  return files;
}

std::string Read(const fs::path& path, std::uintmax_t from) {
  std::ifstream in(path);
  in.seekg(static_cast<std::streamoff>(from));
  std::string text((std::istreambuf_iterator<char>(in)), {});
  if (text.size() > kShownBytesMax) text.resize(kShownBytesMax), text += "\n... the rest is in " + path.string();
  return text;
}

// A report that ends this process would otherwise be seen in the file alone.
void ShowOwnReports() {
  for (const auto& [path, size] : ReportFiles())
    if (path.string().ends_with("." + std::to_string(::getpid()))) std::cerr << Read(path, 0) << std::endl;
}

class ReportsFailTests final : public ::testing::EmptyTestEventListener {
 public:
  void OnTestProgramStart(const ::testing::UnitTest&) override {
    std::error_code ignored;
    for (const auto& [path, size] : ReportFiles()) fs::remove(path, ignored);  // of an earlier run
    __sanitizer_set_death_callback(ShowOwnReports);
  }
  void OnTestEnd(const ::testing::TestInfo&) override {
    for (const auto& [path, size] : ReportFiles()) {
      std::uintmax_t& shown = shown_[path];
      if (size > shown) ADD_FAILURE() << path.string() << ":\n" << Read(path, shown);
      shown = size;
    }
  }

 private:
  std::map<fs::path, std::uintmax_t> shown_;
};

[[maybe_unused]] const bool listening = [] {
  ::testing::UnitTest::GetInstance()->listeners().Append(new ReportsFailTests);  // which owns it
  return true;
}();

}  // namespace
}  // namespace consilium::testing
