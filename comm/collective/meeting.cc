#include "comm/collective/meeting.h"

#include <functional>
#include <thread>

#include "comm/base/bytes.h"
#include "comm/base/log.h"
#include "comm/collective/exception_guard.h"

namespace consilium::collective {
namespace {

constexpr std::size_t kFactBytesMax = 1 << 12;
constexpr auto kPoll = std::chrono::milliseconds(10);
constexpr auto kAnnounceEvery = std::chrono::seconds(10);
// Rank 0 holds the store: when it fails, the others get this long to read why.
constexpr auto kFarewell = std::chrono::milliseconds(300);

void PutFacts(const std::map<std::string, std::string>& facts, ByteWriter* writer) {
  writer->Put(static_cast<std::uint32_t>(facts.size()));
  for (const auto& [name, value] : facts) writer->PutString(name), writer->PutString(value);
}

std::map<std::string, std::string> GetFacts(ByteReader* reader) {
  std::map<std::string, std::string> facts;
  const std::uint32_t count = reader->GetCount(8);
  for (std::uint32_t i = 0; i < count; ++i) {
    std::string name = reader->GetString(kFactBytesMax);
    facts[std::move(name)] = reader->GetString(kFactBytesMax);
  }
  return facts;
}

Bytes EncodeProfile(const Profile& profile) {
  ByteWriter writer;
  PutFacts(profile.shared, &writer);
  PutFacts(profile.own, &writer);
  return std::move(writer).Take();
}

Profile DecodeProfile(ByteReader* reader) {
  Profile profile;
  profile.shared = GetFacts(reader);
  profile.own = GetFacts(reader);
  return profile;
}

std::string Key(int rank) { return "profile/" + std::to_string(rank); }

std::string Listed(const std::vector<int>& ranks) {
  constexpr std::size_t kListedMax = 16;
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (std::size_t i = 0; i < ranks.size() && i < kListedMax; ++i) text += Concat(i == 0 ? "" : ", ", ranks[i]);
  return ranks.size() > kListedMax ? Concat(text, " and ", ranks.size() - kListedMax, " more") : text;
}

std::vector<int> Missing(const c10::intrusive_ptr<c10d::Store>& store, int world) {
  std::vector<int> missing;
  for (int rank = 0; rank < world; ++rank)
    if (!store->check({Key(rank)})) missing.push_back(rank);
  return missing;
}

// Looks until `done`, every kPoll.  Says who is awaited, and names them when it is too late.
Status Await(const c10::intrusive_ptr<c10d::Store>& store, const Place& place, Duration timeout,
             const std::function<bool()>& done) {
  const auto begin = std::chrono::steady_clock::now();
  auto announce = begin + kAnnounceEvery;
  while (!done()) {
    const auto now = std::chrono::steady_clock::now();
    const bool too_late = now - begin >= timeout;
    if (too_late || now >= announce) {
      const std::vector<int> missing = Missing(store, place.world);
      const std::string who = missing.empty() ? "rank 0" : Listed(missing);
      if (too_late)
        return Rendezvous(who, " of ", place.world, " did not come within ", FormatDuration(timeout),
                          "; look at its log, or allow more time");
      Log(LogLevel::kInfo, "waiting", {{"rank", place.rank}, {"for", who}});
      announce = now + kAnnounceEvery;
    }
    std::this_thread::sleep_for(kPoll);
  }
  return {};
}

// Rank 0 collects and hands out the whole, so that the store answers a few requests a rank and not one for each pair.
// A u8 tells what follows: 1 the profiles, 0 why there are none.
Status Collect(const c10::intrusive_ptr<c10d::Store>& store, const Place& place, Duration timeout) {
  int next = 0;  // the lowest rank that has not come; the others need not be asked for yet
  const Status waited = Await(store, place, timeout, [&] {
    while (next < place.world && store->check({Key(next)})) ++next;
    return next == place.world;
  });
  ByteWriter writer;
  writer.Put(static_cast<std::uint8_t>(waited.ok() ? 1 : 0));
  if (!waited.ok()) writer.PutString(waited.message());
  for (int rank = 0; waited.ok() && rank < place.world; ++rank) writer.PutRaw(store->get(Key(rank)));
  store->set("profiles", std::move(writer).Take());
  if (!waited.ok()) std::this_thread::sleep_for(kFarewell);
  return waited;
}

StatusOr<std::vector<Profile>> MeetOrThrow(const c10::intrusive_ptr<c10d::Store>& store, const Place& place,
                                           const Profile& mine, Duration timeout) {
  store->set(Key(place.rank), EncodeProfile(mine));
  if (place.rank == 0)
    RETURN_IF_ERROR(Collect(store, place, timeout));
  else
    RETURN_IF_ERROR(Await(store, place, timeout, [&] { return store->check({"profiles"}); }));
  const Bytes bytes = store->get("profiles");
  ByteReader reader(bytes);
  if (reader.Get<std::uint8_t>() == 0) return Rendezvous(reader.GetString(kFactBytesMax));
  std::vector<Profile> profiles;
  for (int rank = 0; rank < place.world && reader.status().ok(); ++rank) profiles.push_back(DecodeProfile(&reader));
  RETURN_IF_ERROR(Annotate(reader.Finish(), "the ranks' profiles in the store"));
  return profiles;
}

}  // namespace

Status CompareProfiles(const std::vector<Profile>& profiles) {
  for (std::size_t rank = 1; rank < profiles.size(); ++rank) {
    if (profiles[rank].shared == profiles[0].shared) continue;
    for (const auto& [name, value] : profiles[0].shared) {
      const auto other = profiles[rank].shared.find(name);
      if (other != profiles[rank].shared.end() && other->second == value) continue;
      return Rendezvous("rank ", rank, " differs from rank 0 in its ", name, ": '",
                        other == profiles[rank].shared.end() ? "" : other->second, "', rank 0 has '", value,
                        "'; start every rank with the same program, job file and arguments");
    }
    return Rendezvous("rank ", rank, " runs another version of the program than rank 0");
  }
  return {};
}

StatusOr<std::vector<Profile>> Meet(const c10::intrusive_ptr<c10d::Store>& store, const Place& place,
                                    const Profile& mine, Duration timeout) {
  try {
    ASSIGN_OR_RETURN(std::vector<Profile> profiles, MeetOrThrow(store, place, mine, timeout));
    const Status same = CompareProfiles(profiles);
    if (!same.ok() && place.rank == 0) std::this_thread::sleep_for(kFarewell);
    RETURN_IF_ERROR(same);
    return profiles;
  } catch (...) {
    const Status status = StatusOfExceptionInFlight("the store of rank 0");
    return Rendezvous("rank 0 went away while the ranks were meeting: ", status.message());
  }
}

}  // namespace consilium::collective
