#include <iostream>

#include "coordinator/operator/job_text.h"
#include "coordinator/operator/operator_link.h"
#include "coordinator/operator/operator_verbs.h"

namespace consilium::coordinator {

int WhyVerb(const Arguments& arguments) {
  LinkFlags flags;
  std::string job;
  Command command("consilium why",
                  "Says why a job waits (for whom, since when, until when, and what happens then), why it failed (at "
                  "which site, with which message), or that nothing holds it up.",
                  "consilium why hippocampus --kit kits/ann");
  AddLinkFlags(&command, &flags);
  command.Positional("JOB", &job, "the job's name");
  return command.Run(arguments, [&]() -> Status {
    ASSIGN_OR_RETURN(OperatorLink link, OperatorLink::Open(flags));
    ASSIGN_OR_RETURN(const Json why, link.AskForJson(wire::ExplainJob{JobId(job)}));
    if (command.json()) {
      Command::PrintJson(why);
    } else {
      std::cout << WhyText(why);
    }
    return Status();
  });
}

}  // namespace consilium::coordinator
