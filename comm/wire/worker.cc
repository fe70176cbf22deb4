#include "comm/wire/worker.h"

#include "comm/wire/codec.h"

namespace consilium::wire {

template <typename Io>
void Fields(Io& io, WorkerHello& hello) {
  io(hello.protocol), io(hello.build);
}
template <typename Io>
void Fields(Io& io, WorkerProgress& progress) {
  Fields(io, progress.task), io(progress.progress), io(progress.metrics);
}
template <typename Io>
void Fields(Io& io, WorkerDone& done) {
  Fields(io, done.task), io(done.weight), io(done.metrics);
}
template <typename Io>
void Fields(Io& io, WorkerFailed& failed) {
  Fields(io, failed.task), io(failed.code), io(failed.message);
}
template <typename Io>
void Fields(Io& io, WorkerTask& task) {
  Fields(io, task.task), io(task.job_json), io(task.data_dir), io(task.model_path), io(task.update_path),
      io(task.state_in), io(task.state_out), io(task.output_dir), io(task.auxiliary_path), io(task.site);
}
template <typename Io>
void Fields(Io&, WorkerCancel&) {}

Bytes Encode(const WorkerMessage& message) { return EncodeVariant(message); }
Bytes Encode(const WorkerRequest& request) { return EncodeVariant(request); }
StatusOr<WorkerMessage> DecodeWorkerMessage(ByteSpan bytes) { return DecodeVariantMessage<WorkerMessage>(bytes); }
StatusOr<WorkerRequest> DecodeWorkerRequest(ByteSpan bytes) { return DecodeVariantMessage<WorkerRequest>(bytes); }

}  // namespace consilium::wire
