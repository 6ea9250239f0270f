#include <memory>

#include "cli/arguments.h"
#include "cli/mount_options.h"
#include "cli/object_access.h"
#include "cli/verbs.h"

namespace tusk::cli {
namespace {

void add_choice(CLI::App* verb, const char* name, const char* summary, const char* values,
                std::function<void(const std::string&)> take) {
  verb->add_option_function<std::string>(name, std::move(take), summary)->type_name(values);
}

MigrateAction action_of(const std::string& word) {
  if (word == "up") return MigrateAction::up;
  if (word == "down") return MigrateAction::down;
  if (word == "status") return MigrateAction::status;
  throw CLI::ValidationError("unknown action '" + word + "': up, down or status");
}

// What all mounts have.
void add_serving(CLI::App* verb, Parsed& parsed) {
  MountRequest& request = parsed.mount;
  verb->add_flag("-f,--foreground", request.foreground, "stay in the foreground");
  verb->add_option("-o", parsed.option_lists, "mount options, as for mount(8)")
      ->allow_extra_args(false)
      ->type_name("OPT,...");
  add_data_dir(verb, parsed.data_dir);
  verb->add_option("--log-file", request.log_file,
                   "log there (default: stderr, or syslog once detached)")
      ->type_name("FILE");
  add_choice(verb, "--log-level", "what to log (default: info)", "debug|info|warning|error",
             [&](const std::string& v) { request.log_level = valid(log::parse_level(v)); });
}

// From what was parsed to what is to be mounted.
void take_mount(Parsed& parsed) {
  MountRequest& request = parsed.mount;
  for (const std::string& list : parsed.option_lists)
    for (const std::string& option : split_options(list)) valid(apply_option(request, option));
  if (parsed.data_dir.empty()) parsed.data_dir = request.source.data_dir;
  request.source = take_source(parsed.words, parsed.data_dir);
  request.mountpoint = parsed.words.front();
}

}  // namespace

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
  add_serving(verb, parsed);
  add_choice(verb, "--durability", "when a commit is waited for (default: fsync)",
             "fsync|close|none",
             [&](const std::string& v) { request.durability = valid(parse_durability(v)); });
  verb->add_option("--tenant", request.tenant, "name of the tree (default: default)")
      ->type_name("NAME");
  add_choice(verb, "--db-timeout",
             "how long operations wait for a database that is gone (default: 60)", "SECONDS",
             [&](const std::string& v) { request.db_timeout = valid(parse_seconds(v)); });
  add_choice(verb, "--delegation-idle",
             "after an SQL client wrote, until the mount is alone again by itself (default: 2)",
             "SECONDS",
             [&](const std::string& v) { request.delegation_idle = valid(parse_seconds(v)); });
  add_choice(verb, "--objects",
             "where large files go (default: as before; at first beside the embedded cluster)",
             "DIR|s3://BUCKET/PREFIX",
             [&](const std::string& v) { request.objects.location = valid(parse_location(v)); });
  add_object_access(verb, request.objects.access);
  verb->add_option("--at", request.at,
                   "the tree as it was, read-only: a time such as 2026-11-23T10:00:00Z, or a "
                   "snapshot; beside a mount of the present, if there is one")
      ->type_name("TIME|SNAPSHOT");
  verb->add_flag("--read-only-standby", request.read_only_standby,
                 "the tree as a hot standby has it, read-only, beside the mount that writes; of "
                 "several hosts one that is a standby is taken, if there is one");
  verb->add_flag(
      "--sidecar", request.sidecar,
      "show stats/, cache/, flags/, ratelimit/ and sessions/ in the root too (they are in "
      ".tusk anyway)");
  verb->add_flag("--migrate", request.migrate, "bring an older schema up to date first");
  verb->callback([&parsed] {
    take_mount(parsed);
    parsed.verb = [&parsed] { return mount(parsed.mount); };
  });
}

void add_sidecar(CLI::App& app, Parsed& parsed) {
  CLI::App* verb =
      add_verb(app, "sidecar", "mount the statistics of any PostgreSQL database as files");
  verb->formatter(std::make_shared<FixedUsage>("[DB] MOUNTPOINT"));
  verb->footer(
      "cat MOUNTPOINT/stats/health, stats/dashboard, stats/metrics ... The role pg_monitor is "
      "enough, "
      "and nothing is created in the database.");
  MountRequest& request = parsed.mount;
  verb->add_option("MOUNTPOINT", parsed.words,
                   "an empty folder; before it the database's conninfo or URI (left out: the "
                   "embedded cluster)")
      ->expected(0, 2)
      ->type_name("");
  add_serving(verb, parsed);
  verb->add_flag("--install", parsed.install,
                 "mount nothing: make or renew the views tusk_stats.* and the schema tusk_cache");
  verb->add_option_function<int>(
          "--alerts-every",
          [&request](const int& ms) { request.alerts_every = std::chrono::milliseconds(ms); },
          "between two samples for alerts, while somebody reads them (default: 5000)")
      ->check(CLI::Range(10, 3600000))
      ->type_name("MS");
  verb->callback([&parsed, &request] {
    if (parsed.install) {
      if (parsed.words.size() > 1) throw CLI::ValidationError("--install takes only a database");
      request.source = {.database = parsed.words.empty() ? "" : parsed.words[0],
                        .data_dir = parsed.data_dir};
      parsed.verb = [&parsed] { return install_sidecar(parsed.mount.source); };
      return;
    }
    if (parsed.words.empty()) throw CLI::RequiredError("MOUNTPOINT");
    take_mount(parsed);
    request.only_sidecar = true;
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
  add_json(verb, parsed.status.json);
  verb->callback([&parsed] { parsed.verb = [&parsed] { return status(parsed.status); }; });
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

}  // namespace tusk::cli
