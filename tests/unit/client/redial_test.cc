// When sites come back after a connection was lost: later and later, and not all at once.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <iostream>
#include <map>

#include "client/core/session_machine.h"
#include "comm/base/rng.h"

namespace consilium::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kSeed = 20261121;

// How long until the next dial after the `losses`-th loss in a row.
Duration PauseAfter(int losses, double jitter) {
  SessionMachine machine(SessionState(), {});
  machine.Step(Started{}, Instant{});
  Duration pause{};
  for (int i = 0; i < losses; ++i)
    for (const Action& action : machine.Step(ConnectionLost{Unavailable("cut"), jitter}, Instant{}))
      if (const auto* timer = std::get_if<SetTimer>(&action)) pause = timer->after;
  return pause;
}

TEST(Redial, APauseIsHalfToAllOfItsLengthByChance) {
  const SessionOptions options;
  for (int losses = 1; losses < 12; ++losses) {
    const Duration whole = std::min(options.redial_max, options.redial_first * (1 << (losses - 1)));
    EXPECT_EQ(PauseAfter(losses, 0), whole / 2);
    EXPECT_EQ(PauseAfter(losses, 0.5), whole * 3 / 4);
    EXPECT_GT(PauseAfter(losses, 0.999), whole * 99 / 100);
    EXPECT_LE(PauseAfter(losses, 0.999), whole);
    for (const double wrong : {-5.0, 7.0}) {
      EXPECT_GE(PauseAfter(losses, wrong), whole / 2);
      EXPECT_LE(PauseAfter(losses, wrong), whole);
    }
  }
}

struct Comeback {
  std::vector<Instant> dials;  // of all sites, in order, after the coordinator was back
  std::size_t dials_max = 0;   // of one site, in vain
  Duration all_back{};
};

// So many sites lose their connections in the same moment; the coordinator refuses every dial for `outage`.
Comeback ComeBack(std::size_t sites, Duration outage) {
  struct Site {
    SessionMachine machine{SessionState(), {}};
    Rng rng;
    std::size_t in_vain = 0;
    explicit Site(std::uint64_t number) : rng(kSeed, number) {}
  };
  std::deque<Site> all;  // a machine stays where it is
  for (std::size_t i = 0; i < sites; ++i) all.emplace_back(i);
  std::multimap<Instant, std::pair<std::size_t, std::uint64_t>> timers;
  Instant now = Instant{} + seconds(1000);
  const Instant back = now + outage;
  Comeback comeback;
  std::vector<std::size_t> dialling;
  const auto step = [&](std::size_t i, const Input& input) {
    for (const Action& action : all[i].machine.Step(input, now)) {
      if (const auto* timer = std::get_if<SetTimer>(&action))
        timers.emplace(now + timer->after, std::pair(i, timer->id));
      if (std::holds_alternative<Dial>(action)) dialling.push_back(i);
    }
  };
  const auto lose = [&](std::size_t i) { step(i, ConnectionLost{Unavailable("cut"), all[i].rng.Uniform()}); };
  for (std::size_t i = 0; i < sites; ++i) {
    step(i, Started{});
    step(i, FromCoordinator{wire::Welcome{}});
  }
  dialling.clear();
  for (std::size_t i = 0; i < sites; ++i) lose(i);
  std::size_t connected = 0;
  while (connected < sites) {
    now = timers.begin()->first;
    const auto [i, id] = timers.begin()->second;
    timers.erase(timers.begin());
    step(i, TimerFired{id});
    for (const std::size_t site : std::exchange(dialling, {})) {
      if (now < back) {
        ++all[site].in_vain;
        lose(site);
        continue;
      }
      comeback.dials.push_back(now);
      step(site, FromCoordinator{wire::Welcome{}});
      ++connected;
    }
  }
  for (const Site& site : all) comeback.dials_max = std::max(comeback.dials_max, site.in_vain);
  comeback.all_back = now - back;
  return comeback;
}

std::size_t MostWithin(const std::vector<Instant>& dials, Duration window) {
  std::size_t most = 0;
  for (auto begin = dials.begin(); begin != dials.end(); ++begin)
    most = std::max<std::size_t>(most, std::upper_bound(begin, dials.end(), *begin + window) - begin);
  return most;
}

TEST(Redial, AHundredSitesDoNotComeBackAllAtOnceAndDoNotHammerWhoIsDown) {
  SCOPED_TRACE(kSeed);
  for (const auto& [outage, in_window_max] : {std::pair{seconds(3), 20u}, {seconds(30), 12u}, {seconds(600), 12u}}) {
    const Comeback comeback = ComeBack(100, outage);
    const std::size_t most = MostWithin(comeback.dials, milliseconds(100));
    std::cout << "[ herd     ] after " << FormatDuration(outage) << ": at most " << most
              << " of 100 sites in 100 ms, all back after " << FormatDuration(comeback.all_back) << ", "
              << comeback.dials_max << " dials in vain at most\n";
    EXPECT_EQ(comeback.dials.size(), 100u);
    EXPECT_LE(most, in_window_max);
    EXPECT_LE(comeback.all_back, SessionOptions().redial_max);
    // Six dials until the pauses are at their longest, of which half is the least.
    EXPECT_LE(comeback.dials_max, 7 + static_cast<std::size_t>(Seconds(outage) / 5));
  }
}

}  // namespace
}  // namespace consilium::client
