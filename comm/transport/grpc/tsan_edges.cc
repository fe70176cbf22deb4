// Built under the thread sanitizer alone: what gRPC guarantees about order, said to the sanitizer.
//
// gRPC is not instrumented, so the sanitizer sees neither its atomics nor its locks, and takes everything that one
// thread hands to another through gRPC for a race.  The functions below stand in front of gRPC's own (the program's
// definition of a symbol comes before a library's), add the guarantee that the function's contract gives, and call it:
//
//   - what came before an operation was started is seen by whoever takes that operation's completion from a queue;
//   - what came before a server was started is seen by its callbacks, and they by whoever destroys a server;
//   - what came before OnDone, OnCancel or an alarm's callback was scheduled is seen by that callback;
//   - the mutex that grpcpp's headers keep in each reactor is one.  Not exported (tsan_edges.map): gRPC's own locks go
//   by.
//
// Each guarantee is bound to one operation or object.  gRPC's locks and queues as a whole are left invisible on
// purpose: they would order nearly everything that two of our threads do around a call, and so hide the races between
// them. Nothing in the product knows of this file.
#include <dlfcn.h>
#include <grpc/grpc.h>
#include <grpcpp/alarm.h>
#include <grpcpp/impl/codegen/sync.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/server_callback.h>
#include <sanitizer/tsan_interface.h>

#include <string>

#include "comm/base/status.h"

namespace {

// The definition that this file's one stands in front of.
template <typename Function>
Function* Real(const char* symbol) {
  void* const found = dlsym(RTLD_NEXT, symbol);
  CONSILIUM_CHECK(found != nullptr, "gRPC has no ", symbol, " any more: mend ", __FILE__);
  return reinterpret_cast<Function*>(found);
}

// Their addresses alone are used.
char servers_started, calls_ended;

}  // namespace

extern "C" {

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t count, void* tag, void* reserved) {
  static auto* const real = Real<decltype(grpc_call_start_batch)>("grpc_call_start_batch");
  __tsan_release(tag);
  return real(call, ops, count, tag, reserved);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline, void* reserved) {
  static auto* const real = Real<decltype(grpc_completion_queue_next)>("grpc_completion_queue_next");
  const grpc_event event = real(queue, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) {
    __tsan_acquire(event.tag);
    __tsan_acquire(&servers_started);
  }
  return event;
}

void grpc_server_start(grpc_server* server) {
  static auto* const real = Real<decltype(grpc_server_start)>("grpc_server_start");
  __tsan_release(&servers_started);
  real(server);
}

// Its calls have ended.
void grpc_server_destroy(grpc_server* server) {
  static auto* const real = Real<decltype(grpc_server_destroy)>("grpc_server_destroy");
  __tsan_acquire(&calls_ended);
  real(server);
}

}  // extern "C"

namespace absl {
namespace {

// Distributions put their Abseil into an inline namespace: "_ZN4absl" "7debian3" "5Mutex4LockEv".
std::string Mangled(const char* member) {
#if ABSL_OPTION_USE_INLINE_NAMESPACE
#define CONSILIUM_TEXT_OF(name) #name
#define CONSILIUM_TEXT(name) CONSILIUM_TEXT_OF(name)
  const std::string version = CONSILIUM_TEXT(ABSL_OPTION_INLINE_NAMESPACE_NAME);
  return "_ZN4absl" + std::to_string(version.size()) + version + "5Mutex" + member;
#else
  return std::string("_ZN4absl5Mutex") + member;
#endif
}

}  // namespace

void Mutex::Lock() {
  static auto* const real = Real<void(Mutex*)>(Mangled("4LockEv").c_str());
  real(this);
  __tsan_acquire(this);
}

void Mutex::Unlock() {
  static auto* const real = Real<void(Mutex*)>(Mangled("6UnlockEv").c_str());
  __tsan_release(this);
  real(this);
}

}  // namespace absl

namespace grpc {

void Alarm::SetInternal(gpr_timespec deadline, std::function<void(bool)> callback) {
  static auto* const real = Real<void(Alarm*, gpr_timespec, std::function<void(bool)>)>(
      "_ZN4grpc5Alarm11SetInternalE12gpr_timespecSt8functionIFvbEE");
  auto* const handed = new std::function<void(bool)>(std::move(callback));
  __tsan_release(handed);
  real(this, deadline, [handed](bool fired) {
    __tsan_acquire(handed);
    (*handed)(fired);
    delete handed;
  });
}

namespace internal {

// The real ones make no use of the object or the reactor but to call it from a thread of gRPC's executor, so a stand-in
// can be given to them.  The counters are read because gRPC's own code counts down too, unseen.

void ServerCallbackCall::ScheduleOnDone(bool inline_ondone) {
  struct Handed final : ServerCallbackCall {
    explicit Handed(ServerCallbackCall* call) : call(call) {}
    ServerReactor* reactor() override { return call->reactor(); }
    void CallOnDone() override {
      __tsan_acquire(this);
      __tsan_release(&calls_ended);  // and again, because the server may be gone when OnDone returns
      call->CallOnDone();
      __tsan_release(&calls_ended);
      delete this;
    }
    ServerCallbackCall* const call;
  };
  static auto* const real =
      Real<void(ServerCallbackCall*, bool)>("_ZN4grpc8internal18ServerCallbackCall14ScheduleOnDoneEb");
  (void)callbacks_outstanding_.load(std::memory_order_acquire);
  __tsan_acquire(this);  // of CallOnCancel
  if (inline_ondone) {
    __tsan_release(&calls_ended);
    return CallOnDone();
  }
  auto* const handed = new Handed(this);
  __tsan_release(handed);
  real(handed, false);
}

void ServerCallbackCall::CallOnCancel(ServerReactor* reactor) {
  struct Handed final : ServerReactor {
    Handed(ServerCallbackCall* call, ServerReactor* reactor) : call(call), reactor(reactor) {}
    void OnDone() override {}
    void OnCancel() override {
      __tsan_acquire(this);
      reactor->OnCancel();
      __tsan_release(call);  // gRPC counts down now, and may schedule OnDone
      delete this;
    }
    ServerCallbackCall* const call;
    ServerReactor* const reactor;
  };
  static auto* const real = Real<void(ServerCallbackCall*, ServerReactor*)>(
      "_ZN4grpc8internal18ServerCallbackCall12CallOnCancelEPNS0_13ServerReactorE");
  (void)on_cancel_conditions_remaining_.load(std::memory_order_acquire);
  if (reactor->InternalInlineable()) return reactor->OnCancel();
  auto* const handed = new Handed(this, reactor);
  __tsan_release(handed);
  real(this, handed);
}

void ClientReactor::InternalScheduleOnDone(Status status) {
  struct Handed final : ClientReactor {
    explicit Handed(ClientReactor* reactor) : reactor(reactor) {}
    void OnDone(const Status& status) override {
      __tsan_acquire(this);
      reactor->OnDone(status);
      delete this;
    }
    ClientReactor* const reactor;
  };
  static auto* const real =
      Real<void(ClientReactor*, Status)>("_ZN4grpc8internal13ClientReactor22InternalScheduleOnDoneENS_6StatusE");
  auto* const handed = new Handed(this);
  __tsan_release(handed);
  real(handed, std::move(status));
}

}  // namespace internal
}  // namespace grpc
