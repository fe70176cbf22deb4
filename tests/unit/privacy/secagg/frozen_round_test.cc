// One whole secure sum, byte for byte: the real machines under fixed entropy against what reference_round.py, which
// shares no code with them, makes of the same secrets.  A difference is a change of the protocol: sites and
// coordinators of different builds would not understand each other.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "privacy/secagg/message_lists.h"
#include "privacy/secagg/vector.h"

namespace consilium::secagg {
namespace {

std::string Folder() { return CONSILIUM_SOURCE_DIR "/tests/unit/privacy/secagg/"; }
std::string FixtureOf(const std::string& suite) { return Folder() + "frozen_round_" + suite + ".txt"; }

template <typename T>
std::vector<T> ValuesOf(ByteSpan bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}
template <typename T>
ByteSpan BytesOf(const std::vector<T>& values) {
  return {reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof(T)};
}

// The lines `name hex` of a file.  Every one that is not an input is to be compared with something.
class Fixture {
 public:
  explicit Fixture(const std::string& path) {
    std::ifstream file(path);
    EXPECT_TRUE(file) << path;
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with('#')) continue;
      const std::size_t space = line.find(' ');
      const std::string name = line.substr(0, space);
      lines_[name] = FromHex(line.substr(space + 1)).value();
      if (!name.starts_with("in.")) waiting_.insert(name);
    }
  }
  const Bytes& In(const std::string& name) const { return lines_.at("in." + name); }
  void Expect(const std::string& name, ByteSpan bytes) {
    ASSERT_TRUE(lines_.contains(name)) << "the reference knows no " << name;
    waiting_.erase(name);
    EXPECT_EQ(ToHex(bytes), ToHex(lines_[name])) << name;
  }
  const std::set<std::string>& waiting() const { return waiting_; }

 private:
  std::map<std::string, Bytes> lines_;
  std::set<std::string> waiting_;
};

// Gives the bytes that it was given, in order, and no more.
class ScriptedEntropy final : public Entropy {
 public:
  explicit ScriptedEntropy(Bytes script) : script_(std::move(script)) {}
  void Fill(std::span<std::uint8_t> out) override {
    CONSILIUM_CHECK(out.size() <= left(), "the machine draws more than the reference");
    std::memcpy(out.data(), script_.data() + at_, out.size());
    at_ += out.size();
  }
  std::size_t left() const { return script_.size() - at_; }

 private:
  Bytes script_;
  std::size_t at_ = 0;
};

void ExpectOk(const Status& status) { EXPECT_TRUE(status.ok()) << status; }
std::string Name(const std::string& what, Place place) { return Concat(what, ".", place); }

// The four sites and the coordinator; a function a phase.  Sites read what they are told from the wire's bytes.
class FrozenRound {
 public:
  static constexpr Place kSites = 4;
  static constexpr std::uint64_t kElements = 8;

  explicit FrozenRound(const std::string& suite) : fixture_(FixtureOf(suite)) {
    const bool first = suite == "aes128";
    terms_ = {.job = JobId("frozen-job"),
              .round = Round{first ? 3u : 0u},
              .attempt = Attempt{first ? 1u : 0u},
              .model = Sha256Of("model"),
              .configuration = Sha256Of("configuration"),
              .beacon = Sha256Of("beacon"),
              .dimension = DimensionFor(kElements),
              .clip = 0.5,
              .corrupt = 1,
              .min_cohort = 3,
              .cipher = first ? crypto::StreamCipher::kAes128Ctr : crypto::StreamCipher::kAes256Ctr,
              .privacy = first ? Digest{} : Sha256Of("privacy")};
    const std::vector<SiteName> names = {SiteName("berlin"), SiteName("lyon"), SiteName("porto"), SiteName("turin")};
    fixture_.Expect("names", EncodeNames(names));
    for (Place place = 0; place < kSites; ++place) {
      keys_.push_back(crypto::SigningKey::FromSeed(SecretBytes(In(place, "signing_seed"))).value());
      terms_.cohort.push_back({names[place], keys_.back().public_key()});
      entropy_.emplace_back(In(place, "draws"));
      fixture_.Expect(Name("signing_key", place), keys_.back().public_key());
    }
    dropped_ = ValuesOf<Place>(fixture_.In("dropped")).at(0);
    server_.emplace(ServerSession::Create(terms_).value());
    fixture_.Expect("context", server_->context().bytes);
  }

  void Advertise() {
    for (Place place = 0; place < kSites; ++place) {
      const SiteViewPtr view = SiteView::Create(terms_, terms_.cohort[place].name, keys_[place]).value();
      advertised_.push_back(AdvertisedSite::Begin(view, entropy_[place]).value());
      const Bytes wire = Encode(advertised_.back().advert());
      fixture_.Expect(Name("advert", place), wire);
      ExpectOk(server_->AddAdvert(DecodeAdvert(wire).value()));
    }
    ExpectOk(server_->CloseAdverts());
  }

  void Share() {
    for (Place place = 0; place < kSites; ++place) {
      const Bytes told = EncodeAdverts(server_->AdvertsFor(place));
      fixture_.Expect("adverts", told);
      sharing_.push_back(std::move(advertised_[place]).Share(DecodeAdverts(told).value()).value());
      EXPECT_EQ(entropy_[place].left(), 0u) << "of site " << place;
      std::vector<SealedShares> sealed;
      for (const SealedShares& message : sharing_.back().sealed()) {
        const Bytes wire = Encode(message);
        fixture_.Expect(Name(Name("sealed", place), message.to), wire);
        sealed.push_back(DecodeSealedShares(wire).value());
      }
      ExpectOk(server_->AddShares(place, sealed));
    }
    ExpectOk(server_->CloseShares());
  }

  void SendVectors() {
    for (Place place = 0; place < kSites; ++place) {
      if (place == dropped_) continue;
      const Bytes told = EncodeShares(server_->SharesFor(place));
      fixture_.Expect(Name("shares_for", place), told);
      MaskingSite masking = std::move(sharing_[place]).Open(DecodeShares(told).value()).value();
      vectors_.push_back(Masked(place, masking));
      fixture_.Expect(Name("vector", place), BytesOf(vectors_.back()));
      masked_.emplace(place, std::move(masking).Seal(Sha256Of(BytesOf(vectors_.back()))));
      const Bytes wire = Encode(masked_.at(place).head());
      fixture_.Expect(Name("head", place), wire);
      ExpectOk(server_->AddVector(DecodeMaskedHead(wire).value()));
    }
    ExpectOk(server_->CloseVectors({12, Sha256Of("audit")}));
  }

  void Confirm() {
    const Bytes told = Encode(SurvivorList{server_->survivors(), server_->audit()});
    fixture_.Expect("survivors", told);
    const SurvivorList list = DecodeSurvivorList(told).value();
    for (auto& [place, site] : masked_) {
      confirmed_.emplace(place, std::move(site).Confirm(list.survivors, list.audit).value());
      const Bytes wire = Encode(confirmed_.at(place).confirmation());
      fixture_.Expect(Name("confirmation", place), wire);
      ExpectOk(server_->AddConfirmation(DecodeConfirmation(wire).value()));
    }
    ExpectOk(server_->CloseConfirmations());
  }

  void Release() {
    for (auto& [place, site] : confirmed_) {
      const Bytes told = EncodeConfirmations(server_->ConfirmationsFor(place));
      fixture_.Expect("confirmations", told);
      const Bytes wire = Encode(std::move(site).Release(DecodeConfirmations(told).value()).value());
      fixture_.Expect(Name("release", place), wire);
      ExpectOk(server_->AddRelease(DecodeShareRelease(wire).value()));
    }
    ASSERT_TRUE(server_->CanUnmask());
  }

  void AddUp() {
    const Unmasking unmasking = server_->Unmask().value();
    EXPECT_TRUE(unmasking.liars.empty());
    std::vector<std::uint32_t> sum(terms_.dimension);
    for (const std::vector<std::uint32_t>& vector : vectors_)
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += vector[i];
    ApplyMasks(unmasking.Terms(), {.cipher = terms_.cipher, .context = server_->context()}, 0, sum);
    fixture_.Expect("sum", BytesOf(sum));
    std::vector<float> means;
    const SumResult result =
        SumVectors(
            {.terms = terms_, .context = server_->context(), .unmasking = &unmasking, .survivors = vectors_.size()},
            [&](std::size_t survivor, std::uint64_t begin, std::span<std::uint32_t> out) {
              std::copy_n(vectors_[survivor].begin() + static_cast<std::ptrdiff_t>(begin), out.size(), out.begin());
              return Status();
            },
            [&](std::span<const float> values) {
              means.assign(values.begin(), values.end());
              return Status();
            })
            .value();
    fixture_.Expect("weight", BytesOf(std::vector<double>{result.weight}));
    fixture_.Expect("means", BytesOf(means));
  }

  // What the reference made and nothing here was compared with.
  const std::set<std::string>& waiting() const { return fixture_.waiting(); }

 private:
  const Bytes& In(Place place, const std::string& what) const { return fixture_.In(Concat(place, ".", what)); }

  std::vector<std::uint32_t> Masked(Place place, const MaskingSite& masking) const {
    const std::vector<float> update = ValuesOf<float>(In(place, "update"));
    const VectorInput input = {.elements = update.size(),
                               .clip = terms_.clip,
                               .cohort = kSites,
                               .weight = ValuesOf<double>(In(place, "weight")).at(0),
                               .metrics = {{"dice", ValuesOf<double>(In(place, "dice")).at(0)},
                                           {"loss", ValuesOf<double>(In(place, "loss")).at(0)}},
                               .noise = SecretBytes(In(place, "noise"))};
    std::vector<std::uint32_t> vector;
    EXPECT_TRUE(MaskVector(
                    masking, input,
                    [&](std::uint64_t begin, std::span<float> out) {
                      std::copy_n(update.begin() + static_cast<std::ptrdiff_t>(begin), out.size(), out.begin());
                      return Status();
                    },
                    [&](std::span<const std::uint32_t> words) {
                      vector.insert(vector.end(), words.begin(), words.end());
                      return Status();
                    })
                    .ok());
    return vector;
  }

  Fixture fixture_;
  SessionTerms terms_;
  std::vector<crypto::SigningKey> keys_;
  std::deque<ScriptedEntropy> entropy_;
  Place dropped_ = 0;
  std::optional<ServerSession> server_;
  std::vector<AdvertisedSite> advertised_;
  std::vector<SharingSite> sharing_;
  std::map<Place, MaskedSite> masked_;
  std::vector<std::vector<std::uint32_t>> vectors_;  // of the survivors
  std::map<Place, ConfirmedSite> confirmed_;
};

class AWholeRound : public ::testing::TestWithParam<const char*> {};

TEST_P(AWholeRound, IsInEveryByteThatOfAnIndependentReference) {
  FrozenRound round(GetParam());
  for (const auto phase : {&FrozenRound::Advertise, &FrozenRound::Share, &FrozenRound::SendVectors,
                           &FrozenRound::Confirm, &FrozenRound::Release, &FrozenRound::AddUp}) {
    (round.*phase)();
    if (HasFailure()) return;
  }
  EXPECT_EQ(round.waiting(), std::set<std::string>()) << "messages that were never compared";
}

TEST_P(AWholeRound, IsStillWhatTheReferenceMakes) {
  if (std::system("command -v python3 >/dev/null 2>&1") != 0) GTEST_SKIP() << "python3 is not installed";
  const std::string command = Concat("python3 -B '", Folder(), "reference_round.py' ", GetParam());
  FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string made;
  for (char buffer[4096]; const std::size_t size = std::fread(buffer, 1, sizeof buffer, pipe);)
    made.append(buffer, size);
  EXPECT_EQ(pclose(pipe), 0) << command;
  std::ifstream file(FixtureOf(GetParam()));
  EXPECT_EQ(made, std::string(std::istreambuf_iterator<char>(file), {})) << FixtureOf(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Suites, AWholeRound, ::testing::Values("aes128", "aes256"));

}  // namespace
}  // namespace consilium::secagg
