#include <iostream>
#include <sstream>

#include "coordinator/operator/job_text.h"
#include "coordinator/operator/operator_link.h"
#include "coordinator/operator/operator_verbs.h"

namespace consilium::coordinator {
namespace {

void Print(const wire::LogPart& part, bool json) {
  if (json) {
    std::cout << part.lines << std::flush;
    return;
  }
  std::istringstream lines(part.lines);
  for (std::string line; std::getline(lines, line);)
    if (const StatusOr<Json> event = ParseJson(line, "an event"); event.ok()) std::cout << EventText(*event) << "\n";
  std::cout << std::flush;
}

}  // namespace

int LogVerb(const Arguments& arguments) {
  LinkFlags flags;
  std::string job;
  std::int64_t from = 0;
  bool follow = false;
  Command command("consilium log",
                  "Prints a job's events.  With --follow it goes on until the job is over, also when the connection is "
                  "cut or the coordinator started again meanwhile: no event comes twice, none is left out.",
                  "consilium log hippocampus --follow --kit kits/ann");
  AddLinkFlags(&command, &flags);
  command.Positional("JOB", &job, "the job's name");
  command.Flag("--follow,-f", &follow, "wait for what comes");
  command.Option("--from", &from, "byte of the log to begin at, as a former run said at its end");
  return command.Run(arguments, [&]() -> Status {
    if (from < 0) return InvalidArgument("--from ", from, " is not a place in a log");
    ASSIGN_OR_RETURN(OperatorLink link, OperatorLink::Open(flags));
    wire::ReadLog read{JobId(job), static_cast<std::uint64_t>(from), follow ? wire::kLogWaitMaxMs : 0};
    for (;;) {
      ASSIGN_OR_RETURN(const wire::LogPart part, link.AskAgain<wire::LogPart>(read));
      Print(part, command.json());
      if (!std::cout) return Failed("standard output was closed");
      read.position = part.position;
      if (part.over || (!follow && part.lines.empty())) break;
    }
    std::cerr << "(next: --from " << read.position << ")\n";
    return Status();
  });
}

}  // namespace consilium::coordinator
