#include "comm/wire/operator.h"

#include "comm/wire/codec.h"

namespace consilium::wire {
namespace {

// Texts longer than a message's usual ones, each with its own limit.
void Long(FieldWriter& writer, const std::string& text, std::size_t bytes_max) {
  writer.PutString(std::string_view(text).substr(0, bytes_max));
}
void Long(FieldReader& reader, std::string& text, std::size_t bytes_max) { text = reader.GetString(bytes_max); }

void Hash(FieldWriter& writer, const Digest& digest) { writer.PutRaw(digest.bytes); }
void Hash(FieldReader& reader, Digest& digest) {
  const ByteSpan raw = reader.GetRaw(digest.bytes.size());
  if (!raw.empty()) std::copy(raw.begin(), raw.end(), digest.bytes.begin());
}

void Flag(FieldWriter& writer, bool flag) { writer.Put(flag); }
void Flag(FieldReader& reader, bool& flag) { flag = reader.Get<bool>(); }

}  // namespace

// One function lists a struct's fields for both directions (found by argument-dependent lookup from codec.h).
template <typename Io>
void Fields(Io&, Ping&) {}
template <typename Io>
void Fields(Io& io, SubmitJob& submit) {
  Long(io, submit.job_json, kJobJsonBytesMax), io(submit.model), io(submit.priority);
}
template <typename Io>
void Fields(Io& io, PutChunk& put) {
  Hash(io, put.model), io(put.index), Long(io, put.data, kChunkBytes);
}
template <typename Io>
void Fields(Io&, ListJobs&) {}
template <typename Io>
void Fields(Io& io, DescribeJob& describe) {
  io(describe.job);
}
template <typename Io>
void Fields(Io& io, ExplainJob& explain) {
  io(explain.job);
}
template <typename Io>
void Fields(Io& io, AbortJob& abort) {
  io(abort.job), io(abort.reason);
}
template <typename Io>
void Fields(Io& io, PauseJob& pause) {
  io(pause.job);
}
template <typename Io>
void Fields(Io& io, ResumeJob& resume) {
  io(resume.job);
}
template <typename Io>
void Fields(Io& io, ReadLog& read) {
  io(read.job), io(read.position), io(read.wait_ms);
}
template <typename Io>
void Fields(Io& io, OfferFile& offer) {
  io(offer.job), io(offer.name);
}
template <typename Io>
void Fields(Io& io, GetChunk& get) {
  io(get.job), io(get.name), Hash(io, get.digest), io(get.index);
}
template <typename Io>
void Fields(Io& io, Pong& pong) {
  io(pong.protocol_major), io(pong.protocol_minor), io(pong.build), io(pong.coordinator), io(pong.you);
}
template <typename Io>
void Fields(Io& io, SubmitReply& reply) {
  io.Enum(reply.state, SubmitState::kThereBefore), io(reply.chunks_done), io(reply.message);
}
template <typename Io>
void Fields(Io& io, ChunkTaken& taken) {
  io(taken.chunks_done);
}
template <typename Io>
void Fields(Io& io, Document& document) {
  Long(io, document.json, kDocumentBytesMax);
}
template <typename Io>
void Fields(Io& io, LogPart& part) {
  Long(io, part.lines, kDocumentBytesMax), io(part.position), Flag(io, part.over);
}
template <typename Io>
void Fields(Io& io, FileOffer& offer) {
  io(offer.file_name), io(offer.manifest);
}
template <typename Io>
void Fields(Io& io, FileChunk& chunk) {
  Long(io, chunk.data, kChunkBytes);
}

namespace {

template <typename Variant>
StatusOr<Variant> DecodeBounded(ByteSpan bytes) {
  if (bytes.size() > kOperatorBytesMax)
    return DataLoss("a message of ", bytes.size(), " bytes; at most ", kOperatorBytesMax, " are accepted");
  FieldReader reader(bytes);
  const auto index = reader.Get<std::uint8_t>();
  RETURN_IF_ERROR(reader.status());
  return DecodeVariant<Variant>(index, &reader);
}

}  // namespace

Bytes Encode(const OperatorRequest& request) { return EncodeVariant(request); }
Bytes Encode(const OperatorReply& reply) { return EncodeVariant(reply); }
StatusOr<OperatorRequest> DecodeOperatorRequest(ByteSpan bytes) { return DecodeBounded<OperatorRequest>(bytes); }
StatusOr<OperatorReply> DecodeOperatorReply(ByteSpan bytes) { return DecodeBounded<OperatorReply>(bytes); }

std::string_view RequestName(const OperatorRequest& request) {
  static constexpr std::string_view kNames[] = {"ping",  "submit", "submit",   "list",     "status", "why",
                                                "abort", "log",    "download", "download", "pause",  "resume"};
  return kNames[request.index()];
}

}  // namespace consilium::wire
