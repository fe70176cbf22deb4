#include "coordinator/provision/provision_verb.h"

#include <iostream>
#include <map>

#include "coordinator/provision/membership_verbs.h"
#include "coordinator/provision/provision.h"

namespace consilium::coordinator {
namespace {

Json Describe(const Project& project, const std::filesystem::path& out) {
  Json json = {{"project", project.name},
               {"address", Concat(project.host, ":", project.port)},
               {"authority", (out / "ca").string()},
               {"coordinator", KitFolder(out, project.coordinator_name).string()},
               {"sites", Json::object()},
               {"operators", Json::object()}};
  for (const SiteName& site : project.sites) json["sites"][site.value()] = KitFolder(out, site.value()).string();
  for (const OperatorSpec& spec : project.operators) json["operators"][spec.name] = KitFolder(out, spec.name).string();
  return json;
}

void Explain(const Project& project, const std::filesystem::path& out) {
  std::cerr << "Made the kits of project '" << project.name << "' in " << out.string() << ", valid for "
            << project.valid_days << " days.\n\n  consilium coordinator --kit "
            << KitFolder(out, project.coordinator_name).string() << "    (on " << project.host << ")\n";
  for (const SiteName& site : project.sites)
    std::cerr << "  consilium client --kit " << KitFolder(out, site.value()).string() << " --data DIR    (at " << site
              << ")\n";
  for (const OperatorSpec& spec : project.operators)
    std::cerr << "  consilium list --kit " << KitFolder(out, spec.name).string() << "    (" << spec.name
              << " may: " << transport::ToString(spec.rights) << ")\n";
  std::cerr << "\nEach site's kit has a signed policy.yaml, a sample that lets jobs of " << project.policy_min_cohort
            << " sites run:\nlet each site read it, narrow it and sign it again (docs/site-policy.md).\n";
  std::cerr << "\nGive each party its own folder over a channel that you both trust: its private key is inside.\nKeep "
            << (out / "ca").string() << " offline: whoever has it can make more parties.\n";
}

}  // namespace

int ProvisionVerb(const Arguments& arguments) {
  static const std::map<std::string, int (*)(const Arguments&)> kLater = {
      {"invite", InviteVerb}, {"sign", SignVerb}, {"revoke", RevokeVerb}, {"roster", RosterVerb}};
  if (const auto later = arguments.empty() ? kLater.end() : kLater.find(arguments.front()); later != kLater.end())
    return later->second({arguments.begin() + 1, arguments.end()});
  std::string project_file, out;
  Command command(
      "consilium provision",
      "Make a project's certificate authority and one kit per party.\n\n"
      "consilium provision invite, sign, revoke and roster (each with a --help of its own) are for parties that "
      "make their own keys, renewals, and keys that must not count any more.",
      "consilium provision project.yaml -o kits\n\n"
      "project.yaml:\n"
      "  name: hippocampus\n"
      "  coordinator: {address: \"coordinator.example.org:8443\"}   # also: name, listen, hosts\n"
      "  sites: [hospital-a, hospital-b, hospital-c]\n"
      "  operators: {ann: [submit, view, abort], board: [view]}\n"
      "  valid_days: 365");
  command.Positional("PROJECT", &project_file, "the project's YAML file");
  command.Option("--output,-o", &out, "folder to make; must be absent or empty", true);
  return command.Run(arguments, [&]() -> Status {
    ASSIGN_OR_RETURN(const ConfigNode node, ConfigNode::ReadFile(project_file));
    ASSIGN_OR_RETURN(const Project project, ReadProject(node));
    RETURN_IF_ERROR(MakeKits(project, out));
    if (command.json()) Command::PrintJson(Describe(project, out));
    Explain(project, out);
    return Status();
  });
}

}  // namespace consilium::coordinator
