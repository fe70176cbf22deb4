#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "comm/collective/rendezvous.h"
#include "trainer/loop/environment.h"
#include "trainer/worker/gang_runner.h"
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

struct WorkerArguments {
  std::string socket;
  std::int64_t fd = -1;
  bool gang = false;
  std::int64_t cases_min = RunnerOptions().statistics_cases_min;
  std::string ledgers;
};

RunnerOptions RunnerOptionsOf(const WorkerArguments& arguments) {
  return {.statistics_cases_min = static_cast<std::uint32_t>(arguments.cases_min), .ledgers = arguments.ledgers};
}

Status ServeClient(const WorkerArguments& arguments, TaskRunner& runner) {
  ASSIGN_OR_RETURN(const int descriptor,
                   arguments.socket.empty() ? TakeInherited(arguments.fd) : ConnectTo(arguments.socket));
  SessionOptions options;
  options.build = BuildName();
  const Status status = Serve(descriptor, runner, options);
  ::close(descriptor);
  return status;
}

// One rank of a site that is a cluster.  Rank 0 greets the client when all ranks have come.
Status ServeInGang(const WorkerArguments& arguments) {
  collective::ConnectOptions options;
  options.build = BuildName();
  // Ranks wait for each other's largest case of an evaluation, and for models to be read and written by rank 0.
  options.step_timeout = std::chrono::minutes(5);
  ASSIGN_OR_RETURN(const std::unique_ptr<collective::Communicator> gang, collective::Connect(options));
  const std::unique_ptr<TaskRunner> runner = MakeTrainingRunner(gang.get(), RunnerOptionsOf(arguments));
  if (gang->rank() != 0) return FollowTasks(*gang, *runner);
  GangRunner all(*gang, *runner);
  return ServeClient(arguments, all);
}

}  // namespace

int WorkerVerb(const Arguments& arguments) {
  Command command("consilium-trainer worker",
                  "Trains and evaluates for a site client, which starts it; ends when the client does.",
                  "consilium-trainer worker --socket /run/consilium/trainer.sock");
  WorkerArguments options;
  command.Option("--socket", &options.socket, "Unix-domain socket that the client listens on");
  command.Option("--fd", &options.fd, "connected socket that the client handed down");
  command.Flag("--gang", &options.gang, "one rank of several that mpirun, torchrun or srun started together");
  command.Option("--ledgers", &options.ledgers, "folder of the privacy ledgers, for jobs with privacy.records");
  command.Option("--cases-min", &options.cases_min, "fewest cases that statistics of the data set may speak of");
  return command.Run(arguments, [&]() -> Status {
    if (options.cases_min < 1 || options.cases_min > 1'000'000)
      return InvalidArgument("--cases-min is ", options.cases_min, "; expected at least 1");
    if (options.socket.empty() == (options.fd < 0)) return InvalidArgument("give one of --socket PATH and --fd NUMBER");
    // A trainer whose client is gone would compute for nobody.  The closed socket ends it between two steps, this at
    // once; a rank's parent is its launcher, which dies with the client.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (options.gang) return ServeInGang(options);
    const std::unique_ptr<TaskRunner> runner = MakeTrainingRunner(nullptr, RunnerOptionsOf(options));
    return ServeClient(options, *runner);
  });
}

}  // namespace consilium::trainer
