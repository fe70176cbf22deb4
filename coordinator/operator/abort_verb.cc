#include <iostream>

#include "coordinator/operator/operator_link.h"
#include "coordinator/operator/operator_verbs.h"

namespace consilium::coordinator {

int AbortVerb(const Arguments& arguments) {
  LinkFlags flags;
  std::string job, reason;
  Command command("consilium abort",
                  "Ends a job for good, and tells its sites to stop.  What it has learnt so far stays: "
                  "consilium download JOB --latest.",
                  "consilium abort hippocampus --reason 'the labels of hospital-b are wrong' --kit kits/ann");
  AddLinkFlags(&command, &flags);
  command.Positional("JOB", &job, "the job's name");
  command.Option("--reason", &reason, "why, for the log and for the sites");
  return command.Run(arguments, [&]() -> Status {
    ASSIGN_OR_RETURN(OperatorLink link, OperatorLink::Open(flags));
    ASSIGN_OR_RETURN(const Json status, link.AskForJson(wire::AbortJob{JobId(job), reason}));
    if (command.json()) Command::PrintJson(status);
    std::cerr << job << " is aborted\n";
    return Status();
  });
}

}  // namespace consilium::coordinator
