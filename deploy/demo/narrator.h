// Tells what the coordinator's events mean, one sentence each, and keeps what the summary needs.
#pragma once

#include <set>
#include <string>

#include "comm/base/json.h"
#include "deploy/demo/workspace.h"

namespace consilium::demo {

// Strand-bound.
class Narrator {
 public:
  Narrator(std::int64_t rounds, Summing summing) : rounds_(rounds), secret_(summing == Summing::kSecure) {}
  // The sentence for this event; "" when it is not worth one.
  std::string Tell(const Json& event);

  bool finished() const { return finished_; }
  bool succeeded() const { return succeeded_; }
  const std::string& message() const { return message_; }

 private:
  std::string TellUpdate(const Json& event);
  std::string TellRound(const Json& event);
  std::string TellSecure(const std::string& kind, const Json& event);
  std::int64_t rounds_;
  bool finished_ = false, succeeded_ = false;
  bool secret_ = false;           // the rounds' updates are summed in secret
  std::set<std::string> shared_;  // of the sum in hand: who has shared its keys
  std::string message_;
};

// "1.4 MB"
std::string FormatBytes(double bytes);

}  // namespace consilium::demo
