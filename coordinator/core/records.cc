#include "coordinator/core/records.h"

namespace consilium::coordinator {
namespace {

constexpr std::size_t kTextBytesMax = 1 << 20;
constexpr std::size_t kEntriesMax = 65536;
constexpr std::size_t kBytesMax = 64 << 20;  // of a transcript: a few hundred bytes a site

// Writer and Reader take the same list of fields (Fields() below), so what is written is what is read.
struct Writer {
  ByteWriter bytes;
  void operator()(const std::string& text) { bytes.PutString(text); }
  template <typename Tag>
  void operator()(const StrongString<Tag>& id) {
    bytes.PutString(id.value());
  }
  template <typename T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void operator()(T value) { bytes.Put(value); }
  void operator()(const Digest& digest) { bytes.PutRaw(digest.bytes); }
  void operator()(const wire::BlobManifest& manifest) { wire::Encode(manifest, &bytes); }
  void operator()(const Bytes& blob) { bytes.PutBytes(blob); }
  void operator()(const MaskedVector& masked) { (*this)(masked.vector), (*this)(masked.seconds); }
  void operator()(const std::vector<SiteName>& sites) {
    bytes.Put(static_cast<std::uint32_t>(sites.size()));
    for (const SiteName& site : sites) (*this)(site);
  }
  // Metrics, and manifests by name.
  template <typename Key, typename Value>
  void operator()(const std::map<Key, Value>& map) {
    bytes.Put(static_cast<std::uint32_t>(map.size()));
    for (const auto& [key, value] : map) (*this)(key), (*this)(value);
  }
  void operator()(const std::optional<wire::BlobManifest>& manifest) {
    bytes.Put(static_cast<std::uint8_t>(manifest.has_value()));
    if (manifest) (*this)(*manifest);
  }
};

struct Reader {
  ByteReader bytes;
  void operator()(std::string& text) { text = bytes.GetString(kTextBytesMax); }
  template <typename Tag>
  void operator()(StrongString<Tag>& id) {
    id = StrongString<Tag>(bytes.GetString(kTextBytesMax));
  }
  void operator()(double& value) { value = bytes.Get<double>(); }
  void operator()(Round& round) { round = bytes.Get<Round>(); }
  void operator()(Attempt& attempt) { attempt = bytes.Get<Attempt>(); }
  void operator()(StatusCode& code) { Enum(code, StatusCode::kUnimplemented); }
  void operator()(wire::TaskKind& kind) { Enum(kind, wire::TaskKind::kStatistics); }
  void operator()(CloseReason& reason) { Enum(reason, CloseReason::kDeadline); }
  void operator()(Purpose& purpose) { Enum(purpose, Purpose::kCrossSite); }
  void operator()(std::uint32_t& value) { value = bytes.Get<std::uint32_t>(); }
  void operator()(Digest& digest) {
    if (const ByteSpan raw = bytes.GetRaw(digest.bytes.size()); !raw.empty())
      std::copy(raw.begin(), raw.end(), digest.bytes.begin());
  }
  void operator()(wire::BlobManifest& manifest) { manifest = wire::DecodeManifest(&bytes); }
  void operator()(Bytes& blob) { blob = bytes.GetBytes(kBytesMax); }
  void operator()(MaskedVector& masked) { (*this)(masked.vector), (*this)(masked.seconds); }
  void operator()(std::vector<SiteName>& sites) {
    const std::uint32_t count = bytes.GetCount(sizeof(std::uint32_t));
    for (std::uint32_t i = 0; i < count && bytes.status().ok(); ++i) (*this)(sites.emplace_back());
  }
  template <typename Key, typename Value>
  void operator()(std::map<Key, Value>& map) {
    const std::uint32_t count = bytes.GetCount(sizeof(std::uint32_t) + sizeof(double));
    if (count > kEntriesMax) return bytes.Fail(Concat(count, " entries"));
    for (std::uint32_t i = 0; i < count && bytes.status().ok(); ++i) {
      Key key;
      Value value{};
      (*this)(key), (*this)(value);
      if (!map.empty() && key <= map.rbegin()->first) return bytes.Fail("names are not in order");
      map.emplace(std::move(key), std::move(value));
    }
  }
  void operator()(std::optional<wire::BlobManifest>& manifest) {
    const auto present = bytes.Get<std::uint8_t>();
    if (present > 1) return bytes.Fail("a truth value that is neither 0 nor 1");
    if (present == 1) (*this)(manifest.emplace());
  }
  template <typename T>
  void Enum(T& value, T last) {
    value = bytes.Get<T>();
    if (value < T{} || value > last) bytes.Fail("a value beyond the last known one"), value = T{};
  }
};

template <typename Io, typename Key>
void TaskFields(Io& io, Key& task) {
  io(task.job), io(task.round), io(task.attempt), io(task.kind), io(task.subject);
}

// `T` is the record, const when writing.
template <typename Io, typename T>
void Fields(Io& io, T& record) {
  using R = std::remove_const_t<T>;
  if constexpr (std::is_same_v<R, JobOpened>) {
    io(record.job), io(record.job_json), io(record.sites), io(record.model);
  } else if constexpr (std::is_same_v<R, RoundOpened>) {
    io(record.round), io(record.cohort), io(record.model), io(record.target);
  } else if constexpr (std::is_same_v<R, UpdateAccepted>) {
    io(record.site), TaskFields(io, record.task), io(record.update), io(record.weight), io(record.metrics),
        io(record.seconds);
  } else if constexpr (std::is_same_v<R, TaskFailureRecorded>) {
    io(record.site), TaskFields(io, record.task), io(record.code), io(record.message);
  } else if constexpr (std::is_same_v<R, RoundClosed>) {
    io(record.round), io(record.contributors), io(record.missing), io(record.reason);
  } else if constexpr (std::is_same_v<R, ModelPublished>) {
    io(record.round), io(record.model), io(record.parameters), io(record.strategy_state), io(record.auxiliary),
        io(record.site_models), io(record.notes), io(record.clip);
  } else if constexpr (std::is_same_v<R, EvaluationOpened>) {
    io(record.cohort), io(record.purpose), io(record.kind), io(record.subjects);
  } else if constexpr (std::is_same_v<R, EvaluationAccepted>) {
    io(record.site), TaskFields(io, record.task), io(record.metrics);
  } else if constexpr (std::is_same_v<R, JobFinished>) {
    io(record.code), io(record.message);
  } else if constexpr (std::is_same_v<R, EvaluationClosed>) {
    io(record.reason);
  } else if constexpr (std::is_same_v<R, PlanPinned>) {
    io(record.job_json), io(record.plans), io(record.digest);
  } else if constexpr (std::is_same_v<R, ModelInitialized>) {
    io(record.model);
  } else if constexpr (std::is_same_v<R, SecureSessionOpened>) {
    io(record.round), io(record.session), io(record.cohort);
  } else if constexpr (std::is_same_v<R, BeaconOpened>) {
    io(record.round), io(record.attempt), io(record.sites);
  } else if constexpr (std::is_same_v<R, BeaconAgreed>) {
    io(record.round), io(record.attempt), io(record.value), io(record.notice);
  } else if constexpr (std::is_same_v<R, UnmaskingBegan>) {
    io(record.round), io(record.session), io(record.transcript), io(record.vectors);
  } else if constexpr (std::is_same_v<R, SharesReleased>) {
    io(record.round), io(record.session), io(record.site), io(record.release);
  } else if constexpr (std::is_same_v<R, RoundSkipped>) {
    io(record.round), io(record.why);
  } else if constexpr (std::is_same_v<R, JobPaused> || std::is_same_v<R, JobResumed>) {
    io(record.by);
  } else {
    static_assert(std::is_same_v<R, UpdateWithdrawn> || std::is_same_v<R, TaskGiven>);
    io(record.site), TaskFields(io, record.task);
  }
}

template <std::size_t Index = 0>
StatusOr<Record> DecodeAs(std::uint8_t index, Reader* reader) {
  if constexpr (Index == std::variant_size_v<Record>) {
    return DataLoss("record kind ", int{index}, " is not known");
  } else {
    if (index != Index) return DecodeAs<Index + 1>(index, reader);
    std::variant_alternative_t<Index, Record> record;
    Fields(*reader, record);
    RETURN_IF_ERROR(reader->bytes.Finish());
    return Record(std::move(record));
  }
}

}  // namespace

Bytes Encode(const Record& record) {
  Writer writer;
  writer(kRecordFormat);
  writer(static_cast<std::uint8_t>(record.index()));
  std::visit([&](const auto& alternative) { Fields(writer, alternative); }, record);
  return std::move(writer.bytes).Take();
}

StatusOr<Record> DecodeRecord(ByteSpan bytes) {
  Reader reader{ByteReader(bytes)};
  const auto format = reader.bytes.Get<std::uint8_t>();
  RETURN_IF_ERROR(reader.bytes.status());
  if (format != kRecordFormat)
    return FailedPrecondition("a journal record of format ", int{format}, "; this build reads format ",
                              int{kRecordFormat}, ", use the version that began the job");
  const auto index = reader.bytes.Get<std::uint8_t>();
  RETURN_IF_ERROR(reader.bytes.status());
  return DecodeAs(index, &reader);
}

std::string_view CloseReasonName(CloseReason reason) {
  static constexpr std::string_view kNames[] = {"all_answered", "enough", "deadline"};
  return kNames[static_cast<std::size_t>(reason)];
}

std::string_view PurposeName(Purpose purpose) {
  static constexpr std::string_view kNames[] = {"final", "round", "cross_site"};
  return kNames[static_cast<std::size_t>(purpose)];
}

std::string_view RecordName(const Record& record) {
  static constexpr std::string_view kNames[] = {
      "JobOpened",        "RoundOpened",         "UpdateAccepted",     "TaskFailureRecorded", "RoundClosed",
      "ModelPublished",   "EvaluationOpened",    "EvaluationAccepted", "JobFinished",         "UpdateWithdrawn",
      "EvaluationClosed", "TaskGiven",           "JobPaused",          "JobResumed",          "PlanPinned",
      "ModelInitialized", "SecureSessionOpened", "UnmaskingBegan",     "SharesReleased",      "RoundSkipped",
      "BeaconOpened",     "BeaconAgreed"};
  static_assert(std::size(kNames) == std::variant_size_v<Record>);
  return kNames[record.index()];
}

}  // namespace consilium::coordinator
