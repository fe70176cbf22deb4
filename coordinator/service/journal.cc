#include "coordinator/service/journal.h"

#include <sqlite3.h>

namespace consilium::coordinator {

struct Journal::Impl {
  std::filesystem::path file;
  sqlite3* database = nullptr;
  sqlite3_stmt* insert = nullptr;
  std::int64_t next = 0;  // number of the next record

  ~Impl() {
    sqlite3_finalize(insert);
    sqlite3_close(database);
  }
};

namespace {

// In the file's header: another program's database is recognised.  "Cons" in ASCII.
constexpr int kApplicationId = 0x436F6E73;

Status SqliteStatus(sqlite3* database, int code, const std::filesystem::path& file, const std::string& what) {
  const std::string text = Concat(what, " ", file.string(), ": ", database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code));
  const int primary = code & 0xFF;
  if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB)
    return DataLoss(text, "; mend: restore the file from a backup, or start the job anew with another --state");
  return Storage(text);
}

Status Execute(sqlite3* database, const std::filesystem::path& file, const char* sql) {
  const int code = sqlite3_exec(database, sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? Status() : SqliteStatus(database, code, file, "opening journal");
}

StatusOr<std::int64_t> QueryNumber(sqlite3* database, const std::filesystem::path& file, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(database, sql, -1, &statement, nullptr);
  if (code == SQLITE_OK) code = sqlite3_step(statement);
  const std::int64_t number = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  sqlite3_finalize(statement);
  if (code != SQLITE_ROW) return SqliteStatus(database, code, file, "reading journal");
  return number;
}

}  // namespace

Journal::Journal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Journal::Journal(Journal&& other) noexcept = default;
Journal::~Journal() = default;

StatusOr<Journal> Journal::Open(const std::filesystem::path& file) {
  auto impl = std::make_unique<Impl>();
  impl->file = file;
  if (const int code = sqlite3_open(file.c_str(), &impl->database); code != SQLITE_OK)
    return SqliteStatus(impl->database, code, file, "opening journal");
  sqlite3* database = impl->database;
  // A rollback journal and FULL: each record is a transaction that is on the disk when it returns.
  RETURN_IF_ERROR(Execute(database, file, "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL; PRAGMA busy_timeout=2000;"));
  ASSIGN_OR_RETURN(const std::int64_t tables, QueryNumber(database, file, "SELECT count(*) FROM sqlite_master"));
  if (tables == 0) {
    RETURN_IF_ERROR(Execute(database, file, Concat("BEGIN; PRAGMA application_id=", kApplicationId,
                                                   "; CREATE TABLE records(number INTEGER PRIMARY KEY, body BLOB NOT NULL); COMMIT;").c_str()));
  }
  ASSIGN_OR_RETURN(const std::int64_t application, QueryNumber(database, file, "PRAGMA application_id"));
  if (application != kApplicationId) return DataLoss(file.string(), " is another program's database, not a journal of consilium");
  ASSIGN_OR_RETURN(impl->next, QueryNumber(database, file, "SELECT count(*) FROM records"));
  const int code = sqlite3_prepare_v2(database, "INSERT INTO records(number, body) VALUES(?, ?)", -1, &impl->insert, nullptr);
  if (code != SQLITE_OK) return SqliteStatus(database, code, file, "opening journal");
  return Journal(std::move(impl));
}

StatusOr<std::vector<Record>> Journal::Read() const {
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(impl_->database, "SELECT number, body FROM records ORDER BY number", -1, &statement, nullptr);
  std::vector<Record> records;
  Status fault;
  while (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
    code = SQLITE_OK;
    const std::int64_t number = sqlite3_column_int64(statement, 0);
    const auto* body = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement, 1));
    StatusOr<Record> record = DecodeRecord({body, static_cast<std::size_t>(sqlite3_column_bytes(statement, 1))});
    if (number != static_cast<std::int64_t>(records.size())) fault = DataLoss("record ", records.size(), " is missing");
    if (fault.ok() && !record.ok()) fault = Annotate(record.status(), "record ", number);
    if (!fault.ok()) break;
    records.push_back(*std::move(record));
  }
  sqlite3_finalize(statement);
  if (!fault.ok()) return Annotate(fault, "journal ", impl_->file.string());
  if (code != SQLITE_DONE) return SqliteStatus(impl_->database, code, impl_->file, "reading journal");
  return records;
}

Status Journal::Append(const Record& record) {
  const Bytes body = Encode(record);
  sqlite3_reset(impl_->insert);
  sqlite3_bind_int64(impl_->insert, 1, impl_->next);
  sqlite3_bind_blob(impl_->insert, 2, body.data(), static_cast<int>(body.size()), SQLITE_TRANSIENT);
  const int code = sqlite3_step(impl_->insert);
  sqlite3_reset(impl_->insert);
  if (code != SQLITE_DONE) return SqliteStatus(impl_->database, code, impl_->file, "writing journal");
  ++impl_->next;
  return Status();
}

}  // namespace consilium::coordinator
