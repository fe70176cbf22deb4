#include "comm/base/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <iostream>
#include <new>

#include "comm/base/suggest.h"

namespace consilium {

namespace {

constexpr std::size_t kHelpColumns = 100, kOptionColumns = 34;

// Breaks lines at blanks so that none is longer than `columns`, where that is possible; newlines in the text stay.
std::string Wrapped(const std::string& text, std::size_t columns) {
  std::string wrapped;
  std::size_t line_size = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(" \n", at), text.size());
    const std::size_t word_size = end - at;
    if (line_size > 0 && line_size + 1 + word_size > columns) {
      wrapped += '\n';
      line_size = 0;
    } else if (line_size > 0) {
      wrapped += ' ';
      ++line_size;
    }
    wrapped.append(text, at, word_size);
    line_size += word_size;
    at = end + 1;
    if (end < text.size() && text[end] == '\n') {
      wrapped += '\n';
      line_size = 0;
    }
  }
  return wrapped;
}

// A peer or a pager that goes away, or a file over its size limit, must be an error of the write, not the end of the
// process.
void MakeWriteSignalsErrors() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

}  // namespace

int RunVerb(const std::string& program, const std::string& summary, std::span<const Verb> verbs, int argc,
            char** argv) {
  MakeWriteSignalsErrors();
  const auto print_table = [&](std::ostream& out) {
    out << Wrapped(summary, kHelpColumns) << "\n\nUsage: " << program << " VERB [options]     (" << program
        << " VERB --help explains one)\n\nVerbs:\n";
    std::size_t width = 0;
    for (const Verb& verb : verbs) width = std::max(width, verb.name.size());
    for (const Verb& verb : verbs)
      out << "  " << verb.name << std::string(width + 3 - verb.name.size(), ' ') << verb.summary << "\n";
    out << "\nExit codes: 0 done, 1 failed, 2 bad input or configuration, 3 rank failure, 4 deadline or hang, 5 "
           "rendezvous,\n"
           "            6 storage, 7 refused by policy or certificate, 8 privacy budget spent, 143 preempted after a "
           "checkpoint\n";
  };
  const std::string name = argc > 1 ? argv[1] : "";
  if (name == "--version" || name == "-V") {
    std::cout << program << " " << kVersion << "\n";
    return 0;
  }
  if (name == "help" && argc > 2) {
    char help[] = "--help";
    char* rewritten[] = {argv[0], argv[2], help};
    return RunVerb(program, summary, verbs, 3, rewritten);
  }
  if (name.empty() || name == "--help" || name == "-h" || name == "help") {
    print_table(name.empty() ? std::cerr : std::cout);
    return name.empty() ? static_cast<int>(ExitCode::kBadInput) : 0;
  }
  std::vector<std::string> names;
  for (const Verb& verb : verbs) {
    if (verb.name == name) return verb.run(Arguments(argv + 2, argv + argc));
    names.push_back(verb.name);
  }
  std::cerr << program << ": unknown verb '" << name << "'" << Suggestion(name, names) << "\n(" << program
            << " --help lists the verbs)\n";
  return static_cast<int>(ExitCode::kBadInput);
}

struct Command::Impl {
  Impl(const std::string& name, const std::string& description)
      : app(Wrapped(description, kHelpColumns), name), name(name) {}
  Status Explain(const CLI::ParseError& error) const;
  CLI::App app;
  std::string name;
  bool json = false;
};

// A mistyped option explains most other complaints ("--input is required" after --imput), so it is named first.
Status Command::Impl::Explain(const CLI::ParseError& error) const {
  for (const std::string& word : app.remaining()) {
    const std::string unknown = word.substr(0, word.find('='));
    if (!unknown.starts_with("-") || unknown == "-") continue;
    std::vector<std::string> known;
    for (const CLI::Option* option : app.get_options())
      for (const std::string& option_name : option->get_lnames()) known.push_back("--" + option_name);
    return InvalidArgument("unknown option '", unknown, "'", Suggestion(unknown, known));
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !app.remaining().empty())
    return InvalidArgument("'", app.remaining().front(), "' was not expected here");
  return InvalidArgument(error.what());
}

namespace {

// The last net under a verb: a library's exception ends in a message and an exit code, not in SIGABRT.
Status Guarded(const std::function<Status()>& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("out of memory");
  } catch (const std::exception& error) {
    return Failed("unexpected: ", error.what());
  }
}

}  // namespace

Command::Command(std::string program_and_verb, std::string description, std::string example)
    : impl_(std::make_unique<Impl>(program_and_verb, description)) {
  impl_->app.footer("Example:\n  " + example);
  impl_->app.add_flag("--json", impl_->json, "print the result for machines on stdout");
  impl_->app.get_formatter()->column_width(kOptionColumns);
}
Command::~Command() = default;

void Command::Positional(const std::string& name, std::string* value, const std::string& help, bool required) {
  impl_->app.add_option(name, *value, Wrapped(help, kHelpColumns - kOptionColumns))->required(required)->type_name("");
}
void Command::Positionals(const std::string& name, std::vector<std::string>* values, const std::string& help) {
  impl_->app.add_option(name, *values, Wrapped(help, kHelpColumns - kOptionColumns))->type_name("");
}
void Command::Option(const std::string& names, std::string* value, const std::string& help, bool required) {
  impl_->app.add_option(names, *value, Wrapped(help, kHelpColumns - kOptionColumns))
      ->required(required)
      ->capture_default_str()
      ->type_name("TEXT");
}
void Command::Option(const std::string& names, std::int64_t* value, const std::string& help) {
  impl_->app.add_option(names, *value, Wrapped(help, kHelpColumns - kOptionColumns))
      ->capture_default_str()
      ->type_name("N");
}
void Command::Option(const std::string& names, double* value, const std::string& help) {
  impl_->app.add_option(names, *value, Wrapped(help, kHelpColumns - kOptionColumns))
      ->capture_default_str()
      ->type_name("NUMBER");
}
void Command::Option(const std::string& names, std::vector<std::string>* values, const std::string& help) {
  impl_->app.add_option(names, *values, Wrapped(help, kHelpColumns - kOptionColumns))
      ->type_name("TEXT")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false);
}
void Command::Flag(const std::string& names, bool* value, const std::string& help) {
  impl_->app.add_flag(names, *value, Wrapped(help, kHelpColumns - kOptionColumns));
}

int Command::Run(const Arguments& arguments, const std::function<Status()>& body) {
  Status status;
  try {
    Arguments reversed(arguments.rbegin(), arguments.rend());  // what CLI11's vector overload expects
    impl_->app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    std::cout << impl_->app.help();
    return 0;
  } catch (const CLI::ParseError& error) {
    status = impl_->Explain(error);
    // CLI11 assigns flags only after a parse without errors.
    impl_->json = std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
  }
  const bool usage_error = !status.ok();
  if (status.ok()) status = Guarded(body);
  if (status.ok()) return 0;
  const int exit_code = static_cast<int>(ExitCodeFor(status));
  std::cerr << impl_->name << ": " << status.message() << "\n";
  if (usage_error) std::cerr << "(" << impl_->name << " --help explains the options)\n";
  if (impl_->json)
    PrintJson({{"error",
                {{"code", StatusCodeName(status.code())}, {"message", status.message()}, {"exit_code", exit_code}}}});
  return exit_code;
}

bool Command::json() const { return impl_->json; }

void Command::PrintJson(const Json& json) {
  std::cout << json.dump(2, ' ', false, Json::error_handler_t::replace) << std::endl;
}

}  // namespace consilium
