#include "comm/sim/disk.h"

#include <gtest/gtest.h>

#include <set>

#include "comm/sim/blob_store.h"
#include "comm/sim/journal.h"

namespace consilium::sim {
namespace {

Bytes Text(std::string_view text) { return Bytes(AsBytes(text).begin(), AsBytes(text).end()); }

TEST(Disk, WhatWasSyncedSurvivesEveryLossOfPower) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    Disk disk;
    ASSERT_TRUE(disk.Append("log", AsBytes("first")).ok());
    ASSERT_TRUE(disk.Sync("log").ok());
    ASSERT_TRUE(disk.Append("log", AsBytes("second")).ok());
    ASSERT_TRUE(disk.WriteAtomic("state", AsBytes("new")).ok());
    disk.LosePower(&rng);
    EXPECT_EQ(AsText(disk.Read("log").value()).substr(0, 5), "first") << seed;
    EXPECT_EQ(disk.Read("state").value(), Text("new")) << seed;
  }
}

TEST(Disk, ALossOfPowerKeepsTearsOrLosesWhatWasNotSynced) {
  std::set<std::string> found;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    Rng rng(seed);
    Disk disk;
    ASSERT_TRUE(disk.Write("body", Text("abc")).ok());
    disk.LosePower(&rng);
    const StatusOr<Bytes> body = disk.Read("body");
    found.insert(body.ok() ? std::string(AsText(*body)) : "gone");
  }
  for (const char* outcome : {"abc", "ab", "", "gone"}) EXPECT_TRUE(found.contains(outcome)) << outcome;
  EXPECT_TRUE(found.contains(std::string("ab\0", 3))) << "the length before the bytes";
}

TEST(Disk, AFullDiskTakesNothingAndLosesNothing) {
  Disk disk;
  ASSERT_TRUE(disk.Write("a", Text("x")).ok());
  disk.SetFull(true);
  EXPECT_EQ(disk.Write("a", Text("y")).code(), StatusCode::kStorage);
  EXPECT_EQ(disk.Append("a", AsBytes("y")).code(), StatusCode::kStorage);
  EXPECT_EQ(disk.WriteAtomic("a", AsBytes("y")).code(), StatusCode::kStorage);
  EXPECT_EQ(disk.Read("a").value(), Text("x"));
}

TEST(Journal, ARecordThatWasTornAnywhereIsAsIfItHadNeverBeenWritten) {
  for (std::size_t torn = 0; torn < 40; ++torn) {
    Disk disk;
    ASSERT_TRUE(Journal(&disk, "journal").Append(AsBytes("first")).ok());
    Journal(&disk, "journal").AppendTorn(AsBytes("second record"), torn);
    Journal reopened(&disk, "journal");
    EXPECT_EQ(reopened.Recover(), std::vector<Bytes>{Text("first")}) << torn;
    ASSERT_TRUE(reopened.Append(AsBytes("third")).ok());
    EXPECT_EQ(Journal(&disk, "journal").Recover(), (std::vector<Bytes>{Text("first"), Text("third")})) << torn;
  }
}

TEST(Journal, EveryRecordThatAppendReturnedForSurvivesEveryLossOfPower) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    Disk disk;
    for (const char* record : {"first", "", "third"})
      ASSERT_TRUE(Journal(&disk, "journal").Append(AsBytes(record)).ok());
    Journal(&disk, "journal").AppendTorn(AsBytes("fourth"), 14);
    disk.LosePower(&rng);
    EXPECT_EQ(Journal(&disk, "journal").Recover(), (std::vector<Bytes>{Text("first"), Text(""), Text("third")}))
        << seed;
  }
}

TEST(BlobStore, ABlobIsWholeUnderItsNameOrNotThereAfterEveryLossOfPower) {
  const wire::BlobManifest manifest = wire::ManifestOf(AsBytes("12345678"));
  std::size_t lost = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Rng rng(seed);
    Disk disk;
    BlobStore store(&disk);
    ASSERT_TRUE(store.Append(manifest, 0, AsBytes("1234")).ok());
    ASSERT_TRUE(store.Append(manifest, 4, AsBytes("5678")).ok());
    const wire::BlobManifest imported = store.Import(AsBytes("model")).value();
    disk.LosePower(&rng);
    store.Recover();
    EXPECT_TRUE(store.Has(imported.digest));
    if (store.Has(manifest.digest))
      EXPECT_EQ(store.Read(manifest.digest).value(), Text("12345678"));
    else
      ++lost;
  }
  EXPECT_GT(lost, 10u);
  EXPECT_LT(lost, 90u);
}

TEST(BlobStore, BytesThatAreNotTheBlobsAreNotKept) {
  Disk disk;
  BlobStore store(&disk);
  const wire::BlobManifest manifest = wire::ManifestOf(AsBytes("12345678"));
  EXPECT_EQ(store.Append(manifest, 4, AsBytes("5678")).code(), StatusCode::kDataLoss);
  ASSERT_TRUE(store.Append(manifest, 0, AsBytes("1234")).ok());
  EXPECT_EQ(store.Append(manifest, 4, AsBytes("567x")).code(), StatusCode::kDataLoss);
  EXPECT_EQ(store.BytesDone(manifest), 0u);
  EXPECT_FALSE(store.Has(manifest.digest));
}

}  // namespace
}  // namespace consilium::sim
