// How fields of messages become bytes and back: one visitor for each direction over the same list of fields.  Internal
// to wire.
#pragma once

#include <algorithm>
#include <map>
#include <string>

#include "comm/base/ids.h"
#include "comm/wire/blob.h"

namespace consilium::wire {

inline constexpr std::size_t kTextBytesMax = 1 << 16;
inline constexpr std::size_t kMetricsMax = 256;

// Text and metrics beyond the limits are cut here: a message that no peer accepts would end the session, again and
// again.
class FieldWriter : public ByteWriter {
 public:
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
  void operator()(const std::map<std::string, double>& metrics) {
    const std::size_t count = std::min(metrics.size(), kMetricsMax);
    Put(static_cast<std::uint32_t>(count));
    auto metric = metrics.begin();
    for (std::size_t i = 0; i < count; ++i, ++metric) PutString(metric->first), Put(metric->second);
  }
};

class FieldReader : public ByteReader {
 public:
  using ByteReader::ByteReader;

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
};

}  // namespace consilium::wire
