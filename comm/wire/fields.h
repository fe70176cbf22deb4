// How fields of messages become bytes and back: one visitor for each direction over the same list of fields.  Internal
// to wire.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "comm/base/ids.h"
#include "comm/wire/blob.h"
#include "comm/wire/protocol.h"

namespace consilium::wire {

inline constexpr std::size_t kTextBytesMax = 1 << 16;
inline constexpr std::size_t kMetricsMax = 256;
inline constexpr std::size_t kNamesMax = 256;  // of a set
inline constexpr std::size_t kNameBytesMax = 256;

// Text and metrics beyond the limits are cut here: a message that no peer accepts would end the session, again and
// again.
class FieldWriter : public ByteWriter {
 public:
  explicit FieldWriter(std::uint32_t minor = kProtocolMinor) : minor_(minor) {}
  std::uint32_t minor() const { return minor_; }  // of the protocol that the reader speaks (protocol.h)
  void SkipRest() {}

  template <typename T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void operator()(T value) { Put(value); }
  template <typename T>
  void Enum(T value, T /*last*/) {
    Put(value);
  }
  void operator()(const std::string& text) { PutString(std::string_view(text).substr(0, kTextBytesMax)); }
  template <typename Tag>
  void operator()(const StrongString<Tag>& id) {
    (*this)(id.value());
  }
  void operator()(const BlobManifest& manifest) { Encode(manifest, this); }
  void Blob(const Bytes& bytes, std::size_t /*max*/) { PutBytes(bytes); }
  void operator()(const std::map<std::string, double>& metrics) {
    const std::size_t count = std::min(metrics.size(), kMetricsMax);
    Put(static_cast<std::uint32_t>(count));
    auto metric = metrics.begin();
    for (std::size_t i = 0; i < count; ++i, ++metric) PutString(metric->first), Put(metric->second);
  }
  void operator()(const std::optional<BlobManifest>& manifest) {
    Put(static_cast<std::uint8_t>(manifest.has_value()));
    if (manifest) Encode(*manifest, this);
  }
  void operator()(const std::set<std::string>& names) {
    Put(static_cast<std::uint32_t>(std::min(names.size(), kNamesMax)));
    std::size_t count = 0;
    for (const std::string& name : names)
      if (count++ < kNamesMax) PutString(name.substr(0, kNameBytesMax));
  }
  // `each(io, item)` lists an item's fields; what is beyond `max` is cut.
  template <typename T, typename Each>
  void List(std::vector<T>& items, std::size_t max, Each each) {
    if (items.size() > max) items.resize(max);
    Put(static_cast<std::uint32_t>(items.size()));
    for (T& item : items) each(*this, item);
  }

 private:
  std::uint32_t minor_;
};

class FieldReader : public ByteReader {
 public:
  explicit FieldReader(ByteSpan bytes, std::uint32_t minor = kProtocolMinor) : ByteReader(bytes), minor_(minor) {}
  std::uint32_t minor() const { return minor_; }  // of the protocol that the writer spoke
  // What follows is of a later version, and nothing to us.
  void SkipRest() { GetRaw(remaining()); }

  template <typename T>
  requires std::is_arithmetic_v<T>
  void operator()(T& value) { value = Get<T>(); }
  void operator()(Round& round) { round = Get<Round>(); }
  void operator()(Attempt& attempt) { attempt = Get<Attempt>(); }
  void operator()(StatusCode& code) { Enum(code, StatusCode::kUnimplemented); }
  template <typename T>
  void Enum(T& value, T last) {
    value = Get<T>();
    if (value > last || value < T{})
      Fail(
          Concat("value ", static_cast<long long>(value), " is beyond the last known, ", static_cast<long long>(last)));
    if (!status().ok()) value = T{};
  }
  void operator()(std::string& text) { text = GetString(kTextBytesMax); }
  template <typename Tag>
  void operator()(StrongString<Tag>& id) {
    id = StrongString<Tag>(GetString(kTextBytesMax));
  }
  void operator()(BlobManifest& manifest) { manifest = DecodeManifest(this); }
  void Blob(Bytes& bytes, std::size_t max) { bytes = GetBytes(max); }
  void operator()(std::map<std::string, double>& metrics) {
    const std::uint32_t count = GetCount(12);
    if (count > kMetricsMax) return Fail(Concat(count, " metrics; at most ", kMetricsMax, " are accepted"));
    for (std::uint32_t i = 0; i < count && status().ok(); ++i) {
      const std::string name = GetString(256);
      const auto value = Get<double>();
      // Strictly ascending names keep the bytes canonical.
      if (!metrics.empty() && name <= metrics.rbegin()->first) return Fail("metric names are not in order");
      metrics[name] = value;
    }
  }
  void operator()(std::optional<BlobManifest>& manifest) {
    const auto present = Get<std::uint8_t>();
    if (present > 1) return Fail(Concat("a truth value of ", int{present}));
    manifest.reset();
    if (present == 1) manifest = DecodeManifest(this);
  }
  void operator()(std::set<std::string>& names) {
    const std::uint32_t count = GetCount(4);
    if (count > kNamesMax) return Fail(Concat(count, " names; at most ", kNamesMax, " are accepted"));
    for (std::uint32_t i = 0; i < count && status().ok(); ++i) {
      std::string name = GetString(kNameBytesMax);
      if (!names.empty() && name <= *names.rbegin()) return Fail("names are not in order");
      names.insert(std::move(name));
    }
  }
  template <typename T, typename Each>
  void List(std::vector<T>& items, std::size_t max, Each each) {
    const std::uint32_t count = GetCount(1);
    if (count > max) return Fail(Concat(count, " items; at most ", max, " are accepted"));
    for (std::uint32_t i = 0; i < count && status().ok(); ++i) each(*this, items.emplace_back());
  }

 private:
  std::uint32_t minor_;
};

}  // namespace consilium::wire
