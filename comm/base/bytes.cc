#include "comm/base/bytes.h"

#include <bit>

namespace consilium {

static_assert(std::endian::native == std::endian::little,
              "the wire format is the host's memory on little-endian machines");

std::string ToHex(ByteSpan bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

StatusOr<Bytes> FromHex(std::string_view text) {
  const auto nibble = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  if (text.size() % 2 != 0) return InvalidArgument("hex text has an odd length of ", text.size());
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = nibble(text[i]), low = nibble(text[i + 1]);
    if (high < 0 || low < 0) return InvalidArgument("'", text.substr(i, 2), "' at position ", i, " is not hexadecimal");
    bytes.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return bytes;
}

void ByteWriter::PutString(std::string_view text) { PutBytes(AsBytes(text)); }

void ByteWriter::PutBytes(ByteSpan bytes) {
  CONSILIUM_CHECK(bytes.size() <= UINT32_MAX, "length-prefixed field of ", bytes.size(), " bytes");
  Put(static_cast<std::uint32_t>(bytes.size()));
  PutRaw(bytes);
}

ByteSpan ByteReader::GetRaw(std::size_t size) {
  if (!status_.ok()) return {};
  if (size > remaining()) {
    Fail(Concat("truncated: ", size, " bytes wanted at offset ", at_, ", ", remaining(), " left"));
    return {};
  }
  const ByteSpan view = bytes_.subspan(at_, size);
  at_ += size;
  return view;
}

std::string ByteReader::GetString(std::size_t size_max) {
  const Bytes bytes = GetBytes(size_max);
  return std::string(AsText(bytes));
}

Bytes ByteReader::GetBytes(std::size_t size_max) {
  const auto size = Get<std::uint32_t>();
  if (status_.ok() && size > size_max)
    Fail(Concat("a field announces ", size, " bytes at offset ", at_, ", at most ", size_max, " are allowed"));
  const ByteSpan raw = GetRaw(status_.ok() ? size : 0);
  return Bytes(raw.begin(), raw.end());
}

std::uint32_t ByteReader::GetCount(std::size_t item_size_min) {
  const auto count = Get<std::uint32_t>();
  if (status_.ok() && item_size_min > 0 && count > remaining() / item_size_min)
    Fail(Concat("a list announces ", count, " items at offset ", at_, ", only ", remaining(), " bytes are left"));
  return status_.ok() ? count : 0;
}

void ByteReader::Fail(std::string reason) {
  if (status_.ok()) status_ = DataLoss(std::move(reason));
}

Status ByteReader::Finish() const {
  if (!status_.ok()) return status_;
  if (remaining() != 0) return DataLoss(remaining(), " bytes are left over at the end");
  return Status();
}

}  // namespace consilium
