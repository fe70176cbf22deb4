// Preloaded into a program (LD_PRELOAD), it kills the process with SIGKILL at the n-th call of one function, before or
// after the call: the points at which a crash can part what is durable from what was said.
//
//   KILL_POINT=sync:7:before    the 7th fsync or fdatasync;  sendmsg:40:after
//   KILL_POINT_COUNTS=FILE      instead of killing: at the end of the process, "sync N\nsendmsg N\n"
//
// Children inherit the environment, so everything but a program named `consilium` is left alone.
#include <dlfcn.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

enum Call { kSync, kSendmsg };
constexpr const char* kNames[] = {"sync", "sendmsg"};

struct KillPoint {
  KillPoint() {
    if (std::strcmp(program_invocation_short_name, "consilium") != 0) return;
    const char* text = std::getenv("KILL_POINT");
    char name[16] = "", when[16] = "";
    if (text == nullptr || std::sscanf(text, "%15[a-z]:%ld:%15[a-z]", name, &at, when) != 3) return;
    call = std::strcmp(name, kNames[kSync]) == 0 ? kSync : kSendmsg;
    after = std::strcmp(when, "after") == 0;
    armed = true;
  }
  ~KillPoint() {
    const char* file = std::getenv("KILL_POINT_COUNTS");
    if (file == nullptr || std::strcmp(program_invocation_short_name, "consilium") != 0) return;
    if (std::FILE* out = std::fopen(file, "w")) {
      for (const Call each : {kSync, kSendmsg}) std::fprintf(out, "%s %ld\n", kNames[each], counts[each].load());
      std::fclose(out);
    }
  }
  bool armed = false, after = false;
  Call call = kSync;
  long at = 0;
  std::atomic<long> counts[2] = {};
};

KillPoint& Point() {
  static KillPoint point;
  return point;
}
// Made when the library is loaded and gone when the program has ended, also if no call comes.
[[maybe_unused]] const KillPoint& loaded = Point();

template <typename Function>
Function* RealOf(const char* symbol, Function*) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, symbol));
}

template <typename Function, typename... Arguments>
auto Intercept(Call call, Function* real, Arguments... arguments) {
  KillPoint& point = Point();
  const bool here = ++point.counts[call] == point.at && point.armed && point.call == call;
  if (here && !point.after) ::kill(::getpid(), SIGKILL);
  const auto result = real(arguments...);
  if (here) ::kill(::getpid(), SIGKILL);
  return result;
}

}  // namespace

extern "C" {

int fsync(int descriptor) {
  static auto* const real = RealOf("fsync", &fsync);
  return Intercept(kSync, real, descriptor);
}
int fdatasync(int descriptor) {
  static auto* const real = RealOf("fdatasync", &fdatasync);
  return Intercept(kSync, real, descriptor);
}
ssize_t sendmsg(int descriptor, const msghdr* message, int flags) {
  static auto* const real = RealOf("sendmsg", &sendmsg);
  return Intercept(kSendmsg, real, descriptor, message, flags);
}

}  // extern "C"
