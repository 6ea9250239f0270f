#include <memory>

#include "cli/arguments.h"
#include "cli/verbs.h"

namespace tusk::cli {
namespace {

void add_past(CLI::App* verb, PastRequest& request, const char* path_summary) {
  verb->add_option("PATH", request.path, path_summary)->required()->type_name("");
  verb->add_option("--db", request.database,
                   "the database's conninfo or URI, where the tree is not in the embedded cluster")
      ->type_name("DB");
}

void add_moment(CLI::App* verb, PastRequest& request) {
  auto* version = verb->add_option("-n,--version", request.version,
                                   "the version's number, as tuskfs log shows it")
                      ->type_name("N");
  verb->add_option("--at", request.at,
                   "as of this time: 2026-11-23T10:00:00Z, or local time without zone")
      ->type_name("TIME")
      ->excludes(version);
}

SnapshotAction snapshot_action(const std::string& word) {
  if (word == "create") return SnapshotAction::create;
  if (word == "list") return SnapshotAction::list;
  if (word == "remove") return SnapshotAction::remove;
  if (word == "diff") return SnapshotAction::diff;
  throw CLI::ValidationError("unknown action '" + word + "': create, list, remove or diff");
}

PolicyAction policy_action(const std::string& word) {
  if (word == "show") return PolicyAction::show;
  if (word == "set") return PolicyAction::set;
  if (word == "unset") return PolicyAction::unset;
  throw CLI::ValidationError("unknown action '" + word + "': show, set or unset");
}

}  // namespace

// The verbs about what was take a path in a mounted tree, deleted ones included.
void add_history(CLI::App& app, Parsed& parsed) {
  const auto add = [&](const char* name, const char* summary, const char* path,
                       int (*run)(const PastRequest&), bool has_versions = false) {
    // There --version names one.
    CLI::App* verb =
        has_versions ? app.add_subcommand(name, summary) : add_verb(app, name, summary);
    add_past(verb, parsed.past, path);
    verb->callback([&parsed, run] { parsed.verb = [&parsed, run] { return run(parsed.past); }; });
    return verb;
  };
  constexpr const char* kFile = "a file in a mounted tree; it may have been deleted";
  constexpr const char* kTree = "a mounted tree";
  add_json(add("log", "the versions of a file", kFile, log_versions), parsed.past.json);
  CLI::App* printed = add("cat", "print what a file held", kFile, cat, true);
  add_moment(printed, parsed.past);
  add_object_access(printed, parsed.past.objects);
  CLI::App* back =
      add("restore", "bring back a file or folder as it was",
          "a file or folder in a mounted tree; it may have been deleted", restore, true);
  add_moment(back, parsed.past);
  add_object_access(back, parsed.past.objects);
  back->add_option("--to", parsed.past.to, "restore there, where nothing is yet")
      ->type_name("OTHER");
  add_json(add("trash", "list what was deleted", kTree, trash), parsed.past.json);
  CLI::App* used =
      add("du", "what the contents of a file or folder take", "a path in a mounted tree", du);
  used->get_option("PATH")->required(false);
  add_json(used, parsed.past.json);
  CLI::App* collected =
      add("gc", "remove at once what history need not keep any longer", kTree, gc);
  collected
      ->add_option_function<std::int64_t>(
          "--object-grace",
          [&parsed](std::int64_t v) { parsed.past.object_grace = std::chrono::seconds(v); },
          "for how long objects stay that nothing refers to (default: 3600)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0, 365 * 24 * 3600));
  add_json(collected, parsed.past.json);
}

void add_snapshot(CLI::App& app, Parsed& parsed) {
  CLI::App* verb = add_verb(app, "snapshot", "name the present moment, so that history keeps it");
  verb->formatter(std::make_shared<FixedUsage>(
      "create NAME PATH | list PATH | remove NAME PATH | diff NAME [OTHER] PATH"));
  SnapshotRequest& request = parsed.snapshot;
  verb->add_option("ACTION", parsed.words,
                   "create NAME, list, remove NAME or diff NAME [OTHER], and then a mounted tree")
      ->required()
      ->expected(2, 4)
      ->type_name("");
  verb->footer(
      "diff lists what was added, changed, renamed or deleted since the snapshot, or between it "
      "and the other.\nIts exit status is 0 (nothing), 1 (something) or 2 (trouble).");
  verb->add_option("--db", request.past.database, "as for tuskfs log")->type_name("DB");
  add_json(verb, request.past.json);
  verb->callback([&parsed] {
    const std::vector<std::string>& words = parsed.words;
    SnapshotRequest& wanted = parsed.snapshot;
    wanted.action = snapshot_action(words.front());
    const bool lists = wanted.action == SnapshotAction::list;
    const bool compares = wanted.action == SnapshotAction::diff;
    if (lists && words.size() != 2) throw CLI::ValidationError("list takes only a mounted tree");
    if (!lists && words.size() != 3 && !(compares && words.size() == 4))
      throw CLI::ValidationError("a name and a mounted tree are missing");
    if (!lists) wanted.name = words[1];
    if (words.size() == 4) wanted.other = words[2];
    wanted.past.path = words.back();
    parsed.verb = [&parsed, compares] {
      return compares ? snapshot_diff(parsed.snapshot) : snapshot(parsed.snapshot);
    };
  });
}

void add_diff(CLI::App& app, Parsed& parsed) {
  CLI::App* verb = add_verb(app, "diff", "what changed in a file or below a folder");
  add_past(verb, parsed.diff.past, "a file or folder in a mounted tree; it may have been deleted");
  constexpr const char* kMoment = "N|TIME|SNAPSHOT";
  verb->add_option("--from", parsed.diff.from,
                   "compare this (default: the version before; needed for a folder)")
      ->type_name(kMoment);
  verb->add_option("--to", parsed.diff.to, "with this (default: the present)")->type_name(kMoment);
  add_json(verb, parsed.diff.past.json);
  add_object_access(verb, parsed.diff.past.objects);
  verb->footer(
      "Of a text file a unified diff, of a folder the paths that were added, changed, renamed or "
      "deleted.\nExit status as diff(1): 0 the same, 1 different, 2 trouble.");
  verb->callback([&parsed] { parsed.verb = [&parsed] { return diff(parsed.diff); }; });
}

void add_clone(CLI::App& app, Parsed& parsed) {
  CLI::App* verb = add_verb(app, "clone", "copy a file or folder, sharing its content");
  verb->add_option("SRC", parsed.clone.source, "a file or folder in a mounted tree")
      ->required()
      ->type_name("");
  verb->add_option("DST", parsed.clone.target, "a path of the same mount, where nothing is yet")
      ->required()
      ->type_name("");
  verb->footer(
      "The copy is SRC at one moment, with modes, times, owners, attributes and links. Who is not "
      "root must own\nall of it.");
  verb->callback([&parsed] { parsed.verb = [&parsed] { return clone(parsed.clone); }; });
}

void add_policy(CLI::App& app, Parsed& parsed) {
  CLI::App* verb = add_verb(app, "policy", "show or set what holds in a folder and below it");
  verb->formatter(
      std::make_shared<FixedUsage>("show PATH | set PATH KEY=VALUE ... | unset PATH KEY ..."));
  verb->footer(
      "Keys: versions (kept of a file; 0: none), version_age, version_interval, trash (0: deleted "
      "is gone),\ninline_below (at most 8M), external_above. Times are seconds, or 30m, 12h, 90d, "
      "2w; sizes bytes, or 64K, 10M.\nA key that a folder does not set is inherited. Example: "
      "tuskfs policy set ~/tusk/build versions=0 trash=0");
  verb->add_option("ACTION", parsed.words, "show, set or unset, and a path in a mounted tree")
      ->required()
      ->type_name("");
  add_json(verb, parsed.policy.json);
  verb->callback([&parsed] {
    std::vector<std::string>& words = parsed.words;
    parsed.policy.action = policy_action(words[0]);
    if (words.size() < 2) throw CLI::ValidationError("a path in a mounted tree is missing");
    parsed.policy.path = words[1];
    parsed.policy.settings.assign(words.begin() + 2, words.end());
    const bool shows = parsed.policy.action == PolicyAction::show;
    if (parsed.policy.settings.empty() != shows)
      throw CLI::ValidationError(shows               ? "show takes no KEY"
                                 : words[0] == "set" ? "KEY=VALUE is missing"
                                                     : "KEY is missing");
    parsed.verb = [&parsed] { return policy(parsed.policy); };
  });
}

}  // namespace tusk::cli
