// Bytes in and out, little-endian, bounds-checked: the only way that peers' bytes are read.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "comm/base/status.h"

namespace consilium {

using Bytes = std::vector<std::uint8_t>;
using ByteSpan = std::span<const std::uint8_t>;

inline ByteSpan AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view AsText(ByteSpan bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::string ToHex(ByteSpan bytes);
StatusOr<Bytes> FromHex(std::string_view text);

// Appends little-endian integers, IEEE floats, and length-prefixed strings.  A message's bytes are canonical: equal
// structs give equal bytes.
class ByteWriter {
 public:
  template <typename T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void Put(T value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof value);
    std::memcpy(bytes_.data() + at, &value, sizeof value);  // little-endian host, checked in bytes.cc
  }
  void PutString(std::string_view text);  // u32 length, then the bytes
  void PutBytes(ByteSpan bytes);          // u32 length, then the bytes
  void PutRaw(ByteSpan bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }

  const Bytes& bytes() const& { return bytes_; }
  Bytes Take() && { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

// Reads what ByteWriter wrote.  The first failed read makes the reader fail for good; later reads return zeros.  Check
// status() once at the end, or before a length is used to allocate.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : bytes_(bytes) {}

  template <typename T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T> T Get() {
    if constexpr (std::is_same_v<T, bool>) {
      const auto raw = Get<std::uint8_t>();  // another byte in a bool would be undefined behaviour
      if (raw > 1) Fail(Concat("a truth value is ", int{raw}, ", expected 0 or 1"));
      return raw == 1;
    } else {
      T value{};
      if (const ByteSpan raw = GetRaw(sizeof value); !raw.empty()) std::memcpy(&value, raw.data(), sizeof value);
      return value;
    }
  }
  // Reads a u32 length and then that many bytes; fails when the length exceeds `size_max` or what is left.
  std::string GetString(std::size_t size_max);
  Bytes GetBytes(std::size_t size_max);
  // A view of the next `size` bytes; empty on failure.
  ByteSpan GetRaw(std::size_t size);
  // A u32 count of items that each take at least `item_size_min` bytes, so that a lying count cannot make us allocate.
  std::uint32_t GetCount(std::size_t item_size_min);

  std::size_t remaining() const { return bytes_.size() - at_; }
  void Fail(std::string reason);
  // OK so far?
  const Status& status() const { return status_; }
  // OK, and nothing is left over.
  Status Finish() const;

 private:
  ByteSpan bytes_;
  std::size_t at_ = 0;
  Status status_;
};

}  // namespace consilium
