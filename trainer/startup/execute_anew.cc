#include "trainer/startup/execute_anew.h"

#include <sys/stat.h>
#include <unistd.h>

#include <climits>

namespace consilium::trainer {
namespace {

constexpr char kSelf[] = "/proc/self/exe";

// A program that was replaced while it started (an upgrade) must not become the new one half-way.
bool IsThisProgram(const char* path) {
  struct stat ours {
  }, there{};
  return ::stat(kSelf, &ours) == 0 && ::stat(path, &there) == 0 && ours.st_dev == there.st_dev &&
         ours.st_ino == there.st_ino;
}

}  // namespace

void ExecuteThisProgram(char** argv, char** environment) {
  char path[PATH_MAX + 1];
  const ssize_t size = ::readlink(kSelf, path, PATH_MAX);
  if (size > 0) {
    path[size] = '\0';
    if (IsThisProgram(path)) ::execve(path, argv, environment);
  }
  ::execve(kSelf, argv, environment);
}

}  // namespace consilium::trainer
