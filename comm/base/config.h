// YAML (or JSON, its subset) into validated structs, once, at the edge.
//
// A ConfigNode knows where it stands ("job.yaml:12: train.epochs"), so every error names file, line, key and what was
// expected. Reading marks keys as known; Finish() refuses what nobody read, and suggests the nearest key that was asked
// for.
//
//   ConfigNode root = ...;
//   ConfigReader reader(root);
//   reader.Read("epochs", &spec.epochs, AtLeast(1));
//   RETURN_IF_ERROR(reader.Finish());
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "comm/base/json.h"
#include "comm/base/status.h"
#include "comm/base/time.h"

namespace consilium {

class ConfigNode {
 public:
  // `name` is the file's name in errors.
  static StatusOr<ConfigNode> Parse(const std::string& text, const std::string& name);
  static StatusOr<ConfigNode> ReadFile(const std::filesystem::path& path);
  ~ConfigNode();
  ConfigNode(const ConfigNode&);
  ConfigNode& operator=(const ConfigNode&);

  bool IsMap() const;
  bool IsSequence() const;
  bool IsScalar() const;
  bool IsNull() const;
  std::string scalar() const;             // "" unless a scalar
  std::vector<ConfigNode> items() const;  // of a sequence
  std::vector<std::string> keys() const;  // of a map, in file order
  // The child, or a null node.
  ConfigNode operator[](const std::string& key) const;
  // "job.yaml:12: train.epochs".
  std::string where() const;
  // "train.epochs=3" as on the command line: sets (and makes) the scalar at a dotted path; the value is YAML.
  Status Set(const std::string& assignment);
  // The whole as YAML text.
  std::string Dump() const;

 private:
  struct Impl;
  explicit ConfigNode(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A check on a value: returns "" when good, else what was expected ("at least 1").
template <typename T>
using Rule = std::function<std::string(const T&)>;
template <typename T>
Rule<T> AtLeast(T low) {
  return [low](const T& value) { return value >= low ? std::string() : Concat("at least ", low); };
}
template <typename T>
Rule<T> Between(T low, T high) {
  return [low, high](const T& value) {
    return value >= low && value <= high ? std::string() : Concat("between ", low, " and ", high);
  };
}
Rule<std::string> OneOf(std::vector<std::string> names);

// Reads one map.  Remembers the first error; later reads then do nothing.  Strand-bound.
class ConfigReader {
 public:
  explicit ConfigReader(ConfigNode node);

  // Each leaves *value as it is (the default) when the key is absent.
  void Read(const std::string& key, std::string* value, Rule<std::string> rule = nullptr);
  void Read(const std::string& key, std::int64_t* value, Rule<std::int64_t> rule = nullptr);
  void Read(const std::string& key, double* value, Rule<double> rule = nullptr);
  void Read(const std::string& key, bool* value);
  void Read(const std::string& key, Duration* value, Rule<Duration> rule = nullptr);
  void Read(const std::string& key, std::vector<std::string>* value);
  void Read(const std::string& key, std::vector<std::int64_t>* value);
  void Read(const std::string& key, std::vector<double>* value);
  void Read(const std::string& key, std::vector<std::vector<std::int64_t>>* value);
  // A nested map: `read` gets its own reader; unknown keys inside are refused.  Absent: not called.
  void ReadMap(const std::string& key, const std::function<void(ConfigReader&)>& read);
  // The key must be there.
  void Require(const std::string& key);
  // Known to the plan, not built yet: present means refused (kUnimplemented), with what to do instead.
  void RefuseUnbuilt(const std::string& key, const std::string& why);
  // Present, and its value is one of those known but not built yet.
  void RefuseUnbuiltValue(const std::string& key, const std::string& value, const std::string& why);
  bool Has(const std::string& key) const;
  // For checks across keys: kInvalidArgument with the node's place in front.
  void Refuse(const std::string& key, const std::string& expected);

  ConfigNode node() const { return node_; }
  const Status& status() const { return status_; }
  // Unknown keys are errors.
  Status Finish();

 private:
  ConfigNode Child(const std::string& key);
  void Bad(const ConfigNode& child, const std::string& expected);
  template <typename T>
  void Check(const ConfigNode& child, const T& value, const Rule<T>& rule);

  ConfigNode node_;
  std::vector<std::string> known_;
  Status status_;
};

// JSON as block YAML: maps line by line, lists in brackets.
std::string JsonToYaml(const Json& json);

}  // namespace consilium
