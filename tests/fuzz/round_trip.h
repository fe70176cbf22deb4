// The claim of every decoder: any bytes give a message or an error that says what is wrong, and a message that was
// decoded is encoded and decoded to the same again.
#pragma once

#include "comm/base/status.h"
#include "target.h"

namespace consilium::fuzz {

template <typename Decode, typename Encode>
void RoundTrip(ByteSpan input, const Decode& decode, const Encode& encode) {
  const auto message = decode(input);
  if (!message.ok()) return Require(!message.status().message().empty(), "an error says what is wrong");
  const Bytes bytes = encode(*message);
  const auto again = decode(bytes);
  Require(again.ok(), "what was decoded and encoded can be decoded");
  Require(encode(*again) == bytes, "what was decoded is encoded and decoded to the same");
}

}  // namespace consilium::fuzz
