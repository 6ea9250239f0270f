#include "cli/app.h"

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

#include "cli/mount_options.h"
#include "cli/mountpoint.h"
#include "cli/report.h"
#include "cli/secrets.h"
#include "cli/verbs.h"

namespace tusk::cli {
namespace {

constexpr std::string_view kHelperName = "mount.fuse.tuskfs";
constexpr const char* kVersionLine = "tuskfs " TUSKFS_VERSION;

// Wrong values are CLI11's to report, as its own usage errors.
template <class T>
T valid(Result<T> result) {
  if (!result) throw CLI::ValidationError(one_line(result.error()));
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// "DB MOUNTPOINT" and the like: the database may be left out.
Source take_source(std::vector<std::string>& words, const std::string& data_dir) {
  Source source{.database = {}, .data_dir = data_dir};
  if (words.size() < 2) return source;
  source.database = words.front();
  if (source.database.empty()) throw CLI::ValidationError("the database's conninfo is empty");
  if (!data_dir.empty())
    throw CLI::ValidationError("--data-dir is for the embedded cluster; give it or a database");
  words.erase(words.begin());
  return source;
}

// What CLI11 fills in while it parses; alive until a verb has run.
struct Parsed {
  std::vector<std::string> words;  // positional
  std::vector<std::string> option_lists;
  std::string data_dir;
  MountRequest mount;
  UmountRequest umount;
  DsnRequest dsn;
  StatusRequest status;
  MigrateRequest migrate;
  PastRequest past;
  SnapshotRequest snapshot;
  std::function<int()> verb;
};

// CLI11 knows no optional word before a required one.
class FixedUsage : public CLI::Formatter {
 public:
  explicit FixedUsage(std::string words) : words_(std::move(words)) {}
  std::string make_usage(const CLI::App*, std::string name) const override {
    return "Usage: " + name + " [OPTIONS] " + words_ + "\n";
  }

 private:
  std::string words_;
};

CLI::App* add_verb(CLI::App& app, const char* name, const char* summary) {
  CLI::App* verb = app.add_subcommand(name, summary);
  verb->set_version_flag("--version", kVersionLine);
  return verb;
}

void add_data_dir(CLI::App* verb, std::string& target) {
  verb->add_option("--data-dir", target,
                   "folder of the embedded cluster (default: $TUSKFS_DATA, "
                   "$XDG_DATA_HOME/tuskfs or ~/.local/share/tuskfs)")
      ->type_name("DIR");
}

void add_choice(CLI::App* verb, const char* name, const char* summary, const char* values,
                std::function<void(const std::string&)> take) {
  verb->add_option_function<std::string>(name, std::move(take), summary)->type_name(values);
}

void add_mount(CLI::App& app, Parsed& parsed) {
  CLI::App* verb = add_verb(app, "mount", "mount a tree; returns when it is ready");
  verb->formatter(std::make_shared<FixedUsage>("[DB] MOUNTPOINT"));
  MountRequest& request = parsed.mount;
  verb->add_option("MOUNTPOINT", parsed.words,
                   "an empty folder; before it the database's conninfo or URI (left out: the "
                   "embedded cluster)")
      ->required()
      ->expected(1, 2)
      ->type_name("");
  verb->add_flag("-f,--foreground", request.foreground, "stay in the foreground");
  verb->add_option("-o", parsed.option_lists, "mount options, as for mount(8)")
      ->allow_extra_args(false)
      ->type_name("OPT,...");
  add_data_dir(verb, parsed.data_dir);
  add_choice(verb, "--durability", "when a commit is waited for (default: fsync)",
             "fsync|close|none",
             [&](const std::string& v) { request.durability = valid(parse_durability(v)); });
  verb->add_option("--tenant", request.tenant, "name of the tree (default: default)")
      ->type_name("NAME");
  add_choice(verb, "--db-timeout",
             "how long operations wait for a database that is gone (default: 60)", "SECONDS",
             [&](const std::string& v) { request.db_timeout = valid(parse_seconds(v)); });
  verb->add_option("--log-file", request.log_file,
                   "log there (default: stderr, or syslog once detached)")
      ->type_name("FILE");
  add_choice(verb, "--log-level", "what to log (default: info)", "debug|info|warning|error",
             [&](const std::string& v) { request.log_level = valid(log::parse_level(v)); });
  verb->add_flag("--migrate", request.migrate, "bring an older schema up to date first");
  verb->callback([&parsed] {
    MountRequest& mount_request = parsed.mount;
    for (const std::string& list : parsed.option_lists)
      for (const std::string& option : split_options(list))
        valid(apply_option(mount_request, option));
    if (parsed.data_dir.empty()) parsed.data_dir = mount_request.source.data_dir;
    mount_request.source = take_source(parsed.words, parsed.data_dir);
    mount_request.mountpoint = parsed.words.front();
    parsed.verb = [&parsed] { return mount(parsed.mount); };
  });
}

void add_umount(CLI::App& app, Parsed& parsed) {
  CLI::App* verb =
      add_verb(app, "umount", "unmount; returns when everything is committed and the driver gone");
  verb->add_option("MOUNTPOINT", parsed.umount.mountpoint)->required()->type_name("");
  verb->callback([&parsed] { parsed.verb = [&parsed] { return umount(parsed.umount); }; });
}

void add_dsn(CLI::App& app, Parsed& parsed) {
  CLI::App* verb = add_verb(
      app, "dsn", "print the embedded cluster's connection string; starts it if it is down");
  add_data_dir(verb, parsed.dsn.data_dir);
  verb->callback([&parsed] { parsed.verb = [&parsed] { return dsn(parsed.dsn); }; });
}

void add_status(CLI::App& app, Parsed& parsed) {
  CLI::App* verb = add_verb(app, "status", "what is mounted, and how it fares");
  verb->add_option("MOUNTPOINT", parsed.status.mountpoint, "only this one")->type_name("");
  verb->add_flag("--json", parsed.status.json, "as JSON");
  verb->callback([&parsed] { parsed.verb = [&parsed] { return status(parsed.status); }; });
}

MigrateAction action_of(const std::string& word) {
  if (word == "up") return MigrateAction::up;
  if (word == "down") return MigrateAction::down;
  if (word == "status") return MigrateAction::status;
  throw CLI::ValidationError("unknown action '" + word + "': up, down or status");
}

void add_migrate(CLI::App& app, Parsed& parsed) {
  CLI::App* verb = add_verb(app, "migrate", "bring the schema up or down, or show where it is");
  verb->formatter(std::make_shared<FixedUsage>("[DB] up|down|status"));
  verb->add_option("ACTION", parsed.words,
                   "up, down or status; before it the database's conninfo or URI (left out: the "
                   "embedded cluster)")
      ->required()
      ->expected(1, 2)
      ->type_name("");
  verb->add_option_function<unsigned>(
          "--to", [&](unsigned number) { parsed.migrate.to = static_cast<int>(number); },
          "the version to be left with")
      ->type_name("N");
  add_data_dir(verb, parsed.data_dir);
  verb->callback([&parsed] {
    parsed.migrate.source = take_source(parsed.words, parsed.data_dir);
    parsed.migrate.action = action_of(parsed.words.front());
    parsed.verb = [&parsed] { return migrate(parsed.migrate); };
  });
}

void add_past(CLI::App* verb, PastRequest& request, const char* path_summary) {
  verb->add_option("PATH", request.path, path_summary)->required()->type_name("");
  verb->add_option("--db", request.database,
                   "the database's conninfo or URI, where the tree is not in the embedded cluster")
      ->type_name("DB");
}

void add_json(CLI::App* verb, bool& json) { verb->add_flag("--json", json, "as JSON"); }

void add_moment(CLI::App* verb, PastRequest& request) {
  auto* version = verb->add_option("-n,--version", request.version,
                                   "the version's number, as tuskfs log shows it")
                      ->type_name("N");
  verb->add_option("--at", request.at,
                   "as of this time: 2026-11-23T10:00:00Z, or local time without zone")
      ->type_name("TIME")
      ->excludes(version);
}

// The verbs about what was take a path in a mounted tree, deleted ones included.
void add_history(CLI::App& app, Parsed& parsed) {
  const auto add = [&](const char* name, const char* summary, const char* path,
                       int (*run)(const PastRequest&)) {
    CLI::App* verb = app.add_subcommand(name, summary);
    add_past(verb, parsed.past, path);
    verb->callback([&parsed, run] { parsed.verb = [&parsed, run] { return run(parsed.past); }; });
    return verb;
  };
  constexpr const char* kFile = "a file in a mounted tree; it may have been deleted";
  constexpr const char* kTree = "a mounted tree";
  add_json(add("log", "the versions of a file", kFile, log_versions), parsed.past.json);
  add_moment(add("cat", "print what a file held", kFile, cat), parsed.past);
  CLI::App* back = add("restore", "bring back a file or folder as it was",
                       "a file or folder in a mounted tree; it may have been deleted", restore);
  add_moment(back, parsed.past);
  back->add_option("--to", parsed.past.to, "restore there, where nothing is yet")
      ->type_name("OTHER");
  add_json(add("trash", "list what was deleted", kTree, trash), parsed.past.json);
  add_json(add("gc", "remove at once what history need not keep any longer", kTree, gc),
           parsed.past.json);
}

SnapshotAction snapshot_action(const std::string& word) {
  if (word == "create") return SnapshotAction::create;
  if (word == "list") return SnapshotAction::list;
  if (word == "remove") return SnapshotAction::remove;
  throw CLI::ValidationError("unknown action '" + word + "': create, list or remove");
}

void add_snapshot(CLI::App& app, Parsed& parsed) {
  CLI::App* verb = add_verb(app, "snapshot", "name the present moment, so that history keeps it");
  verb->formatter(std::make_shared<FixedUsage>("create|list|remove [NAME] PATH"));
  SnapshotRequest& request = parsed.snapshot;
  verb->add_option("ACTION", parsed.words,
                   "create NAME, list or remove NAME, and then a mounted tree")
      ->required()
      ->expected(2, 3)
      ->type_name("");
  verb->add_option("--db", request.past.database, "as for tuskfs log")->type_name("DB");
  add_json(verb, request.past.json);
  verb->callback([&parsed] {
    SnapshotRequest& wanted = parsed.snapshot;
    wanted.action = snapshot_action(parsed.words.front());
    const std::size_t words = wanted.action == SnapshotAction::list ? 2 : 3;
    if (parsed.words.size() != words)
      throw CLI::ValidationError(words == 3 ? "a name and a mounted tree are missing"
                                            : "list takes only a mounted tree");
    if (words == 3) wanted.name = parsed.words[1];
    wanted.past.path = parsed.words.back();
    parsed.verb = [&parsed] { return snapshot(parsed.snapshot); };
  });
}

std::string help_of(const CLI::App& app) {
  const auto verbs = app.get_subcommands();
  return "see tuskfs " + (verbs.empty() ? std::string() : verbs.front()->get_name() + " ") +
         "--help";
}

void check_verb(const CLI::App& app, int argc, char** argv) {
  const std::string hint =
      "mount, umount, dsn, status, migrate, log, cat, restore, trash, snapshot or gc";
  if (argc < 2) throw CLI::ValidationError("what is to be done? " + hint);
  const std::string word = argv[1];
  const auto named = [&](const CLI::App* verb) { return verb->get_name() == word; };
  if (!word.starts_with('-') && app.get_subcommands(named).empty())
    throw CLI::ValidationError("unknown verb '" + word + "': " + hint);
}

int run_verb(int argc, char** argv) {
  CLI::App app("A filesystem whose disk is a PostgreSQL database.", "tuskfs");
  app.set_version_flag("--version", kVersionLine);
  app.require_subcommand(1);
  Parsed parsed;
  add_mount(app, parsed);
  add_umount(app, parsed);
  add_dsn(app, parsed);
  add_status(app, parsed);
  add_migrate(app, parsed);
  add_history(app, parsed);
  add_snapshot(app, parsed);
  try {
    check_verb(app, argc, argv);
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    complain(one_line({.code = 0, .what = e.what(), .hint = help_of(app)}));
    return kUsage;
  }
  hide_password(argc, argv, parsed.mount.source.database);
  hide_password(argc, argv, parsed.migrate.source.database);
  hide_password(argc, argv, parsed.past.database);
  hide_password(argc, argv, parsed.snapshot.past.database);
  return parsed.verb();
}

int run_helper(int argc, char** argv) {
  auto call = parse_helper_call({argv + 1, argv + argc});
  if (!call) {
    report(call.error());
    return kUsage;
  }
  hide_password(argc, argv, call->request.source.database);
  if (!call->fake) return mount(std::move(call->request));
  const auto claimed = claim_mountpoint(call->request.mountpoint);
  return claimed ? kDone : report(claimed.error());
}

}  // namespace

int run(int argc, char** argv) {
  // Until a mount says otherwise.
  log::Options quiet;
  quiet.level = log::Level::warning;
  if (const auto configured = log::configure(quiet); !configured) return report(configured.error());
  const std::string_view name = argc > 0 ? argv[0] : "";
  if (name.substr(name.rfind('/') + 1) == kHelperName) return run_helper(argc, argv);
  return run_verb(argc, argv);
}

}  // namespace tusk::cli
