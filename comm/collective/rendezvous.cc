#include "comm/collective/rendezvous.h"

#include <ATen/Context.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <algorithm>
#include <sstream>
#include <thread>

#include "comm/base/log.h"
#include "comm/collective/exception_guard.h"
#include "comm/collective/group_communicator.h"
#include "comm/collective/meeting.h"
#include "comm/collective/mpi_exchange.h"
#include "comm/collective/network.h"

namespace consilium::collective {
namespace {

using StorePtr = c10::intrusive_ptr<c10d::Store>;

constexpr auto kStoreTimeoutMin = std::chrono::milliseconds(2000);  // c10d counts whole seconds
constexpr auto kAnnounceEvery = std::chrono::seconds(10);
constexpr auto kProbeMin = std::chrono::milliseconds(10), kProbeMax = std::chrono::milliseconds(500);

std::chrono::milliseconds Milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration);
}

StatusOr<Backend> ChooseBackend(const std::string& name) {
  if (name != "auto" && name != "gloo" && name != "nccl")
    return InvalidArgument("backend '", name, "': expected auto, gloo or nccl");
  const bool cuda = at::hasCUDA() && at::getNumGPUs() > 0;
  if (name == "nccl" && !cuda) return InvalidArgument("backend nccl needs CUDA, and this host shows none; use gloo");
  const Backend backend =
      name == "nccl" || (name == "auto" && cuda && HasBackend(Backend::kNccl)) ? Backend::kNccl : Backend::kGloo;
  if (!HasBackend(backend))
    return Unimplemented("this build has no ", BackendName(backend),
                         backend == Backend::kGloo ? "; build it with Gloo's headers (Debian: libgloo-dev)"
                                                   : "; build it with NCCL's header and a LibTorch for CUDA");
  return backend;
}

// LibTorch 2.x can serve its store through libuv and does so unless told otherwise, also where it was built without
// (Debian 13's 2.6).  A few requests a rank need no libuv.  A template, because 1.13 does not have the field.
template <typename Options>
void AvoidLibuv(Options* options) {
  if constexpr (requires { options->useLibUV; }) options->useLibUV = false;
}

enum class StoreRole { kServe, kConnect };

StatusOr<StorePtr> OpenStore(const std::string& host, int port, StoreRole role, Duration timeout) {
  const bool serve = role == StoreRole::kServe;
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(port);
  options.isServer = serve;
  options.waitWorkers = false;
  AvoidLibuv(&options);
  options.timeout = std::max(Milliseconds(timeout), kStoreTimeoutMin);
  try {
    return StorePtr(c10::make_intrusive<c10d::TCPStore>(host, options));
  } catch (...) {
    const Status status = StatusOfExceptionInFlight(serve ? "opening the store" : "reaching the store of rank 0");
    return Rendezvous(status.message(), "; address ", host, ":", port,
                      serve ? "; is the port taken by another job? Leave it to the system, or choose another"
                            : "; is rank 0 running, and can this host reach it?");
  }
}

// Rank 0 may start later than we do, and its name may not resolve yet (a pod's).  c10d's own connect waits a whole
// second between two tries.
Status AwaitServer(const std::string& host, int port, Duration timeout) {
  const auto begin = std::chrono::steady_clock::now();
  auto announce = begin + kAnnounceEvery;
  for (auto pause = kProbeMin; !CanConnect(host, port); pause = std::min(2 * pause, kProbeMax)) {
    const auto now = std::chrono::steady_clock::now();
    if (now - begin >= timeout)
      return Rendezvous("rank 0 does not answer at ", host, ":", port, " within ", FormatDuration(timeout),
                        "; is it running, and can ", HostName(), " reach it?");
    if (now >= announce) {
      Log(LogLevel::kInfo, "waiting", {{"for", "rank 0"}, {"at", Concat(host, ":", port)}});
      announce = now + kAnnounceEvery;
    }
    std::this_thread::sleep_for(pause);
  }
  return {};
}

// "port\naddress\naddress...": what rank 0 tells the others through MPI.
std::string AddressesText(int port, bool one_host) {
  std::string text = std::to_string(port);
  if (one_host) return text + "\n127.0.0.1";
  for (const std::string& address : OwnAddresses()) text += "\n" + address;
  return text.substr(0, text.rfind('\n', 4000));
}

StatusOr<StorePtr> StoreThroughMpi(const Invitation& invitation, Duration timeout) {
  const Place& place = invitation.place;
  if (!HasMpi())
    return Rendezvous(invitation.source, " started ", place.world,
                      " ranks, but this build has no MPI to tell them where ",
                      "rank 0 is; set MASTER_ADDR and MASTER_PORT (mpirun -x MASTER_ADDR=HOST -x MASTER_PORT=PORT), or "
                      "build with -DCONSILIUM_MPI=ON");
  StorePtr store;
  std::string text;
  Status opened;
  if (place.rank == 0) {
    StatusOr<StorePtr> served = OpenStore("127.0.0.1", 0, StoreRole::kServe, timeout);
    opened = served.status();
    if (opened.ok()) {
      store = served.value();
      const int port = static_cast<c10d::TCPStore&>(*store).getPort();
      text = AddressesText(port, invitation.knows_local && place.local_world == place.world);
    }
  }
  // Also when rank 0 has no store: the others wait in the broadcast, and an empty text tells them.
  ASSIGN_OR_RETURN(text, BroadcastThroughMpi(place, text));
  RETURN_IF_ERROR(opened);
  if (place.rank == 0) return store;
  std::istringstream lines(text);
  int port = 0;
  if (!(lines >> port)) return Rendezvous("rank 0 could not open its store; its own message says why");
  for (std::string host; lines >> host;)
    if (CanConnect(host, port)) return OpenStore(host, port, StoreRole::kConnect, timeout);
  return Rendezvous("none of rank 0's addresses answers from ", HostName(), ", port ", port, ": ",
                    text.substr(text.find('\n') + 1));
}

StatusOr<StorePtr> FindStore(const Invitation& invitation, Duration timeout) {
  if (invitation.host.empty()) return StoreThroughMpi(invitation, timeout);
  if (invitation.place.rank == 0 && !invitation.store_is_elsewhere)
    return OpenStore("127.0.0.1", invitation.port, StoreRole::kServe, timeout);
  RETURN_IF_ERROR(AwaitServer(invitation.host, invitation.port, timeout));
  return OpenStore(invitation.host, invitation.port, StoreRole::kConnect, timeout);
}

Profile MyProfile(const Invitation& invitation, const ConnectOptions& options, Backend backend) {
  Profile profile;
  profile.shared = {{"world", std::to_string(invitation.place.world)},
                    {"job", options.job_digest},
                    {"build", options.build},
                    {"backend", BackendName(backend)}};
  profile.own = {{"host", HostName()}, {"loopback", LoopbackIdentity()}};
  if (!invitation.host.empty())
    if (const StatusOr<Route> route = RouteTo(invitation.host); route.ok())
      profile.own["address"] = route.value().address;
  if (profile.own["address"].empty()) profile.own["address"] = OwnAddresses().front();
  return profile;
}

bool OnOneHost(const std::vector<Profile>& profiles) {
  return std::all_of(profiles.begin(), profiles.end(), [&](const Profile& profile) {
    return profile.own.at("loopback") == profiles.front().own.at("loopback");
  });
}

// The interface towards the other ranks.  A host whose own name resolves to 127.0.1.1 (Debian's default) would listen
// where nobody else can reach it, so names are never asked for the way to oneself.
StatusOr<std::string> ChooseInterface(const ConnectOptions& options, const Place& place,
                                      const std::vector<Profile>& profiles) {
  if (!options.interface.empty()) return options.interface;
  if (OnOneHost(profiles)) return LoopbackInterface();
  const std::string& here = profiles[static_cast<std::size_t>(place.rank)].own.at("loopback");
  const auto elsewhere = std::find_if(profiles.begin(), profiles.end(),
                                      [&](const Profile& profile) { return profile.own.at("loopback") != here; });
  const Profile& peer = profiles.front().own.at("loopback") != here ? profiles.front() : *elsewhere;
  ASSIGN_OR_RETURN(const Route route, RouteTo(peer.own.at("address")));
  if (route.loopback)
    return Rendezvous("the way from ", HostName(), " to ", peer.own.at("host"), " (", peer.own.at("address"),
                      ") is the loopback interface, but the ranks are on several hosts; name the interface");
  return route.interface;
}

// From who shares a host name, when the launcher did not say.
void DeriveLocal(const std::vector<Profile>& profiles, Place* place) {
  const std::string& host = profiles[static_cast<std::size_t>(place->rank)].own.at("host");
  place->local_rank = place->local_world = 0;
  for (int rank = 0; rank < place->world; ++rank) {
    if (profiles[static_cast<std::size_t>(rank)].own.at("host") != host) continue;
    if (rank < place->rank) ++place->local_rank;
    ++place->local_world;
  }
}

// NCCL's own message for two ranks on one GPU comes late and names neither.
Status CheckGpus(const StorePtr& store, const Place& place, Duration timeout) {
  const int gpus = static_cast<int>(at::getNumGPUs());
  Profile mine;
  mine.own["gpu"] = place.local_rank < gpus ? GpuIdentity(place.local_rank) : "";
  mine.own["host"] = HostName();
  ASSIGN_OR_RETURN(const std::vector<Profile> profiles, Meet(store, place, mine, timeout));
  for (std::size_t rank = 0; rank < profiles.size(); ++rank) {
    const std::string& gpu = profiles[rank].own.at("gpu");
    if (gpu.empty())
      return Rendezvous("rank ", rank, " on ", profiles[rank].own.at("host"),
                        " has no GPU of its own; start one rank a GPU (CUDA_VISIBLE_DEVICES hides some?)");
    for (std::size_t other = 0; other < rank; ++other)
      if (profiles[other].own.at("gpu") == gpu)
        return Rendezvous("ranks ", other, " and ", rank, " share GPU ", gpu, " on ", profiles[rank].own.at("host"),
                          "; NCCL needs one GPU a rank");
  }
  return {};
}

}  // namespace

StatusOr<std::unique_ptr<Communicator>> Connect(const ConnectOptions& options) {
  ASSIGN_OR_RETURN(const Invitation invitation, ResolveInvitation(options.flags, options.environment));
  ASSIGN_OR_RETURN(const Backend backend, ChooseBackend(options.backend));
  if (invitation.place.world == 1) return MakeSoloCommunicator();
  ASSIGN_OR_RETURN(const StorePtr root, FindStore(invitation, options.startup_timeout));
  // A rank left over from an earlier attempt writes under another prefix and is never met.
  const auto scope = [&](const char* name) {
    return c10::make_intrusive<c10d::PrefixStore>(Concat("attempt", invitation.attempt, "/", name), root);
  };
  Place place = invitation.place;
  ASSIGN_OR_RETURN(const std::vector<Profile> profiles,
                   Meet(scope("meeting"), place, MyProfile(invitation, options, backend), options.startup_timeout));
  if (!invitation.knows_local) DeriveLocal(profiles, &place);

  GroupMembership membership;
  membership.options.backend = backend;
  membership.options.place = place;
  membership.options.timeout = Milliseconds(options.step_timeout);
  if (backend == Backend::kGloo) {
    ASSIGN_OR_RETURN(membership.options.interface, ChooseInterface(options, place, profiles));
  } else {
    RETURN_IF_ERROR(CheckGpus(scope("gpus"), place, options.startup_timeout));
  }
  for (const Profile& profile : profiles) membership.hosts.push_back(profile.own.at("host"));
  membership.store = scope("gang");
  ASSIGN_OR_RETURN(std::unique_ptr<Communicator> communicator, MakeGroupCommunicator(std::move(membership)));
  Log(LogLevel::kInfo, "gang", {{"rank", place.rank}, {"over", communicator->name()}, {"from", invitation.source}});
  return communicator;
}

}  // namespace consilium::collective
