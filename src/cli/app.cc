#include "cli/app.h"

#include "cli/arguments.h"
#include "cli/mount_options.h"
#include "cli/mountpoint.h"
#include "cli/report.h"
#include "cli/secrets.h"
#include "cli/verbs.h"

namespace tusk::cli {
namespace {

constexpr std::string_view kHelperName = "mount.fuse.tuskfs";

std::string help_of(const CLI::App& app) {
  const auto verbs = app.get_subcommands();
  return "see tuskfs " + (verbs.empty() ? std::string() : verbs.front()->get_name() + " ") +
         "--help";
}

void check_verb(const CLI::App& app, int argc, char** argv) {
  const std::string hint =
      "mount, sidecar, umount, dsn, status, migrate, log, cat, restore, diff, trash, snapshot, "
      "policy, "
      "clone, du, storage, tenant, quota, gc, fsck, backup or restore-backup";
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
  add_sidecar(app, parsed);
  add_umount(app, parsed);
  add_dsn(app, parsed);
  add_status(app, parsed);
  add_migrate(app, parsed);
  add_history(app, parsed);
  add_clone(app, parsed);
  add_snapshot(app, parsed);
  add_diff(app, parsed);
  add_policy(app, parsed);
  add_storage(app, parsed);
  add_tenant(app, parsed);
  add_quota(app, parsed);
  add_fsck(app, parsed);
  add_backup(app, parsed);
  add_restore_backup(app, parsed);
  try {
    check_verb(app, argc, argv);
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    complain(one_line({.code = 0, .what = e.what(), .hint = help_of(app)}));
    return kUsage;
  }
  for (const std::string* database :
       {&parsed.mount.source.database, &parsed.migrate.source.database, &parsed.past.database,
        &parsed.snapshot.past.database, &parsed.diff.past.database, &parsed.fsck.source.database,
        &parsed.tenant.source.database, &parsed.quota.source.database,
        &parsed.backup.source.database, &parsed.restore_backup.source.database}) {
    hide_password(argc, argv, *database);
  }
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
