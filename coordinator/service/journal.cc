#include "coordinator/service/journal.h"

#include <sqlite3.h>

#include <string>

namespace consilium::coordinator {
namespace {

constexpr int kApplicationId = 0x436f6e73;  // "Cons"
constexpr int kVersion = 1;

StatusCode CodeFor(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
      return StatusCode::kStorage;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return StatusCode::kDataLoss;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return StatusCode::kFailedPrecondition;
    default:
      return StatusCode::kFailed;
  }
}

struct Finalizer {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalizer>;

}  // namespace

struct Journal::Database {
  std::filesystem::path path;
  sqlite3* handle = nullptr;
  Statement insert;

  ~Database() {
    insert.reset();
    sqlite3_close(handle);
  }

  Status Failure(int code, const std::string& doing) const {
    std::string text =
        Concat(doing, " ", path.string(), ": ", handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code));
    if (CodeFor(code) == StatusCode::kDataLoss) text += "; restore the state folder from a backup";
    if (CodeFor(code) == StatusCode::kFailedPrecondition) text += ": another process has it open";
    return Status(CodeFor(code), std::move(text));
  }

  Status Run(const std::string& sql) {
    const int code = sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr);
    return code == SQLITE_OK ? Status() : Failure(code, "preparing the journal");
  }

  StatusOr<Statement> Prepare(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v2(handle, sql.c_str(), -1, &statement, nullptr);
    if (code != SQLITE_OK) return Failure(code, "reading the journal");
    return Statement(statement);
  }

  // The first column of the first row.
  StatusOr<std::string> Ask(const std::string& sql) {
    ASSIGN_OR_RETURN(const Statement statement, Prepare(sql));
    const int code = sqlite3_step(statement.get());
    if (code == SQLITE_DONE) return std::string();
    if (code != SQLITE_ROW) return Failure(code, "reading the journal");
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement.get(), 0));
    return std::string(text == nullptr ? "" : text);
  }

  Status Check() {
    ASSIGN_OR_RETURN(const std::string integrity, Ask("PRAGMA integrity_check"));
    if (integrity != "ok")
      return DataLoss("the journal ", path.string(), " is damaged (", integrity,
                      "); restore the state folder from a backup");
    ASSIGN_OR_RETURN(const std::string tables, Ask("SELECT count(*) FROM sqlite_master"));
    if (tables == "0") return Create();
    ASSIGN_OR_RETURN(const std::string id, Ask("PRAGMA application_id"));
    ASSIGN_OR_RETURN(const std::string version, Ask("PRAGMA user_version"));
    if (id != std::to_string(kApplicationId)) return DataLoss(path.string(), " is not a journal of a coordinator");
    if (version != std::to_string(kVersion))
      return DataLoss("the journal ", path.string(), " is of version ", version, ", this build reads version ",
                      kVersion);
    return Status();
  }

  Status Create() {
    return Run(
        Concat("BEGIN; CREATE TABLE record(seq INTEGER PRIMARY KEY, bytes BLOB NOT NULL); PRAGMA application_id=",
               kApplicationId, "; PRAGMA user_version=", kVersion, "; COMMIT"));
  }
};

Journal::Journal(std::unique_ptr<Database> database) : database_(std::move(database)) {}
Journal::~Journal() = default;

StatusOr<std::unique_ptr<Journal>> Journal::Open(const std::filesystem::path& path) {
  auto database = std::make_unique<Database>();
  database->path = path;
  const int code = sqlite3_open_v2(path.c_str(), &database->handle,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW, nullptr);
  if (code != SQLITE_OK) return database->Failure(code, "opening the journal");
  sqlite3_extended_result_codes(database->handle, 1);
  RETURN_IF_ERROR(database->Run("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"));
  RETURN_IF_ERROR(database->Check());
  RETURN_IF_ERROR(database->Run("BEGIN IMMEDIATE; COMMIT"));  // takes the lock now, not at the first record
  ASSIGN_OR_RETURN(database->insert, database->Prepare("INSERT INTO record(bytes) VALUES (?)"));
  return std::unique_ptr<Journal>(new Journal(std::move(database)));
}

Status Journal::Append(ByteSpan record) {
  sqlite3_stmt* insert = database_->insert.get();
  // An empty span may have no address, which SQLite would take for NULL.
  record.empty() ? sqlite3_bind_zeroblob(insert, 1, 0)
                 : sqlite3_bind_blob64(insert, 1, record.data(), record.size(), SQLITE_STATIC);
  const int code = sqlite3_step(insert);
  const Status status = code == SQLITE_DONE ? Status() : database_->Failure(code, "appending to the journal");
  sqlite3_reset(insert);
  sqlite3_clear_bindings(insert);
  return status;
}

Status Journal::CopyTo(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const Statement vacuum, database_->Prepare("VACUUM INTO ?"));
  const std::string text = path.string();
  sqlite3_bind_text(vacuum.get(), 1, text.c_str(), -1, SQLITE_STATIC);
  const int code = sqlite3_step(vacuum.get());
  return code == SQLITE_DONE ? Status() : database_->Failure(code, "copying the journal");
}

StatusOr<std::vector<Bytes>> Journal::ReadAll() {
  ASSIGN_OR_RETURN(const Statement select, database_->Prepare("SELECT seq, bytes FROM record ORDER BY seq"));
  std::vector<Bytes> records;
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(select.get())) == SQLITE_ROW) {
    if (sqlite3_column_int64(select.get(), 0) != static_cast<sqlite3_int64>(records.size()) + 1)
      return DataLoss("the journal ", database_->path.string(), " lacks record ", records.size() + 1);
    const auto* bytes = static_cast<const std::uint8_t*>(sqlite3_column_blob(select.get(), 1));
    records.emplace_back(bytes, bytes + sqlite3_column_bytes(select.get(), 1));
  }
  if (code != SQLITE_DONE) return database_->Failure(code, "reading the journal");
  return records;
}

}  // namespace consilium::coordinator
