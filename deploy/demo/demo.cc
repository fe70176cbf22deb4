#include "deploy/demo/demo.h"

#include <csignal>
#include <cstdio>
#include <iostream>
#include <thread>

#include "deploy/demo/event_tail.h"
#include "deploy/demo/fault_plan.h"
#include "deploy/demo/federation.h"
#include "deploy/demo/job_view.h"
#include "deploy/demo/live_table.h"
#include "deploy/demo/narrator.h"
#include "deploy/demo/summary.h"

namespace consilium::demo {
namespace {

constexpr Duration kJobTimeout = std::chrono::minutes(30);

// Set by SIGINT and SIGTERM: the loop sees it and takes the federation down in order.
volatile std::sig_atomic_t interrupted = 0;

// Follows the job until it is over, telling what happens.
Status Watch(const Workspace& workspace, Federation* federation, FaultPlan* faults, Instant begin) {
  const std::filesystem::path job = workspace.coordinator_state() / "jobs" / kJobName;
  EventTail events(job / "events.jsonl");
  Narrator narrator(workspace.rounds, workspace.summing);
  LiveTable table(stderr);
  while (!narrator.finished()) {
    if (interrupted) return Cancelled("interrupted; every process of the demo was stopped");
    const double elapsed = Seconds(SystemClock().Now() - begin);
    for (const Json& event : events.Next()) {
      if (const std::string sentence = narrator.Tell(event); !sentence.empty()) table.Say(sentence);
      if (const std::optional<Fault> fault = faults->Due(event)) {
        table.Say(fault->story);
        RETURN_IF_ERROR(fault->after == Fault::After::kGone ? federation->KillForGood(fault->victim)
                                                            : federation->KillAndRestart(fault->victim));
      }
    }
    if (narrator.finished()) break;
    if (const StatusOr<JobView> view = ReadJobView(job / "status.json"); view.ok())
      table.Update(RenderTable(*view, elapsed));
    RETURN_IF_ERROR(federation->CheckAlive());
    if (elapsed > Seconds(kJobTimeout))
      return DeadlineExceeded("the job did not end within ", FormatDuration(kJobTimeout));
    std::this_thread::sleep_for(std::chrono::milliseconds(faults->urgent() ? 1 : 250));
  }
  table.Update({});
  return narrator.succeeded() ? Status() : Failed("the job failed: ", narrator.message());
}

Status RunDemo(const DemoOptions& options, const Command& command) {
  const Instant begin = SystemClock().Now();
  const bool secure = options.summing == Summing::kSecure;
  std::cerr << HospitalsInWords(static_cast<std::size_t>(options.sites))
            << " train one U-Net together; their images stay where they are"
            << (secure ? ", and the coordinator sees\nno hospital's update: only the sum of all.\n\n" : ".\n\n");
  ASSIGN_OR_RETURN(const Workspace workspace, PrepareWorkspace(options));
  FaultPlan faults;
  {
    ASSIGN_OR_RETURN(Federation federation, Federation::Start(workspace));
    std::cerr << "federation  coordinator on 127.0.0.1:" << federation.port() << " (mutual TLS 1.3), "
              << workspace.sites.size() << " clients, each with its own private folder\n\n";
    if (options.faults == Faults::kSome) faults = FaultPlan::For(workspace);
    RETURN_IF_ERROR(Watch(workspace, &federation, &faults, begin));
    RETURN_IF_ERROR(federation.WaitForEnd(std::chrono::seconds(60)));
  }
  ASSIGN_OR_RETURN(const DemoResult result, Summarize(workspace, faults, Seconds(SystemClock().Now() - begin)));
  PrintSummary(result, workspace);
  if (command.json()) Command::PrintJson(ToJson(result, workspace));
  return Status();
}

}  // namespace

int DemoVerb(const Arguments& arguments) {
  DemoOptions options;
  std::string output = options.output.string(), source;
  bool no_faults = false, plain = false;
  Command command("consilium demo",
                  "Three hospitals on this machine train one U-Net together on real MRI, over mutual TLS, each in its "
                  "own process with its own private folder. Their updates are summed in secret: the coordinator learns "
                  "the sum and no hospital's part in it. On the way the coordinator and one hospital's client are "
                  "killed (kill -9) and started again. Ends with the Dice on cases that no hospital trained on, "
                  "predictions, a picture, a report and the weights.",
                  "consilium demo --rounds 3");
  command.Option("--output,-o", &output, "folder for everything that the demo makes; a former demo there is replaced");
  command.Option(
      "--source", &source,
      "raw hippocampus data set (default: $CONSILIUM_DATA/Dataset004_Hippocampus, else Debian's mricron-data)");
  command.Option("--rounds", &options.rounds, "federated rounds (0: chosen for six minutes on two cores)");
  command.Option("--iterations", &options.iterations,
                 "optimizer steps of each hospital in a round (0: chosen likewise)");
  command.Option("--sites", &options.sites,
                 "hospitals, 3 to 5; with more than 3 one of them vanishes for good in the middle of a secret sum");
  command.Flag("--plain", &plain, "without secure aggregation: the coordinator sees each hospital's weights");
  command.Flag("--no-faults", &no_faults, "do not kill the coordinator and a client on the way");
  return command.Run(arguments, [&]() -> Status {
    if (options.sites < kSitesMin || options.sites > kSitesMax)
      return InvalidArgument("--sites must be between ", kSitesMin, " and ", kSitesMax, ", not ", options.sites);
    options.faults = no_faults ? Faults::kNone : Faults::kSome;
    options.summing = plain ? Summing::kPlain : Summing::kSecure;
    options.output = output;
    options.source = source;
    std::signal(SIGINT, [](int) { interrupted = 1; });
    std::signal(SIGTERM, [](int) { interrupted = 1; });
    return RunDemo(options, command);
  });
}

}  // namespace consilium::demo
