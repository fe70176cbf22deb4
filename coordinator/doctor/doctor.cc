#include "coordinator/doctor/doctor.h"

#include <sqlite3.h>

#include <array>
#include <cstdlib>
#include <iostream>

#include "comm/base/entropy.h"
#include "comm/base/file.h"
#include "comm/base/subprocess.h"
#include "comm/base/time.h"
#include "comm/transport/grpc/library_versions.h"

namespace consilium::coordinator {

namespace fs = std::filesystem;

namespace {

// A clock that stands before this release was made would find every certificate not valid yet.
constexpr std::chrono::sys_days kReleaseDay{std::chrono::year{2026} / 11 / 1};

Finding ClockFinding() {
  const auto now = SystemClock().WallNow();
  if (now < kReleaseDay)
    return {FindingLevel::kFail, "clock", "it is " + FormatUtc(now) + " here, before this release was made",
            "set the clock (timedatectl set-ntp true): certificates are checked against it"};
  return {FindingLevel::kOk, "clock", FormatUtc(now)};
}

// Runs the trainer's half and reads what it found.
std::vector<Finding> CheckTrainer() {
  const auto failing = [](const Status& status) {
    return std::vector<Finding>{{FindingLevel::kFail, "trainer", status.message(),
                                 "without it this machine can coordinate, but neither train nor be a site"}};
  };
  const StatusOr<fs::path> program = FindProgram("consilium-trainer");
  if (!program.ok()) return failing(program.status());
  std::string pattern = (fs::temp_directory_path() / "consilium-doctor-XXXXXX").string();
  const int descriptor = ::mkstemp(pattern.data());
  if (descriptor < 0) return failing(ErrnoStatus(errno, "making a file in " + fs::temp_directory_path().string()));
  ::close(descriptor);
  StatusOr<Subprocess> child =
      Subprocess::Start({.arguments = {program->string(), "doctor", "--json"}, .output = pattern});
  const StatusOr<ExitResult> result =
      child.ok() ? child->Wait(std::chrono::minutes(3)) : StatusOr<ExitResult>(child.status());
  std::string text = ReadFile(pattern).ok() ? *ReadFile(pattern) : "";
  std::error_code ignored;
  fs::remove(pattern, ignored);
  if (!result.ok()) return failing(result.status());
  text.erase(0, text.find('{'));  // libraries may greet on stderr first
  const StatusOr<Json> json = ParseJson(text, "consilium-trainer doctor --json");
  if (!json.ok()) return failing(Annotate(json.status(), "it ended with ", result->ToString()));
  StatusOr<std::vector<Finding>> findings = FindingsFromJson(*json);
  return findings.ok() ? *std::move(findings) : failing(findings.status());
}

}  // namespace

std::vector<Finding> CheckMachine() {
  std::vector<Finding> findings;
  findings.push_back({FindingLevel::kOk, "consilium", kVersion});
  findings.push_back({FindingLevel::kOk, "grpc", "gRPC " + transport::GrpcVersion()});
  findings.push_back({FindingLevel::kOk, "openssl", transport::OpenSslVersion()});
  findings.push_back({FindingLevel::kOk, "sqlite", std::string("SQLite ") + sqlite3_libversion()});
  findings.push_back(ClockFinding());
  return findings;
}

int ControlDoctorVerb(const Arguments& arguments) {
  std::string kit;
  Command command("consilium doctor",
                  "Says what is installed and whether it is fit, one line per finding with the mend: libraries, clock, "
                  "BLAS and its "
                  "measured speed, threads, GPUs; with --kit also the certificate and the way to the coordinator.",
                  "consilium doctor --kit kits/hospital-a");
  command.Option("--kit", &kit, "also examine this party's kit");
  FindingLevel worst = FindingLevel::kOk;
  const int exit_code = command.Run(arguments, [&]() -> Status {
    std::vector<Finding> findings = CheckMachine();
    if (!kit.empty())
      for (Finding& finding : CheckKit(kit)) findings.push_back(std::move(finding));
    for (Finding& finding : CheckTrainer()) findings.push_back(std::move(finding));
    worst = WorstOf(findings);
    if (command.json()) {
      Command::PrintJson(FindingsToJson(findings));
    } else {
      PrintFindings(findings, std::cout);
    }
    return Status();
  });
  // A fault of the machine is a finding, already printed, not an error of the command.
  return exit_code == 0 && worst == FindingLevel::kFail ? static_cast<int>(ExitCode::kFailed) : exit_code;
}

}  // namespace consilium::coordinator
