#include <unistd.h>

#include <iostream>
#include <thread>

#include "coordinator/operator/job_text.h"
#include "coordinator/operator/operator_link.h"
#include "coordinator/operator/operator_verbs.h"
#include "coordinator/operator/text_table.h"

namespace consilium::coordinator {
namespace {

constexpr auto kInterval = std::chrono::seconds(1);

bool IsOver(const Json& status) {
  const std::string state = status.value("state", "");
  return state == "done" || state == "failed" || state == "aborted";
}

// Draws over itself on a terminal; in a pipe only what changed.
class Screen {
 public:
  void Show(const std::string& text) {
    const bool terminal = ::isatty(STDOUT_FILENO) != 0;
    if (terminal)
      std::cout << "\033[H\033[2J" << text << std::flush;
    else if (text != last_)
      std::cout << text << std::flush;
    last_ = text;
  }

 private:
  std::string last_;
};

Status Watch(OperatorLink* link, const JobId& job, bool json) {
  for (Screen screen;;) {
    ASSIGN_OR_RETURN(const wire::Document document, link->AskAgain<wire::Document>(wire::DescribeJob{job}));
    ASSIGN_OR_RETURN(const Json status, ParseJson(document.json, "the coordinator's answer"));
    screen.Show(json ? status.dump() + "\n" : StatusText(status, TerminalColumns()));
    if (IsOver(status)) return Status();
    std::this_thread::sleep_for(kInterval);
  }
}

}  // namespace

int StatusVerb(const Arguments& arguments) {
  LinkFlags flags;
  std::string job;
  bool watch = false;
  Command command("consilium status", "Shows a job: its round, what each site does, who is awaited and for how long.",
                  "consilium status hippocampus --watch --kit kits/ann");
  AddLinkFlags(&command, &flags);
  command.Positional("JOB", &job, "the job's name");
  command.Flag("--watch", &watch, "keep showing it until the job is over; with --json one line for each change");
  return command.Run(arguments, [&]() -> Status {
    ASSIGN_OR_RETURN(OperatorLink link, OperatorLink::Open(flags));
    if (watch) return Watch(&link, JobId(job), command.json());
    ASSIGN_OR_RETURN(const Json status, link.AskForJson(wire::DescribeJob{JobId(job)}));
    if (command.json()) {
      Command::PrintJson(status);
    } else {
      std::cout << StatusText(status, TerminalColumns());
    }
    return Status();
  });
}

}  // namespace consilium::coordinator
