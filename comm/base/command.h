// The front door's vocabulary: a table of verbs, and one Command per verb that declares its options, prints --help with
// an example, and turns a Status into the stable exit code.
//
// Results for machines go to stdout (`--json`); everything for people goes to stderr.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "comm/base/json.h"
#include "comm/base/status.h"

namespace consilium {

using Arguments = std::vector<std::string>;  // what follows the verb

struct Verb {
  std::string name;
  std::string summary;  // one line for the table of verbs
  std::function<int(const Arguments&)> run;
};

// Runs argv[1] from the table; without it or with --help prints the table; an unknown verb is answered with the
// nearest.
// `--version` prints the version.  Returns the exit code.
int RunVerb(const std::string& program, const std::string& summary, std::span<const Verb> verbs, int argc, char** argv);

// One verb's options.  Strand-bound.
class Command {
 public:
  // `example` is shown under "Example:" and should work as it stands.
  Command(std::string program_and_verb, std::string description, std::string example);
  ~Command();

  void Positional(const std::string& name, std::string* value, const std::string& help, bool required = true);
  void Positionals(const std::string& name, std::vector<std::string>* values, const std::string& help);
  // `names` as "--output,-o".  The default is shown in --help.
  void Option(const std::string& names, std::string* value, const std::string& help, bool required = false);
  void Option(const std::string& names, std::int64_t* value, const std::string& help);
  void Option(const std::string& names, double* value, const std::string& help);
  void Option(const std::string& names, std::vector<std::string>* values, const std::string& help);  // may be repeated
  void Flag(const std::string& names, bool* value, const std::string& help);

  // Parses, and runs `body` when nothing is wrong.  --help prints and returns 0; a usage error prints what was wrong
  // and the nearest option, and returns 2; a failed body prints "consilium train: <message>" and returns
  // ExitCodeFor(status). With --json a failure is also printed to stdout as {"error": {"code", "message",
  // "exit_code"}}.
  int Run(const Arguments& arguments, const std::function<Status()>& body);
  bool json() const;
  // Prints one JSON document to stdout (only of use with --json).
  static void PrintJson(const Json& json);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

inline constexpr const char kVersion[] = "0.1.0";

}  // namespace consilium
