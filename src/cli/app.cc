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

void check_source(const Source& source) {
  if (!source.database.empty() && !source.data_dir.empty())
    throw CLI::ValidationError("--data-dir is for the embedded cluster; give it or a database");
}

// "DB MOUNTPOINT" and the like: the database may be left out.
Source take_source(std::vector<std::string>& words, const std::string& data_dir) {
  Source source{.database = {}, .data_dir = data_dir};
  if (words.size() < 2) return source;
  source.database = words.front();
  if (source.database.empty()) throw CLI::ValidationError("the database's conninfo is empty");
  check_source(source);
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
  FsckRequest fsck;
  BackupRequest backup;
  RestoreRequest restore;
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

void add_tenant(CLI::App* verb, std::string& target, const char* summary) {
  verb->add_option("--tenant", target, summary)->type_name("NAME");
}

void add_fsck(CLI::App& app, Parsed& parsed) {
  CLI::App* verb = add_verb(app, "fsck", "look for what must not be in the database");
  verb->footer(
      "Runs beside a mount; --repair needs the tree unmounted. Each finding is a line: the check, "
      "the row, the repair.\n"
      "Exit status: 0 clean, 1 all repaired, 4 errors left, 2 usage, 8 could not run.");
  FsckRequest& request = parsed.fsck;
  verb->add_option("DB", request.source.database,
                   "the database's conninfo or URI (left out: the embedded cluster)")
      ->type_name("");
  add_data_dir(verb, request.source.data_dir);
  add_tenant(verb, request.tenant, "only this tree (default: all, and rows that belong to none)");
  verb->add_flag("--repair", request.repair, "put right what can be, in one transaction");
  verb->add_flag("--scrub", request.scrub, "read every content and verify its checksum");
  verb->add_flag("--json", request.json, "as JSON");
  verb->callback([&parsed] {
    check_source(parsed.fsck.source);
    parsed.verb = [&parsed] { return fsck(parsed.fsck); };
  });
}

void add_backup(CLI::App& app, Parsed& parsed) {
  CLI::App* verb = add_verb(app, "backup", "back up all trees of a database, mounted or not");
  verb->formatter(std::make_shared<FixedUsage>("[DB] DIR"));
  verb->footer(
      "A backup is a folder in DIR, named after its time: one moment of the database, with a "
      "manifest of checksums.\nBring it back with tuskfs restore-backup.");
  verb->add_option("DIR", parsed.words,
                   "folder of the backups; before it the database's conninfo or URI (left out: the "
                   "embedded cluster)")
      ->required()
      ->expected(1, 2)
      ->type_name("");
  BackupRequest& request = parsed.backup;
  const auto action = [&](BackupAction which) {
    return [&request, which](std::int64_t) { request.action = which; };
  };
  CLI::Option_group* actions = verb->add_option_group("instead");
  actions->add_flag_function("--list", action(BackupAction::list), "show the backups in DIR");
  actions->add_flag_function(
      "--verify", action(BackupAction::verify),
      "prove that DIR/NAME (or the newest in DIR) can be restored: checksums, "
      "then a trial in a temporary cluster");
  actions
      ->add_option_function<int>(
          "--prune",
          [&request](const int& keep) {
            request.action = BackupAction::prune;
            request.keep = keep;
          },
          "remove all but the N newest in DIR")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  actions->require_option(0, 1);
  verb->add_flag("--json", request.json, "with --list: as JSON");
  add_data_dir(verb, parsed.data_dir);
  verb->callback([&parsed] {
    parsed.backup.source = take_source(parsed.words, parsed.data_dir);
    parsed.backup.folder = parsed.words.front();
    parsed.verb = [&parsed] { return backup(parsed.backup); };
  });
}

void add_restore(CLI::App& app, Parsed& parsed) {
  CLI::App* verb =
      add_verb(app, "restore-backup", "bring a backup into an empty database, whole or not at all");
  verb->add_option("DIR/NAME", parsed.restore.backup, "the backup (DIR alone: the newest in it)")
      ->required()
      ->type_name("");
  verb->add_option("DB", parsed.restore.source.database,
                   "an empty database's conninfo or URI (left out: the embedded cluster)")
      ->type_name("");
  add_data_dir(verb, parsed.restore.source.data_dir);
  verb->callback([&parsed] {
    check_source(parsed.restore.source);
    parsed.verb = [&parsed] { return restore_backup(parsed.restore); };
  });
}

std::string help_of(const CLI::App& app) {
  const auto verbs = app.get_subcommands();
  return "see tuskfs " + (verbs.empty() ? std::string() : verbs.front()->get_name() + " ") +
         "--help";
}

void check_verb(const CLI::App& app, int argc, char** argv) {
  const std::string hint = "mount, umount, dsn, status, migrate, fsck, backup or restore-backup";
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
  add_fsck(app, parsed);
  add_backup(app, parsed);
  add_restore(app, parsed);
  try {
    check_verb(app, argc, argv);
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    complain(one_line({.code = 0, .what = e.what(), .hint = help_of(app)}));
    return kUsage;
  }
  for (const Source* source : {&parsed.mount.source, &parsed.migrate.source, &parsed.fsck.source,
                               &parsed.backup.source, &parsed.restore.source})
    hide_password(argc, argv, source->database);
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
