#include "comm/base/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "comm/base/suggest.h"

namespace consilium {

int RunVerb(const std::string& program, const std::string& summary, std::span<const Verb> verbs, int argc,
            char** argv) {
  const auto print_table = [&](std::ostream& out) {
    out << summary << "\n\nUsage: " << program << " VERB [options]     (" << program
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
  Impl(const std::string& name, const std::string& description) : app(description, name), name(name) {}
  CLI::App app;
  std::string name;
  bool json = false;
};

Command::Command(std::string program_and_verb, std::string description, std::string example)
    : impl_(std::make_unique<Impl>(program_and_verb, description)) {
  impl_->app.footer("\nExample:\n  " + example);
  impl_->app.add_flag("--json", impl_->json, "print the result for machines on stdout");
  impl_->app.get_formatter()->column_width(34);
}
Command::~Command() = default;

void Command::Positional(const std::string& name, std::string* value, const std::string& help, bool required) {
  impl_->app.add_option(name, *value, help)->required(required)->type_name("");
}
void Command::Positionals(const std::string& name, std::vector<std::string>* values, const std::string& help) {
  impl_->app.add_option(name, *values, help)->type_name("");
}
void Command::Option(const std::string& names, std::string* value, const std::string& help, bool required) {
  impl_->app.add_option(names, *value, help)->required(required)->capture_default_str()->type_name("TEXT");
}
void Command::Option(const std::string& names, std::int64_t* value, const std::string& help) {
  impl_->app.add_option(names, *value, help)->capture_default_str()->type_name("N");
}
void Command::Option(const std::string& names, double* value, const std::string& help) {
  impl_->app.add_option(names, *value, help)->capture_default_str()->type_name("NUMBER");
}
void Command::Option(const std::string& names, std::vector<std::string>* values, const std::string& help) {
  impl_->app.add_option(names, *values, help)->type_name("TEXT")->expected(1)->take_all()->allow_extra_args(false);
}
void Command::Flag(const std::string& names, bool* value, const std::string& help) {
  impl_->app.add_flag(names, *value, help);
}

int Command::Run(const Arguments& arguments, const std::function<Status()>& body) {
  Status status;
  try {
    Arguments reversed(arguments.rbegin(), arguments.rend());  // what CLI11's vector overload expects
    impl_->app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    std::cout << impl_->app.help();
    return 0;
  } catch (const CLI::ExtrasError& error) {
    std::vector<std::string> known;
    for (const CLI::Option* option : impl_->app.get_options())
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    std::string unknown;
    for (const std::string& word : impl_->app.remaining()) {
      unknown = word.substr(0, word.find('='));
      break;
    }
    status = unknown.starts_with("-") ? InvalidArgument("unknown option '", unknown, "'", Suggestion(unknown, known))
                                      : InvalidArgument("'", unknown, "' was not expected here");
  } catch (const CLI::ParseError& error) {
    status = InvalidArgument(error.what());
  }
  const bool usage_error = !status.ok();
  if (status.ok()) status = body();
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
