#include <iostream>

#include "coordinator/operator/operator_link.h"
#include "coordinator/operator/operator_verbs.h"

namespace consilium::coordinator {
namespace {

struct Words {
  const char* name;
  const char* help;
  const char* example;
  const char* done;
};

template <typename Request>
int Say(const Words& words, const Arguments& arguments) {
  LinkFlags flags;
  std::string job;
  Command command(words.name, words.help, words.example);
  AddLinkFlags(&command, &flags);
  command.Positional("JOB", &job, "the job's name");
  return command.Run(arguments, [&]() -> Status {
    ASSIGN_OR_RETURN(OperatorLink link, OperatorLink::Open(flags));
    ASSIGN_OR_RETURN(const Json status, link.AskForJson(Request{JobId(job)}));
    if (command.json()) Command::PrintJson(status);
    std::cerr << job << words.done << "\n";
    return Status();
  });
}

}  // namespace

int PauseVerb(const Arguments& arguments) {
  return Say<wire::PauseJob>({"consilium pause",
                              "Holds a job up: the round that is open goes on to its end, and no other is opened until "
                              "the job is resumed.",
                              "consilium pause hippocampus --kit kits/ann",
                              " is paused once what is open has ended; consilium resume lets it go on"},
                             arguments);
}

int ResumeVerb(const Arguments& arguments) {
  return Say<wire::ResumeJob>({"consilium resume", "Lets a paused job go on where it was.",
                               "consilium resume hippocampus --kit kits/ann", " goes on"},
                              arguments);
}

}  // namespace consilium::coordinator
