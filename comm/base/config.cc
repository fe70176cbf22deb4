#include "comm/base/config.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <sstream>

#include "comm/base/file.h"
#include "comm/base/suggest.h"

namespace consilium {

struct ConfigNode::Impl {
  YAML::Node node;
  std::string file;
  std::string path;  // "train.epochs"; "" at the root
  int line = 0;      // 1-based, of the key; 0: not from the file
  // Dotted path -> the --set assignment that put it there; shared by the whole tree.
  std::shared_ptr<std::map<std::string, std::string>> assignments =
      std::make_shared<std::map<std::string, std::string>>();

  std::unique_ptr<Impl> Child(const YAML::Node& child, std::string child_path, int child_line) const {
    return std::make_unique<Impl>(Impl{child, file, std::move(child_path), child_line, assignments});
  }
};

namespace {

int LineOf(const YAML::Node& node) { return node.Mark().is_null() ? 0 : node.Mark().line + 1; }

// JSON, which the resolved file becomes, holds UTF-8 only, and yaml-cpp lets other bytes through.
Status CheckUtf8(const std::string& text, const std::string& name) {
  int line = 1;
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    line += lead == '\n';
    const std::size_t size = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    std::uint32_t point = size < 2 ? lead : lead & (0x7F >> size);
    bool good = size > 0 && at + size <= text.size();
    for (std::size_t i = 1; good && i < size; ++i) {
      const auto next = static_cast<unsigned char>(text[at + i]);
      good = next >> 6 == 2;
      point = point << 6 | (next & 0x3F);
    }
    constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    good = good && point >= kSmallest[size] && point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
    if (!good) return InvalidArgument(name, ":", line, ": not UTF-8 text; save the file as UTF-8");
    at += size;
  }
  return Status();
}

// Where documents begin, and nothing else of them.
class DocumentStarts final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override { line_ = mark.line + 1; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
  int line() const { return line_; }  // of the last one

 private:
  int line_ = 0;
};

// YAML::LoadAll would go on: after a bracket too many it finds empty documents for ever.
Status CheckOneDocument(const std::string& text, const std::string& name) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  DocumentStarts starts;
  if (parser.HandleNextDocument(starts) && parser.HandleNextDocument(starts))
    return InvalidArgument(name, ":", starts.line(), ": expected one document, and it has ended; remove what follows");
  return Status();
}

// What a reader would otherwise never notice: a key given twice (YAML keeps the first), a key that is no text, an alias
// that contains itself or multiplies. A job file has tens of nodes; the limits are far above that.
Status CheckTree(const YAML::Node& node, const std::string& name, int depth, int* nodes_left) {
  if (depth > 50 || --*nodes_left < 0)
    return InvalidArgument(name, ":", LineOf(node), ": nested too deeply or too large; does an alias contain itself?");
  if (node.IsSequence())
    for (const auto& item : node) RETURN_IF_ERROR(CheckTree(item, name, depth + 1, nodes_left));
  if (!node.IsMap()) return Status();
  std::set<std::string> seen;
  for (const auto& entry : node) {
    const int line = LineOf(entry.first);
    if (!entry.first.IsScalar()) return InvalidArgument(name, ":", line, ": expected a word as key");
    if (!seen.insert(entry.first.Scalar()).second)
      return InvalidArgument(name, ":", line, ": the key '", entry.first.Scalar(), "' is given twice; keep one");
    RETURN_IF_ERROR(CheckTree(entry.second, name, depth + 1, nodes_left));
  }
  return Status();
}

Status CheckTree(const YAML::Node& root, const std::string& name) {
  int nodes_left = 100'000;
  return CheckTree(root, name, 0, &nodes_left);
}

}  // namespace

ConfigNode::ConfigNode(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ConfigNode::~ConfigNode() = default;
ConfigNode::ConfigNode(const ConfigNode& other) : impl_(std::make_unique<Impl>(*other.impl_)) {}
ConfigNode& ConfigNode::operator=(const ConfigNode& other) {
  if (this != &other) impl_ = std::make_unique<Impl>(*other.impl_);  // YAML::Node's own assignment would write through
  return *this;
}

StatusOr<ConfigNode> ConfigNode::Parse(const std::string& text, const std::string& name) {
  RETURN_IF_ERROR(CheckUtf8(text, name));
  try {
    RETURN_IF_ERROR(CheckOneDocument(text, name));
    // A map, not null: Set() puts keys into it.
    YAML::Node node(YAML::NodeType::Map);
    if (const YAML::Node document = YAML::Load(text); !document.IsNull()) node.reset(document);
    if (!node.IsMap()) return InvalidArgument(name, ": expected 'key: value' lines");
    RETURN_IF_ERROR(CheckTree(node, name));
    return ConfigNode(std::make_unique<Impl>(Impl{node, name, ""}));
  } catch (const YAML::Exception& error) {
    return InvalidArgument(name, ":", error.mark.line + 1, ": not valid YAML: ", error.msg);
  }
}

StatusOr<ConfigNode> ConfigNode::ReadFile(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const std::string text, consilium::ReadFile(path, 1 << 20));
  return Parse(text, path.string());
}

bool ConfigNode::IsMap() const { return impl_->node.IsDefined() && impl_->node.IsMap(); }
bool ConfigNode::IsSequence() const { return impl_->node.IsDefined() && impl_->node.IsSequence(); }
bool ConfigNode::IsScalar() const { return impl_->node.IsDefined() && impl_->node.IsScalar(); }
bool ConfigNode::IsNull() const { return !impl_->node.IsDefined() || impl_->node.IsNull(); }
std::string ConfigNode::scalar() const { return IsScalar() ? impl_->node.Scalar() : ""; }

std::vector<ConfigNode> ConfigNode::items() const {
  std::vector<ConfigNode> result;
  if (!IsSequence()) return result;
  for (std::size_t i = 0; i < impl_->node.size(); ++i) {
    const YAML::Node item = impl_->node[i];
    result.push_back(ConfigNode(impl_->Child(item, Concat(impl_->path, "[", i, "]"), LineOf(item))));
  }
  return result;
}

std::vector<std::string> ConfigNode::keys() const {
  std::vector<std::string> result;
  if (!IsMap()) return result;
  for (const auto& entry : impl_->node) result.push_back(entry.first.Scalar());
  return result;
}

ConfigNode ConfigNode::operator[](const std::string& key) const {
  const std::string path = impl_->path.empty() ? key : impl_->path + "." + key;
  if (IsMap())
    for (const auto& entry : impl_->node)
      if (entry.first.Scalar() == key) return ConfigNode(impl_->Child(entry.second, path, LineOf(entry.first)));
  return ConfigNode(impl_->Child(YAML::Node(YAML::NodeType::Null), path, 0));
}

std::string ConfigNode::where() const {
  // The nearest enclosing path that --set gave, if any: the file's lines say nothing about it.
  for (std::string path = impl_->path; !path.empty(); path.resize(path.find_last_of(".["))) {
    if (const auto set = impl_->assignments->find(path); set != impl_->assignments->end())
      return "--set " + set->second + ": " + impl_->path;
    if (path.find_last_of(".[") == std::string::npos) break;
  }
  std::string text = impl_->file;
  if (impl_->line > 0) text += Concat(":", impl_->line);
  if (!impl_->path.empty()) text += ": " + impl_->path;
  return text;
}

Status ConfigNode::Set(const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  const std::string path = assignment.substr(0, equals);
  if (equals == std::string::npos || path.empty() || path.front() == '.' || path.back() == '.' ||
      path.find("..") != std::string::npos)
    return InvalidArgument("--set ", assignment, ": expected key=value, for example train.epochs=3");
  RETURN_IF_ERROR(CheckUtf8(assignment, "--set"));
  try {
    const YAML::Node value = YAML::Load(assignment.substr(equals + 1));
    RETURN_IF_ERROR(CheckTree(value, "--set " + assignment));
    YAML::Node at;
    at.reset(impl_->node);
    std::size_t begin = 0;
    for (std::size_t dot; (dot = path.find('.', begin)) != std::string::npos; begin = dot + 1) {
      const std::string key = path.substr(begin, dot - begin);
      if (at[key].IsDefined() && !at[key].IsMap() && !at[key].IsNull())
        return InvalidArgument("--set ", assignment, ": '", key, "' is a value, not a section");
      at.reset(at[key]);
    }
    at[path.substr(begin)] = value;
    (*impl_->assignments)[path] = assignment;
  } catch (const YAML::Exception& error) {
    return InvalidArgument("--set ", assignment, ": ", error.msg);
  }
  return Status();
}

std::string ConfigNode::Dump() const {
  YAML::Emitter out;
  out << impl_->node;
  return std::string(out.c_str()) + "\n";
}

Rule<std::string> OneOf(std::vector<std::string> names) {
  return [names = std::move(names)](const std::string& value) -> std::string {
    if (std::find(names.begin(), names.end(), value) != names.end()) return "";
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "one of " : ", ") + name;
    if (const std::string nearest = NearestWord(value, names); !nearest.empty())
      text += " (did you mean '" + nearest + "'?)";
    return text;
  };
}

ConfigReader::ConfigReader(ConfigNode node) : node_(std::move(node)) {
  if (!node_.IsMap() && !node_.IsNull()) Bad(node_, "a section of 'key: value' lines");
}

ConfigNode ConfigReader::Child(const std::string& key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
  return status_.ok() ? node_[key] : ConfigNode::Parse("", "").value();
}

void ConfigReader::Bad(const ConfigNode& child, const std::string& expected) {
  if (!status_.ok()) return;
  std::string shown = child.IsSequence() ? "a list" : child.IsMap() ? "a section" : "nothing";
  if (child.IsScalar()) shown = "'" + child.scalar().substr(0, 80) + (child.scalar().size() > 80 ? "...'" : "'");
  status_ = InvalidArgument(child.where(), ": expected ", expected, ", found ", shown);
}

template <typename T>
void ConfigReader::Check(const ConfigNode& child, const T& value, const Rule<T>& rule) {
  if (!rule || !status_.ok()) return;
  if (const std::string expected = rule(value); !expected.empty()) Bad(child, expected);
}

namespace {

bool ParseNumber(const std::string& text, std::int64_t* value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), *value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

bool ParseNumber(const std::string& text, double* value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), *value);
  return result.ec == std::errc() && result.ptr == text.data() + text.size() && std::isfinite(*value);
}

bool ParseNumber(const std::string& text, std::string* value) {
  *value = text;
  return true;
}

// False when an item is not a T.
template <typename T>
bool ParseList(const ConfigNode& node, std::vector<T>* value) {
  std::vector<T> parsed;
  for (const ConfigNode& item : node.items()) {
    T element{};
    if (!item.IsScalar() || !ParseNumber(item.scalar(), &element)) return false;
    parsed.push_back(std::move(element));
  }
  *value = std::move(parsed);
  return node.IsSequence();
}

}  // namespace

void ConfigReader::Read(const std::string& key, std::string* value, Rule<std::string> rule) {
  const ConfigNode child = Child(key);
  if (child.IsNull()) return;
  if (!child.IsScalar()) return Bad(child, "text");
  *value = child.scalar();
  Check(child, *value, rule);
}

void ConfigReader::Read(const std::string& key, std::int64_t* value, Rule<std::int64_t> rule) {
  const ConfigNode child = Child(key);
  if (child.IsNull()) return;
  if (!child.IsScalar() || !ParseNumber(child.scalar(), value)) return Bad(child, "a whole number");
  Check(child, *value, rule);
}

void ConfigReader::Read(const std::string& key, double* value, Rule<double> rule) {
  const ConfigNode child = Child(key);
  if (child.IsNull()) return;
  if (!child.IsScalar() || !ParseNumber(child.scalar(), value)) return Bad(child, "a finite number");
  Check(child, *value, rule);
}

void ConfigReader::Read(const std::string& key, bool* value) {
  const ConfigNode child = Child(key);
  if (child.IsNull()) return;
  const std::string text = child.scalar();
  if (text != "true" && text != "false") return Bad(child, "true or false");
  *value = text == "true";
}

void ConfigReader::Read(const std::string& key, Duration* value, Rule<Duration> rule) {
  const ConfigNode child = Child(key);
  if (child.IsNull()) return;
  const StatusOr<Duration> parsed = ParseDuration(child.scalar());
  if (!parsed.ok()) return Bad(child, "a duration such as 90s, 20m or 1h30m");
  *value = *parsed;
  Check(child, *value, rule);
}

void ConfigReader::Read(const std::string& key, std::vector<std::string>* value) {
  const ConfigNode child = Child(key);
  if (!child.IsNull() && !ParseList(child, value)) Bad(child, "a list of texts");
}

void ConfigReader::Read(const std::string& key, std::vector<std::int64_t>* value) {
  const ConfigNode child = Child(key);
  if (!child.IsNull() && !ParseList(child, value)) Bad(child, "a list of whole numbers");
}

void ConfigReader::Read(const std::string& key, std::vector<double>* value) {
  const ConfigNode child = Child(key);
  if (!child.IsNull() && !ParseList(child, value)) Bad(child, "a list of numbers");
}

void ConfigReader::Read(const std::string& key, std::vector<std::vector<std::int64_t>>* value) {
  const ConfigNode child = Child(key);
  if (child.IsNull()) return;
  std::vector<std::vector<std::int64_t>> parsed;
  bool good = child.IsSequence();
  for (const ConfigNode& item : child.items()) good = ParseList(item, &parsed.emplace_back()) && good;
  if (!good) return Bad(child, "a list of lists of whole numbers");
  *value = std::move(parsed);
}

void ConfigReader::ReadMap(const std::string& key, const std::function<void(ConfigReader&)>& read) {
  const ConfigNode child = Child(key);
  if (!status_.ok() || child.IsNull()) return;
  ConfigReader nested(child);
  if (nested.status().ok()) read(nested);
  status_ = nested.Finish();
}

void ConfigReader::Require(const std::string& key) {
  if (!status_.ok() || Has(key)) return;
  const std::vector<std::string> keys = node_.keys();
  const std::string near = NearestWord(key, keys);
  status_ = InvalidArgument(node_[key].where(), " is missing",
                            near.empty() ? "" : Concat("; did you mean it by '", near, "'?"));
}

void ConfigReader::RefuseUnbuilt(const std::string& key, const std::string& why) {
  const ConfigNode child = Child(key);
  if (status_.ok() && !child.IsNull()) status_ = Unimplemented(child.where(), " is known but not built yet: ", why);
}

void ConfigReader::RefuseUnbuiltValue(const std::string& key, const std::string& value, const std::string& why) {
  const ConfigNode child = Child(key);
  if (status_.ok() && child.IsScalar() && child.scalar() == value)
    status_ = Unimplemented(child.where(), ": '", value, "' is known but not built yet: ", why);
}

bool ConfigReader::Has(const std::string& key) const { return !node_[key].IsNull(); }

void ConfigReader::Refuse(const std::string& key, const std::string& expected) { Bad(node_[key], expected); }

Status ConfigReader::Finish() {
  if (!status_.ok()) return status_;
  for (const std::string& key : node_.keys())
    if (std::find(known_.begin(), known_.end(), key) == known_.end())
      return InvalidArgument(node_[key].where(), " is not a known key", Suggestion(key, known_));
  return Status();
}

namespace {

void EmitMap(const Json& map, int indent, std::string* out) {
  for (const auto& [key, value] : map.items()) {
    *out += std::string(static_cast<std::size_t>(indent), ' ') + key + ":";
    if (value.is_object() && !value.empty()) {
      *out += "\n";
      EmitMap(value, indent + 2, out);
    } else {
      *out += " " + value.dump() + "\n";  // JSON scalars and lists are YAML
    }
  }
}

}  // namespace

std::string JsonToYaml(const Json& json) {
  std::string out;
  EmitMap(json, 0, &out);
  return out;
}

}  // namespace consilium
