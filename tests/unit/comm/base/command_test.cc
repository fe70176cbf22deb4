#include "comm/base/command.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <csignal>
#include <sstream>
#include <stdexcept>

namespace consilium {
namespace {

struct Outcome {
  int exit_code;
  std::string out, err;
};

template <typename Body>
Outcome Capture(const Body& body) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int exit_code = body();
  const std::string out = testing::internal::GetCapturedStdout();
  return {exit_code, out, testing::internal::GetCapturedStderr()};
}

Outcome Verbs(std::vector<std::string> words) {
  const std::vector<Verb> verbs{
      {"train", "train a model", [](const Arguments& arguments) { return arguments.empty() ? 0 : 40; }},
      {"doctor", "what is installed", [](const Arguments&) { return 6; }}};
  words.insert(words.begin(), "consilium");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return Capture(
      [&] { return RunVerb("consilium", "Trains together.", verbs, static_cast<int>(argv.size()), argv.data()); });
}

TEST(RunVerb, RunsTheVerbWithWhatFollowsIt) {
  EXPECT_EQ(Verbs({"train"}).exit_code, 0);
  EXPECT_EQ(Verbs({"train", "job.yaml"}).exit_code, 40);
  EXPECT_EQ(Verbs({"doctor"}).exit_code, 6);
}

TEST(RunVerb, HelpListsEveryVerbAndTheExitCodesOnStdout) {
  for (const char* ask : {"--help", "-h", "help"}) {
    const Outcome outcome = Verbs({ask});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_NE(outcome.out.find("  train    train a model\n"), std::string::npos) << outcome.out;
    EXPECT_NE(outcome.out.find("143 preempted"), std::string::npos);
    EXPECT_EQ(outcome.err, "");
  }
  EXPECT_EQ(Verbs({"help", "train"}).exit_code, 40) << "help VERB is VERB --help";
}

TEST(RunVerb, NoVerbIsAUsageErrorWithTheTableOnStderr) {
  const Outcome outcome = Verbs({});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.out, "");
  EXPECT_NE(outcome.err.find("doctor"), std::string::npos);
}

TEST(RunVerb, AnUnknownVerbIsAnsweredWithTheNearest) {
  const Outcome outcome = Verbs({"tarin"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.err,
            "consilium: unknown verb 'tarin'; did you mean 'train'?\n(consilium --help lists the verbs)\n");
}

TEST(RunVerb, VersionIsPrinted) { EXPECT_EQ(Verbs({"--version"}).out, std::string("consilium ") + kVersion + "\n"); }

TEST(RunVerb, AClosedPipeAndAFileLimitAreErrorsOfTheWriteAndNotTheEnd) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    (void)Verbs({"train"});
    ::raise(SIGPIPE);
    ::raise(SIGXFSZ);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
}

struct Options {
  std::string job, output = "out";
  std::int64_t fold = 0;
  double rate = 0.5;
  std::vector<std::string> set;
  bool resume = false;
};

Outcome Train(const Arguments& arguments, Options* options, const std::function<Status()>& body) {
  Command command("consilium train", "Trains.", "consilium train job.yaml");
  command.Positional("JOB", &options->job, "the job file");
  command.Option("--output,-o", &options->output, "where the run goes");
  command.Option("--fold", &options->fold, "which fold");
  command.Option("--rate", &options->rate, "how fast");
  command.Option("--set", &options->set, "key=value");
  command.Flag("--resume", &options->resume, "go on");
  return Capture([&] { return command.Run(arguments, body); });
}

Outcome Train(const Arguments& arguments, const Status& status = Status()) {
  Options options;
  return Train(arguments, &options, [&] { return status; });
}

TEST(Command, ReadsEveryKindOfOption) {
  Options options;
  const Outcome outcome =
      Train({"--set", "a=1", "job.yaml", "-o", "run", "--fold=3", "--set", "b=[1, 2]", "--rate", "-1.5", "--resume"},
            &options, [] { return Status(); });
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(options.job, "job.yaml");
  EXPECT_EQ(options.output, "run");
  EXPECT_EQ(options.fold, 3);
  EXPECT_EQ(options.rate, -1.5);
  EXPECT_EQ(options.set, (std::vector<std::string>{"a=1", "b=[1, 2]"}));
  EXPECT_TRUE(options.resume);
}

TEST(Command, HelpShowsOptionsDefaultsAndTheExample) {
  const Outcome outcome = Train({"--help"});
  EXPECT_EQ(outcome.exit_code, 0);
  for (const char* part :
       {"consilium train", "--output", "TEXT=out", "which fold", "Example:\n  consilium train job.yaml", "--json"})
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part << " is not in:\n" << outcome.out;
}

TEST(Command, HelpFitsIntoAHundredColumnsWithoutLosingAWord) {
  std::string prose;
  for (int i = 0; i < 60; ++i) prose += (i == 0 ? "" : i == 30 ? "\n" : " ") + ("word" + std::to_string(i));
  std::string value;
  Command command("consilium train", prose, "consilium train job.yaml");
  command.Option("--output", &value, prose);
  const Outcome outcome = Capture([&] { return command.Run({"--help"}, [] { return Status(); }); });
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
  for (int i = 0; i < 60; ++i) {
    const std::string word = "word" + std::to_string(i);
    std::size_t count = 0;
    for (std::size_t at = 0; (at = outcome.out.find(word, at)) != std::string::npos; at += word.size())
      count += std::isdigit(static_cast<unsigned char>(outcome.out[at + word.size()])) == 0;
    EXPECT_EQ(count, 2u) << word << " in\n" << outcome.out;
  }
}

TEST(Command, AMistypedOptionIsNamedWithTheNearest) {
  const Outcome outcome = Train({"job.yaml", "--flod", "3"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_EQ(outcome.err,
            "consilium train: unknown option '--flod'; did you mean '--fold'?\n"
            "(consilium train --help explains the options)\n");
}

TEST(Command, AMistypedOptionIsNamedBeforeTheArgumentThatIsMissing) {
  EXPECT_NE(Train({"--ouptut=x"}).err.find("unknown option '--ouptut'; did you mean '--output'?"), std::string::npos);
}

TEST(Command, AMissingOrSuperfluousArgumentIsAUsageError) {
  const Outcome missing = Train({});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_NE(missing.err.find("JOB"), std::string::npos) << missing.err;
  const Outcome extra = Train({"a.yaml", "b.yaml"});
  EXPECT_EQ(extra.exit_code, 2);
  EXPECT_NE(extra.err.find("'b.yaml' was not expected here"), std::string::npos) << extra.err;
}

TEST(Command, AValueOfTheWrongTypeIsAUsageError) {
  const Outcome outcome = Train({"job.yaml", "--fold", "many"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.err.find("--fold"), std::string::npos) << outcome.err;
}

TEST(Command, AFailureBecomesItsExitCodeAndMessage) {
  const Outcome outcome = Train({"job.yaml"}, Annotate(Storage("disk full"), "writing checkpoint"));
  EXPECT_EQ(outcome.exit_code, 6);
  EXPECT_EQ(outcome.err, "consilium train: writing checkpoint: disk full\n");
  EXPECT_EQ(outcome.out, "");
}

TEST(Command, WithJsonAFailureIsAlsoADocumentOnStdout) {
  const Outcome failed = Train({"job.yaml", "--json"}, Storage("disk \xff full"));
  const Json failure = ParseJson(failed.out, "stdout").value();
  EXPECT_EQ(failure["error"]["code"], "storage");
  EXPECT_EQ(failure["error"]["exit_code"], 6);
  const Outcome usage = Train({"job.yaml", "--json", "--flod"});
  EXPECT_EQ(ParseJson(usage.out, "stdout").value()["error"]["exit_code"], 2);
}

TEST(Command, ALibrarysExceptionIsAMessageAndNotAnAbort) {
  Options options;
  const Outcome outcome =
      Train({"job.yaml"}, &options, []() -> Status { throw std::runtime_error("tensor sizes differ"); });
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.err, "consilium train: unexpected: tensor sizes differ\n");
}

}  // namespace
}  // namespace consilium
