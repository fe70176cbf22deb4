#include "privacy/policy/release_ledger.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "comm/base/descriptor.h"
#include "comm/base/file.h"
#include "comm/base/json.h"

namespace consilium::policy {
namespace {

std::string Text(const wire::TaskKey& task) {
  return Concat(task.job, "/", wire::TaskKindName(task.kind), "/", task.round, ".", task.attempt, "/", task.subject);
}

// "" for what is no round of training.
std::string RoundOf(const wire::TaskKey& task) {
  return task.kind == wire::TaskKind::kTrain ? Concat(task.job, "/", task.round) : "";
}

// Whole lines alone; returns how many bytes they have.
StatusOr<std::size_t> ParseLedger(const std::string& text, const std::string& where,
                                  std::map<std::string, SpentKeys>* spent) {
  std::size_t at = 0, line_number = 0;
  for (std::size_t end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    const StatusOr<Json> line = ParseJson(text.substr(at, end - at), Concat(where, ", line ", ++line_number));
    if (!line.ok()) return DataLoss(line.status().message());
    try {
      SpentKeys& keys = (*spent)[line->at("dataset").get<std::string>()];
      keys.tasks.insert(line->at("task").get<std::string>());
      if (const auto round = line->at("round").get<std::string>(); !round.empty()) keys.rounds.insert(round);
    } catch (const Json::exception& error) {
      return DataLoss(where, ", line ", line_number, ": ", error.what());
    }
  }
  return at;
}

constexpr std::size_t kLedgerBytesMax = std::size_t{1} << 30;

}  // namespace

StatusOr<Spent> ReadSpent(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kLedgerBytesMax));
  std::map<std::string, SpentKeys> keys;
  RETURN_IF_ERROR(ParseLedger(text, path.string(), &keys).status());
  Spent spent;
  for (const auto& [dataset, one] : keys)
    spent[dataset] = {.rounds = static_cast<std::int64_t>(one.rounds.size()),
                      .releases = static_cast<std::int64_t>(one.tasks.size())};
  return spent;
}

StatusOr<std::unique_ptr<ReleaseLedger>> ReleaseLedger::Open(std::filesystem::path path, const Clock* clock) {
  std::unique_ptr<ReleaseLedger> ledger(new ReleaseLedger(std::move(path), clock));
  RETURN_IF_ERROR(ledger->Load());
  return ledger;
}

ReleaseLedger::~ReleaseLedger() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status ReleaseLedger::Load() {
  descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (descriptor_ < 0) return ErrnoStatus(errno, "opening " + path_.string());
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path_, kLedgerBytesMax));
  ASSIGN_OR_RETURN(const std::size_t at, ParseLedger(text, path_.string(), &spent_));
  // The entry was not durable, so its work has not begun.
  if (at < text.size() && ::ftruncate(descriptor_, static_cast<off_t>(at)) != 0)
    return ErrnoStatus(errno, "mending " + path_.string());
  return SyncDirectory(path_.parent_path());
}

std::int64_t ReleaseLedger::Releases(const std::string& dataset) const {
  const auto found = spent_.find(dataset);
  return found == spent_.end() ? 0 : static_cast<std::int64_t>(found->second.tasks.size());
}

std::int64_t ReleaseLedger::Rounds(const std::string& dataset) const {
  const auto found = spent_.find(dataset);
  return found == spent_.end() ? 0 : static_cast<std::int64_t>(found->second.rounds.size());
}

bool ReleaseLedger::Has(const std::string& dataset, const wire::TaskKey& task) const {
  const auto found = spent_.find(dataset);
  return found != spent_.end() && found->second.tasks.contains(Text(task));
}

bool ReleaseLedger::OpensRound(const std::string& dataset, const wire::TaskKey& task) const {
  const std::string round = RoundOf(task);
  const auto found = spent_.find(dataset);
  return !round.empty() && (found == spent_.end() || !found->second.rounds.contains(round));
}

Status ReleaseLedger::Charge(const std::string& dataset, const wire::TaskKey& task) {
  if (Has(dataset, task)) return Status();
  const std::string what = "writing " + path_.string(), round = RoundOf(task);
  const off_t before = ::lseek(descriptor_, 0, SEEK_END);
  const Json line = {
      {"dataset", dataset}, {"task", Text(task)}, {"round", round}, {"time", FormatUtc(clock_->WallNow())}};
  Status status = WriteAll(descriptor_, AsBytes(line.dump() + "\n"), what);
  if (status.ok() && ::fdatasync(descriptor_) != 0) status = ErrnoStatus(errno, what);
  if (!status.ok()) {
    if (::ftruncate(descriptor_, before) != 0)
      return Annotate(status, "and the half-written entry could not be removed");
    return status;
  }
  SpentKeys& spent = spent_[dataset];
  spent.tasks.insert(Text(task));
  if (!round.empty()) spent.rounds.insert(round);
  return Status();
}

}  // namespace consilium::policy
