#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <torch/version.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "trainer/worker/training_runner.h"
#include "trainer/worker/worker.h"
#include "trainer/worker/worker_session.h"

namespace consilium::trainer {
namespace {

StatusOr<int> ConnectTo(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return InvalidArgument("--socket ", path, ": at most ", sizeof address.sun_path - 1, " bytes fit a socket's path");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return ErrnoStatus(errno, "making a socket");
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const Status status = ErrnoStatus(errno, "connecting to " + path);
    ::close(descriptor);
    return status;
  }
  return descriptor;
}

// A descriptor that we were started with; it must be a socket, or the first write would go who knows where.
StatusOr<int> TakeInherited(std::int64_t number) {
  int type = 0;
  socklen_t size = sizeof type;
  const int descriptor = static_cast<int>(number);
  if (::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM)
    return InvalidArgument("--fd ", number, " is not a stream socket that this process was started with");
  return descriptor;
}

}  // namespace

int WorkerVerb(const Arguments& arguments) {
  Command command("consilium-trainer worker",
                  "Trains and evaluates for a site client, which starts it; ends when the client does.",
                  "consilium-trainer worker --socket /run/consilium/trainer.sock");
  std::string path;
  std::int64_t number = -1;
  command.Option("--socket", &path, "Unix-domain socket that the client listens on");
  command.Option("--fd", &number, "connected socket that the client handed down");
  return command.Run(arguments, [&]() -> Status {
    if (path.empty() == (number < 0)) return InvalidArgument("give one of --socket PATH and --fd NUMBER");
    // A trainer whose client is gone would compute for nobody.  The closed socket ends it between two steps, this at
    // once.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ASSIGN_OR_RETURN(const int descriptor, path.empty() ? TakeInherited(number) : ConnectTo(path));
    const std::unique_ptr<TaskRunner> runner = MakeTrainingRunner();
    SessionOptions options;
    options.build = Concat(kVersion, ", LibTorch ", TORCH_VERSION);
    const Status status = Serve(descriptor, *runner, options);
    ::close(descriptor);
    return status;
  });
}

}  // namespace consilium::trainer
