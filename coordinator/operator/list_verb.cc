#include <iostream>

#include "coordinator/operator/job_text.h"
#include "coordinator/operator/operator_link.h"
#include "coordinator/operator/operator_verbs.h"
#include "coordinator/operator/text_table.h"

namespace consilium::coordinator {

int ListVerb(const Arguments& arguments) {
  LinkFlags flags;
  Command command("consilium list", "Lists the coordinator's jobs, oldest first; a site sees those it takes part in.",
                  "consilium list --kit kits/ann");
  AddLinkFlags(&command, &flags);
  return command.Run(arguments, [&]() -> Status {
    ASSIGN_OR_RETURN(OperatorLink link, OperatorLink::Open(flags));
    ASSIGN_OR_RETURN(const Json list, link.AskForJson(wire::ListJobs{}));
    if (command.json()) {
      Command::PrintJson(list);
    } else {
      std::cout << ListText(list, TerminalColumns());
    }
    return Status();
  });
}

}  // namespace consilium::coordinator
