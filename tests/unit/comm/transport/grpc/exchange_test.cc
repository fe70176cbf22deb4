// What the transport is for: three sites, messages both ways, blobs both ways.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "tests/unit/comm/transport/grpc/rig.h"

namespace consilium::transport::testing {
namespace {

using ::testing::HasSubstr;
using Event = CoordinatorRecorder::Event;

constexpr std::size_t kModelBytes = 8'000'003;  // not a whole number of chunks

TEST(Exchange, ThreeSitesTalkAndMoveModelsBothWays) {
  Rig rig;
  const auto model = rig.MakeFile("model", kModelBytes, 1);
  const wire::BlobManifest manifest = rig.blobs().Import(model).value();
  const std::vector<std::string> names = {"alpha", "beta", "gamma"};
  std::vector<std::unique_ptr<Site>> sites;
  for (const std::string& name : names) sites.push_back(rig.Connect(name));
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < names.size(); ++i) {
    threads.emplace_back([&, i] {
      Site& site = *sites[i];
      const auto update = rig.MakeFile("update-" + names[i], kModelBytes, 10 + i);
      EXPECT_TRUE(IsOk(site.transport->Fetch(manifest, nullptr))) << names[i];
      EXPECT_EQ(wire::ManifestOfFile(site.blobs->PathOf(manifest.digest)).value().digest, manifest.digest);
      const wire::BlobManifest update_manifest = wire::ManifestOfFile(update).value();
      EXPECT_TRUE(IsOk(site.transport->Upload(AnyTask(), update_manifest, update, nullptr)));
      EXPECT_EQ(wire::ManifestOfFile(rig.blobs().PathOf(update_manifest.digest)).value().digest,
                update_manifest.digest);
      site.transport->Send(wire::UpdateReady{AnyTask(), update_manifest, 7, {{"loss", 0.5}}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Event event = rig.events().Await(Event::kMessage, names[i]);
    ASSERT_TRUE(std::holds_alternative<wire::UpdateReady>(*event.message));
    EXPECT_EQ(std::get<wire::UpdateReady>(*event.message).weight, 7);
    rig.coordinator().Send(event.session, wire::Receipt{AnyTask(), wire::DropReason::kNone, names[i]});
    EXPECT_EQ(std::get<wire::Receipt>(sites[i]->events.AwaitMessage(1)).detail, names[i]);
  }
}

TEST(Exchange, MessagesOfOneSiteArriveInTheOrderSent) {
  Rig rig;
  const auto site = rig.Connect("alpha");
  for (int i = 0; i < 200; ++i) site->transport->Send(wire::Heartbeat{.progress = i / 200.0});
  for (int i = 0; i < 200; ++i) {
    const Event event = rig.events().Await(Event::kMessage, "alpha", i);
    EXPECT_EQ(std::get<wire::Heartbeat>(*event.message).progress, i / 200.0);
  }
}

// With the next one, where a lock that is missing shows under the thread sanitizer.
TEST(Exchange, ManyThreadsMaySendBothWaysWhileBlobsMove) {
  constexpr int kThreads = 3, kMessages = 60;  // all together fewer than a queue holds
  Rig rig;
  const auto site = rig.Connect("alpha");
  const SessionId session = rig.events().Await(Event::kConnect, "alpha").session;
  const auto file = rig.MakeFile("update", kModelBytes, 5);
  const wire::BlobManifest manifest = wire::ManifestOfFile(file).value();
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kMessages; ++i)
        site->transport->Send(wire::Heartbeat{.progress = (t + double(i) / kMessages) / kThreads});
    });
    threads.emplace_back([&, t] {
      for (int i = 0; i < kMessages; ++i)
        rig.coordinator().Send(session, wire::Receipt{AnyTask(), wire::DropReason::kNone, Concat(t, " ", 100 + i)});
    });
  }
  EXPECT_TRUE(IsOk(site->transport->Upload(AnyTask(), manifest, file, nullptr)));
  EXPECT_TRUE(IsOk(site->transport->Fetch(manifest, nullptr)));
  for (std::thread& thread : threads) thread.join();
  std::map<int, double> heard;         // the last of each thread
  std::map<char, std::string> answer;  // likewise
  for (int n = 0; n < kThreads * kMessages; ++n) {
    const Event event = rig.events().Await(Event::kMessage, "alpha", n);
    const double progress = std::get<wire::Heartbeat>(*event.message).progress;
    const int thread = static_cast<int>(progress * kThreads + 1e-9);
    EXPECT_TRUE(!heard.contains(thread) || heard[thread] < progress) << "thread " << thread;
    heard[thread] = progress;
    const std::string detail = std::get<wire::Receipt>(site->events.AwaitMessage(1 + n)).detail;
    EXPECT_LT(answer[detail[0]], detail);
    answer[detail[0]] = detail;
  }
}

TEST(Exchange, ASiteMayLeaveWhileItIsSpokenToAndWhileItSpeaks) {
  Rig rig;
  for (int life = 0; life < 5; ++life) {
    auto site = rig.Connect("alpha");
    const SessionId session = rig.events().Await(Event::kConnect, "alpha", life).session;
    std::thread coordinator([&] {
      for (int i = 0; i < 50; ++i)
        rig.coordinator().Send(session, wire::Receipt{AnyTask(), wire::DropReason::kNone, "well"});
    });
    std::thread speaker([&] {
      for (int i = 0; i < 50; ++i) site->transport->Send(wire::Heartbeat{.progress = 0.5});
    });
    site->transport->Close();
    coordinator.join(), speaker.join();
    site.reset();
    rig.events().Await(Event::kDisconnect, "alpha", life);
  }
  rig.ExpectWorks(rig.Connect("alpha").get());
}

TEST(Exchange, ProgressCountsUpToTheWhole) {
  Rig rig;
  const auto site = rig.Connect("alpha");
  const auto file = rig.MakeFile("update", 2'500'000, 2);
  const wire::BlobManifest manifest = wire::ManifestOfFile(file).value();
  std::vector<std::uint64_t> sent, received;
  EXPECT_TRUE(IsOk(site->transport->Upload(AnyTask(), manifest, file,
                                           [&](std::uint64_t done, std::uint64_t) { sent.push_back(done); })));
  EXPECT_TRUE(
      IsOk(site->transport->Fetch(manifest, [&](std::uint64_t done, std::uint64_t) { received.push_back(done); })));
  EXPECT_THAT(sent, ::testing::ElementsAre(1 << 20, 2 << 20, 2'500'000));
  EXPECT_EQ(received, sent);
}

TEST(Exchange, AnEmptyBlobTravelsToo) {
  Rig rig;
  const auto site = rig.Connect("alpha");
  const auto file = rig.MakeFile("empty", 0, 1);
  const wire::BlobManifest manifest = wire::ManifestOfFile(file).value();
  EXPECT_TRUE(IsOk(site->transport->Upload(AnyTask(), manifest, file, nullptr)));
  EXPECT_TRUE(rig.blobs().Has(manifest.digest));
  EXPECT_TRUE(IsOk(site->transport->Fetch(manifest, nullptr)));
  EXPECT_TRUE(site->blobs->Has(manifest.digest));
}

TEST(Exchange, TwoSitesMayUploadTheSameBlobAtOnce) {
  Rig rig;
  const auto alpha = rig.Connect("alpha"), beta = rig.Connect("beta");
  const auto file = rig.MakeFile("same", kModelBytes, 4);
  const wire::BlobManifest manifest = wire::ManifestOfFile(file).value();
  Status of_alpha, of_beta;
  std::thread thread([&] { of_alpha = alpha->transport->Upload(AnyTask(), manifest, file, nullptr); });
  of_beta = beta->transport->Upload(AnyTask(), manifest, file, nullptr);
  thread.join();
  EXPECT_TRUE(IsOk(of_alpha));
  EXPECT_TRUE(IsOk(of_beta));
  EXPECT_TRUE(rig.blobs().Has(manifest.digest));
}

TEST(Exchange, WhatTheCoordinatorDoesNotAllowIsRefusedInItsWords) {
  Rig rig;
  const auto site = rig.Connect("alpha");
  rig.events().SetAnswer(PermissionDenied("alpha is not part of round 3"));
  const auto file = rig.MakeFile("update", 3000, 2);
  const wire::BlobManifest manifest = rig.blobs().Import(file).value();
  const Status fetched = site->transport->Fetch(manifest, nullptr);
  EXPECT_EQ(fetched.code(), StatusCode::kPermissionDenied);
  EXPECT_THAT(fetched.message(), HasSubstr("alpha is not part of round 3"));
  const Status uploaded = site->transport->Upload(AnyTask(), manifest, file, nullptr);
  EXPECT_EQ(uploaded.code(), StatusCode::kPermissionDenied);
  EXPECT_THAT(uploaded.message(), HasSubstr("alpha is not part of round 3"));
}

TEST(Exchange, AnUpdateThatTheCoordinatorHasAlreadyIsNotSent) {
  Rig rig;
  const auto site = rig.Connect("alpha");
  rig.events().SetAnswer(AlreadyExists("the update for this task is there"));
  const auto file = rig.MakeFile("update", 3000, 2);
  const wire::BlobManifest manifest = wire::ManifestOfFile(file).value();
  EXPECT_TRUE(IsOk(site->transport->Upload(AnyTask(), manifest, file, nullptr)));
  EXPECT_EQ(rig.blobs().BytesUsed(), 0u);
  EXPECT_EQ(rig.log(), "");
}

TEST(Exchange, ABlobThatTheCoordinatorLacksIsNotFound) {
  Rig rig;
  const auto site = rig.Connect("alpha");
  const wire::BlobManifest manifest = wire::ManifestOfFile(rig.MakeFile("unknown", 3000, 2)).value();
  EXPECT_EQ(site->transport->Fetch(manifest, nullptr).code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace consilium::transport::testing
