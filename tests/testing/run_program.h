// Runs one of the real programs to its end and returns what it said.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "comm/base/file.h"
#include "comm/base/subprocess.h"
#include "tests/testing/slowness.h"

namespace consilium::testing {

struct ProgramResult {
  int exit_code = -1;
  std::string output;  // stdout and stderr, as they came
};

// `arguments[0]` is a program of the build's bin folder.  A program that runs longer than `timeout` is killed; its exit
// code is then 128 + 9.
inline ProgramResult RunProgram(std::vector<std::string> arguments, const std::filesystem::path& log,
                                const std::map<std::string, std::string>& environment = {},
                                Duration timeout = std::chrono::seconds(90)) {
  arguments[0] = (std::filesystem::path(CONSILIUM_BIN_DIR) / arguments[0]).string();
  StatusOr<Subprocess> child =
      Subprocess::Start({.arguments = std::move(arguments), .environment = environment, .output = log});
  if (!child.ok()) return {-1, child.status().ToString()};
  StatusOr<ExitResult> result = child->Wait(timeout * kSlowness);
  ProgramResult program;
  program.exit_code = result.ok() ? result->exit_code : child->Stop(Duration(0)).exit_code;
  const StatusOr<std::string> text = ReadFile(log);
  program.output = text.ok() ? *text : "";
  return program;
}

// A folder of the test's own, removed at the end.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "consilium-test-XXXXXX").string();
    CONSILIUM_CHECK(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace consilium::testing
