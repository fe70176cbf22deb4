// A trainer that trains nothing: speaks the worker protocol, and makes updates that depend on the model, the site, the
// round and the optimizer state it was given, so that a federation of real processes runs in seconds and every mistake
// shows in the final weights.
//
// Reads DATA/stub.json: {"site": "a", "delay_ms": 200, "fail_rounds": {"1": "message"}, "die_rounds": [2],
// "idle": true, "hold": ["train-0"], "loud": 4}.  An idle one hands the model back as it is; a loud one moves every
// value by so much, where differences are wanted.  A round in
// fail_rounds is refused with the message, one in die_rounds ends the process by a signal; only attempt 0 of each.
// A task in hold goes on when DATA/go-train-0 is there: so a test can act while the task certainly runs.
// While there is a file DATA/disk-full, training fails for want of space.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "comm/base/json.h"
#include "comm/base/rng.h"
#include "comm/tensor/safetensors.h"
#include "comm/wire/frame.h"
#include "comm/wire/job.h"
#include "comm/wire/worker.h"

namespace consilium::testing {
namespace {

struct Behaviour {
  std::string site;
  int delay_ms = 0;
  std::map<std::string, std::string> fail_rounds;
  std::vector<std::uint32_t> die_rounds;
  bool idle = false;
  std::vector<std::string> hold;
  float loud = 0;
};

StatusOr<Behaviour> ReadBehaviour(const std::string& data_dir) {
  ASSIGN_OR_RETURN(const Json json, ReadJson(std::filesystem::path(data_dir) / "stub.json"));
  return Behaviour{json.value("site", ""),
                   json.value("delay_ms", 0),
                   json.value("fail_rounds", std::map<std::string, std::string>{}),
                   json.value("die_rounds", std::vector<std::uint32_t>{}),
                   json.value("idle", false),
                   json.value("hold", std::vector<std::string>{}),
                   json.value("loud", 0.0f)};
}

// Does the job want differences from the model and not weights?  A job that cannot be read wants nothing special.
bool WantsDeltas(const wire::WorkerTask& task) {
  const StatusOr<ConfigNode> node = ConfigNode::Parse(task.job_json, "the job");
  const StatusOr<wire::JobSpec> job = node.ok() ? wire::ParseJob(*node) : StatusOr<wire::JobSpec>(node.status());
  return job.ok() && wire::UpdateKindOf(job->federation) == wire::UpdateKind::kDelta;
}

Status Train(const wire::WorkerTask& task, const Behaviour& behaviour) {
  const bool deltas = WantsDeltas(task);
  if (behaviour.idle && !deltas) {
    std::error_code error;
    std::filesystem::copy_file(task.model_path, task.update_path, std::filesystem::copy_options::overwrite_existing,
                               error);
    if (error) return ErrnoStatus(error.value(), "copying " + task.model_path);
    return WriteFileAtomic(task.state_out, std::string_view("idle"));
  }
  ASSIGN_OR_RETURN(tensor::ParameterVector model, tensor::ReadParameters(task.model_path));
  std::string state;
  if (!task.state_in.empty()) {
    ASSIGN_OR_RETURN(state, ReadFile(task.state_in));
  }
  const Digest next = Sha256Of(Concat(state, "/", behaviour.site, "/", task.task.round));
  std::uint64_t seed = 0;
  std::memcpy(&seed, next.bytes.data(), sizeof seed);
  Rng rng(seed);
  for (float& value : model.values()) {
    float step = behaviour.idle ? 0 : static_cast<float>(0.1 * rng.Normal());
    if (deltas && behaviour.loud != 0) step = behaviour.loud;
    value = deltas ? step : value + step;
  }
  tensor::Metadata metadata;
  if (deltas) metadata = {{"consilium.update", "delta"}, {"consilium.compression", "none"}};
  RETURN_IF_ERROR(tensor::WriteParameters(task.update_path, model, metadata));
  return WriteFileAtomic(task.state_out, next.ToHex());
}

// Waits for the test to let a task in `hold` go on; true when the task was cancelled or the client went away.
bool Hold(int socket, const wire::WorkerTask& task, const Behaviour& behaviour) {
  const std::string name = Concat(wire::TaskKindName(task.task.kind), "-", task.task.round);
  if (std::find(behaviour.hold.begin(), behaviour.hold.end(), name) == behaviour.hold.end()) return false;
  while (!std::filesystem::exists(std::filesystem::path(task.data_dir) / ("go-" + name))) {
    pollfd wait{socket, POLLIN, 0};
    if (::poll(&wait, 1, 10) > 0) return true;
  }
  return false;
}

// Waits in steps, telling the progress; true when the task was cancelled or the client went away.
bool Delay(int socket, const wire::WorkerTask& task, int delay_ms) {
  constexpr int kSteps = 5;
  for (int step = 0; step < kSteps; ++step) {
    const wire::WorkerMessage progress =
        wire::WorkerProgress{task.task, double(step) / kSteps, {{"loss", 1.0 / (1 + step)}}};
    if (!wire::WriteFrame(socket, wire::Encode(progress)).ok()) return true;
    pollfd wait{socket, POLLIN, 0};
    if (::poll(&wait, 1, delay_ms / kSteps) > 0) return true;
  }
  return false;
}

wire::WorkerMessage Serve(int socket, const wire::WorkerTask& task) {
  const StatusOr<Behaviour> behaviour = ReadBehaviour(task.data_dir);
  if (!behaviour.ok()) return wire::WorkerFailed{task.task, behaviour.code(), behaviour.status().message()};
  const std::uint32_t round = ToInt(task.task.round);
  const bool first = task.task.attempt == Attempt{} && task.task.kind == wire::TaskKind::kTrain;
  if (const auto fail = behaviour->fail_rounds.find(std::to_string(round));
      first && fail != behaviour->fail_rounds.end())
    return wire::WorkerFailed{task.task, StatusCode::kInvalidArgument, fail->second};
  for (const std::uint32_t die : behaviour->die_rounds) {
    if (!first || die != round) continue;
    std::cerr << "stub trainer: dying in round " << round << " as it was told to" << std::endl;
    ::raise(SIGABRT);
  }
  if (Hold(socket, task, *behaviour) || (!behaviour->idle && Delay(socket, task, behaviour->delay_ms)))
    return wire::WorkerFailed{task.task, StatusCode::kCancelled, "stopped on request"};
  if (task.task.kind == wire::TaskKind::kEvaluate) {
    const StatusOr<tensor::ParameterVector> model = tensor::ReadParameters(task.model_path);
    if (!model.ok()) return wire::WorkerFailed{task.task, model.code(), model.status().message()};
    return wire::WorkerDone{task.task, 1, {{"dice", model->values()[0]}, {"cases", 2}}};
  }
  if (std::filesystem::exists(std::filesystem::path(task.data_dir) / "disk-full"))
    return wire::WorkerFailed{task.task, StatusCode::kStorage, "writing the update: No space left on device"};
  if (const Status status = Train(task, *behaviour); !status.ok())
    return wire::WorkerFailed{task.task, status.code(), status.message()};
  return wire::WorkerDone{
      task.task, 10.0 + behaviour->site.back() % 7, {{"loss", 0.5}, {"dice", 0.7}, {"seconds", 0.1}}};
}

int Main(int argc, char** argv) {
  if (argc < 4 || std::strcmp(argv[1], "worker") != 0 || std::strcmp(argv[2], "--socket") != 0) return 2;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[3]);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return 1;
  const wire::WorkerMessage hello = wire::WorkerHello{.build = "stub"};
  if (!wire::WriteFrame(socket, wire::Encode(hello)).ok()) return 1;
  for (;;) {
    const StatusOr<std::optional<Bytes>> frame = wire::ReadFrame(socket, wire::kMessageBytesMax);
    if (!frame.ok() || !frame->has_value()) return 0;
    const StatusOr<wire::WorkerRequest> request = wire::DecodeWorkerRequest(**frame);
    if (!request.ok()) return 1;
    const auto* task = std::get_if<wire::WorkerTask>(&*request);
    if (task == nullptr) continue;  // the cancellation that Delay saw
    if (!wire::WriteFrame(socket, wire::Encode(Serve(socket, *task))).ok()) return 0;
  }
}

}  // namespace
}  // namespace consilium::testing

int main(int argc, char** argv) { return consilium::testing::Main(argc, argv); }
