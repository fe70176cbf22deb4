#include "comm/base/subprocess.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sstream>
#include <thread>
#include <utility>

namespace consilium {

namespace fs = std::filesystem;

std::string ExitResult::ToString() const {
  if (!signalled) return Concat("exit code ", exit_code);
  return Concat("killed by signal ", exit_code - 128, " (", ::strsignal(exit_code - 128), ")");
}

namespace {

// Everything that allocates happens before fork: between fork and exec only async-signal-safe calls are allowed.
struct Prepared {
  std::vector<char*> argv;
  std::vector<std::string> environment_lines;
  std::vector<char*> envp;
  std::vector<int> inherited;
  int output_descriptor = -1;
};

Prepared Prepare(const SubprocessOptions& options) {
  Prepared prepared;
  for (const std::string& argument : options.arguments) prepared.argv.push_back(const_cast<char*>(argument.c_str()));
  prepared.argv.push_back(nullptr);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string line = *entry;
    if (!options.environment.contains(line.substr(0, line.find('=')))) prepared.environment_lines.push_back(line);
  }
  for (const auto& [name, value] : options.environment) prepared.environment_lines.push_back(name + "=" + value);
  for (std::string& line : prepared.environment_lines) prepared.envp.push_back(line.data());
  prepared.envp.push_back(nullptr);
  prepared.inherited = options.inherited;
  return prepared;
}

[[noreturn]] void RunChild(const Prepared& prepared, int error_pipe, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(127);  // the parent died before prctl
  if (prepared.output_descriptor >= 0) {
    ::dup2(prepared.output_descriptor, STDOUT_FILENO);
    ::dup2(prepared.output_descriptor, STDERR_FILENO);
  }
  ::signal(SIGPIPE, SIG_DFL);  // ignored ones would be inherited; a program that is not ours may count on them
  ::signal(SIGXFSZ, SIG_DFL);
  for (const int descriptor : prepared.inherited) ::fcntl(descriptor, F_SETFD, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execvpe(prepared.argv[0], prepared.argv.data(), prepared.envp.data());
  const int error = errno;
  [[maybe_unused]] const ssize_t written = ::write(error_pipe, &error, sizeof error);
  ::_exit(127);
}

}  // namespace

StatusOr<Subprocess> Subprocess::Start(const SubprocessOptions& options) {
  CONSILIUM_CHECK(!options.arguments.empty(), "a subprocess needs a program");
  Prepared prepared = Prepare(options);
  if (!options.output.empty()) {
    prepared.output_descriptor = ::open(options.output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (prepared.output_descriptor < 0) return ErrnoStatus(errno, "opening " + options.output.string());
  }
  int error_pipe[2];
  if (::pipe2(error_pipe, O_CLOEXEC) != 0) return ErrnoStatus(errno, "making a pipe");
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) RunChild(prepared, error_pipe[1], parent);
  const int fork_error = errno;
  ::close(error_pipe[1]);
  if (prepared.output_descriptor >= 0) ::close(prepared.output_descriptor);
  int exec_error = 0;
  const ssize_t size =
      pid < 0 ? 0 : ::read(error_pipe[0], &exec_error, sizeof exec_error);  // closes on a successful exec
  ::close(error_pipe[0]);
  if (pid < 0) return ErrnoStatus(fork_error, "starting " + options.arguments[0]);
  if (size == sizeof exec_error) {
    ::waitpid(pid, nullptr, 0);
    return ErrnoStatus(exec_error, "starting " + options.arguments[0]);
  }
  return Subprocess(pid);
}

Subprocess::Subprocess(Subprocess&& other) noexcept : pid_(std::exchange(other.pid_, -1)), result_(other.result_) {}

Subprocess& Subprocess::operator=(Subprocess&& other) noexcept {
  if (this != &other) {
    Stop(std::chrono::seconds(2));
    pid_ = std::exchange(other.pid_, -1);
    result_ = other.result_;
  }
  return *this;
}

Subprocess::~Subprocess() { Stop(std::chrono::seconds(2)); }

std::optional<ExitResult> Subprocess::Poll() {
  if (result_ || pid_ < 0) return result_;
  int status = 0;
  const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
  if (ended == pid_) {
    result_ = WIFSIGNALED(status) ? ExitResult{128 + WTERMSIG(status), true} : ExitResult{WEXITSTATUS(status), false};
  } else if (ended < 0 && errno == ECHILD) {
    result_ = ExitResult{1, false};  // someone else reaped it
  }
  return result_;
}

StatusOr<ExitResult> Subprocess::Wait(Duration timeout) {
  const Instant deadline = SystemClock().Now() + timeout;
  for (;;) {
    if (const auto result = Poll()) return *result;
    if (SystemClock().Now() >= deadline)
      return DeadlineExceeded("process ", pid_, " still runs after ", FormatDuration(timeout));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void Subprocess::Signal(int signal_number) {
  if (pid_ > 0 && !Poll()) ::kill(-pid_, signal_number);
}

ExitResult Subprocess::Stop(Duration grace) {
  if (pid_ < 0) return {};
  Signal(SIGTERM);
  StatusOr<ExitResult> result = Wait(grace);
  if (!result.ok()) {
    Signal(SIGKILL);
    result = Wait(std::chrono::seconds(10));
  }
  return result.ok() ? *result : ExitResult{137, true};
}

StatusOr<fs::path> FindProgram(const std::string& name) {
  std::error_code error;
  const fs::path beside = fs::read_symlink("/proc/self/exe", error).parent_path() / name;
  if (!error && ::access(beside.c_str(), X_OK) == 0) return beside;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');)
    if (const fs::path candidate = fs::path(folder) / name; ::access(candidate.c_str(), X_OK) == 0) return candidate;
  return NotFound("the program '", name, "' is neither beside this one (", beside.parent_path().string(),
                  ") nor on PATH; build it with: cmake --build build/release --target ", name);
}

}  // namespace consilium
