#include "comm/tensor/safetensors_header.h"

#include <algorithm>
#include <utility>

#include "comm/base/json.h"

namespace consilium::tensor {
namespace {

constexpr char kMetadataKey[] = "__metadata__";
constexpr std::size_t kRankMax = 16;
constexpr std::size_t kNameBytesMax = 1024;
constexpr std::uint64_t kSizeMax = std::uint64_t{1} << 48;

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// A name as it may appear in an error that a person reads on a terminal.
std::string Shown(const std::string& name) {
  std::string shown = name.substr(0, 80);
  std::replace_if(shown.begin(), shown.end(), IsControl, '?');
  return "'" + shown + (name.size() > 80 ? "...'" : "'");
}

// nlohmann's parser calls these in document order; false stops it.
class HeaderHandler {
 public:
  bool null() { return Unexpected("null"); }
  bool boolean(bool) { return Unexpected("a truth value"); }
  bool number_integer(std::int64_t) { return Unexpected("a negative number"); }
  bool number_float(double, const std::string&) { return Unexpected("a number that is not whole"); }
  bool binary(Json::binary_t&) { return Unexpected("binary data"); }
  bool number_unsigned(std::uint64_t number);
  bool string(std::string& text);
  bool start_object(std::size_t);
  bool key(std::string& text);
  bool end_object();
  bool start_array(std::size_t);
  bool end_array();
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) {
    return Fail(Concat("the header is not valid JSON at byte ", position));
  }

  bool complete() const { return at_ == At::kEnd; }
  const Status& status() const { return status_; }
  SafetensorsHeader& header() { return header_; }

 private:
  // What comes next.
  enum class At {
    kTop,            // {
    kName,           // a tensor's name, or __metadata__, or }
    kMetadata,       // {
    kMetadataKey,    // or }
    kMetadataValue,  // text
    kTensor,         // {
    kTensorKey,      // dtype, shape, data_offsets, or }
    kDtype,          // text
    kShape,          // [
    kShapeItem,      // a number, or ]
    kOffsets,        // [
    kOffsetsItem,    // a number, or ]
    kEnd,
  };

  bool Go(At next) {
    at_ = next;
    return true;
  }
  bool Fail(std::string what) {
    if (status_.ok()) status_ = DataLoss(std::move(what));
    return false;
  }
  bool Unexpected(const std::string& what) {
    return Fail(Concat("the header has ", what, " where it does not belong, near ", Shown(name_)));
  }
  bool BeginName(const std::string& name);
  bool BeginTensorKey(const std::string& key);
  HeaderEntry& entry() { return header_.entries.back(); }

  SafetensorsHeader header_;
  Status status_;
  At at_ = At::kTop;
  std::string name_;  // of the tensor, or the metadata key, in hand
  bool has_dtype_ = false, has_shape_ = false, has_metadata_ = false;
  std::vector<std::uint64_t> offsets_;
};

bool HeaderHandler::start_object(std::size_t) {
  if (at_ == At::kTop) return Go(At::kName);
  if (at_ == At::kMetadata) return Go(At::kMetadataKey);
  if (at_ == At::kTensor) return Go(At::kTensorKey);
  return Unexpected("a map");
}

bool HeaderHandler::end_object() {
  if (at_ == At::kName) return Go(At::kEnd);
  if (at_ == At::kMetadataKey) return Go(At::kName);
  if (!has_dtype_ || !has_shape_ || offsets_.size() != 2)
    return Fail(Concat("tensor ", Shown(name_), " needs dtype, shape and two data_offsets"));
  entry().begin = offsets_[0], entry().end = offsets_[1];
  return Go(At::kName);
}

bool HeaderHandler::key(std::string& text) {
  if (at_ == At::kName) return BeginName(text);
  if (at_ == At::kTensorKey) return BeginTensorKey(text);
  name_ = text;
  if (header_.metadata.contains(text)) return Fail(Concat("the metadata has ", Shown(text), " twice"));
  return Go(At::kMetadataValue);
}

bool HeaderHandler::BeginName(const std::string& name) {
  name_ = name;
  if (name == kMetadataKey) {
    if (std::exchange(has_metadata_, true)) return Fail("the header has __metadata__ twice");
    return Go(At::kMetadata);
  }
  if (name.size() > kNameBytesMax || std::any_of(name.begin(), name.end(), IsControl))
    return Fail(
        Concat("tensor name ", Shown(name), " is longer than ", kNameBytesMax, " bytes or has control characters"));
  header_.entries.emplace_back().spec.name = name;
  has_dtype_ = has_shape_ = false;
  offsets_.clear();
  return Go(At::kTensor);
}

bool HeaderHandler::BeginTensorKey(const std::string& key) {
  if (key == "dtype" && !std::exchange(has_dtype_, true)) return Go(At::kDtype);
  if (key == "shape" && !std::exchange(has_shape_, true)) return Go(At::kShape);
  if (key == "data_offsets" && offsets_.empty()) return Go(At::kOffsets);
  return Fail(Concat("tensor ", Shown(name_), " has the key ", Shown(key), " that is unknown or given twice"));
}

bool HeaderHandler::string(std::string& text) {
  if (at_ == At::kMetadataValue) {
    header_.metadata.emplace(name_, text);
    return Go(At::kMetadataKey);
  }
  if (at_ != At::kDtype) return Unexpected("text");
  const StatusOr<DType> dtype = DTypeFromName(text);
  if (!dtype.ok())
    return Fail(Concat("tensor ", Shown(name_), " has the type ", Shown(text), ", which is not read here"));
  entry().spec.dtype = *dtype;
  return Go(At::kTensorKey);
}

bool HeaderHandler::start_array(std::size_t) {
  if (at_ == At::kShape) return Go(At::kShapeItem);
  if (at_ == At::kOffsets) return Go(At::kOffsetsItem);
  return Unexpected("a list");
}

bool HeaderHandler::end_array() { return Go(At::kTensorKey); }  // only those two were let in

bool HeaderHandler::number_unsigned(std::uint64_t number) {
  if (at_ == At::kOffsetsItem) {
    if (offsets_.size() == 2) return Fail(Concat("tensor ", Shown(name_), " has more than two data_offsets"));
    offsets_.push_back(number);
    return true;
  }
  if (at_ != At::kShapeItem) return Unexpected("a number");
  std::vector<std::int64_t>& shape = entry().spec.shape;
  if (shape.size() == kRankMax)
    return Fail(Concat("tensor ", Shown(name_), " has more than ", kRankMax, " dimensions"));
  if (number > kSizeMax) return Fail(Concat("tensor ", Shown(name_), " has a dimension of ", number));
  shape.push_back(static_cast<std::int64_t>(number));
  return true;
}

Status CheckLayout(std::vector<HeaderEntry>* entries, std::uint64_t data_bytes) {
  std::sort(entries->begin(), entries->end(), [](const HeaderEntry& a, const HeaderEntry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t at = 0;
  for (const HeaderEntry& entry : *entries) {
    if (entry.begin > entry.end || entry.end > data_bytes)
      return DataLoss("tensor ", Shown(entry.spec.name), " announces bytes ", entry.begin, " to ", entry.end,
                      ", the file has ", data_bytes);
    if (entry.begin != at)
      return DataLoss("tensor ", Shown(entry.spec.name), " begins at byte ", entry.begin, ", expected ", at,
                      ": a gap or an overlap");
    at = entry.end;
  }
  if (at != data_bytes) return DataLoss("the tensors end at byte ", at, ", the file's data at ", data_bytes);
  return Status();
}

}  // namespace

StatusOr<SafetensorsHeader> ParseSafetensorsHeader(const std::string& text, std::uint64_t data_bytes) {
  HeaderHandler handler;
  const bool parsed = Json::sax_parse(text, &handler);
  RETURN_IF_ERROR(handler.status());
  if (!parsed || !handler.complete()) return DataLoss("the header is not one JSON map");
  SafetensorsHeader header = std::move(handler.header());
  RETURN_IF_ERROR(CheckLayout(&header.entries, data_bytes));
  std::sort(header.entries.begin(), header.entries.end(),
            [](const HeaderEntry& a, const HeaderEntry& b) { return a.spec.name < b.spec.name; });
  return header;
}

}  // namespace consilium::tensor
