#include <filesystem>
#include <memory>

#include "cli/arguments.h"
#include "cli/object_access.h"
#include "cli/verbs.h"

namespace tusk::cli {
namespace {

void add_tenant_option(CLI::App* verb, std::string& target, const char* summary) {
  verb->add_option("--tenant", target, summary)->type_name("NAME");
}

// Not a conninfo or URI.
bool is_path(const std::string& word) {
  return word.starts_with('/') || word.starts_with('.') ||
         (word.find_first_of("=:") == word.npos && std::filesystem::exists(word));
}

constexpr const char* kTenantActions =
    "list [DB], create NAME [DB], rename NAME NEW [DB], remove NAME [DB] or quota NAME [DB]";

TenantAction tenant_action(const std::string& word) {
  if (word == "list") return TenantAction::list;
  if (word == "create") return TenantAction::create;
  if (word == "rename") return TenantAction::rename;
  if (word == "remove") return TenantAction::remove;
  if (word == "quota") return TenantAction::quota;
  throw CLI::ValidationError("unknown action '" + word + "': " + kTenantActions);
}

std::size_t names_taken(TenantAction action) {
  if (action == TenantAction::list) return 0;
  return action == TenantAction::rename ? 2 : 1;
}

}  // namespace

void add_tenant(CLI::App& app, Parsed& parsed) {
  CLI::App* verb =
      add_verb(app, "tenant", "the trees of a database: one each, mounted by --tenant");
  verb->formatter(std::make_shared<FixedUsage>(
      "list [DB] | create NAME [DB] | rename NAME NEW [DB] | remove NAME [DB] | quota NAME [DB]"));
  TenantRequest& request = parsed.tenant;
  verb->add_option(
          "ACTION", parsed.words,
          "list, create NAME, rename NAME NEW, remove NAME or quota NAME, and then the database's "
          "conninfo or URI (left out: the embedded cluster)")
      ->required()
      ->expected(1, 4)
      ->type_name("");
  verb->add_flag("--purge", request.purge,
                 "remove: with all files and their history, which cannot be undone");
  verb->add_option("--bytes", request.bytes, "quota: at most so many bytes of contents, as 10G")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::NonNegativeNumber)
      ->type_name("SIZE");
  verb->add_option("--files", request.files, "quota: at most so many files, folders and links")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  verb->add_flag("--none", request.no_quota, "quota: no limit but those that are given");
  verb->footer(
      "quota without an option shows it. It counts what is in the tree, not its versions and "
      "trash; a mount learns of\nanother one within a second. More than that is EDQUOT there, and "
      "SQLSTATE 53400 for SQL clients.");
  add_data_dir(verb, request.source.data_dir);
  add_json(verb, request.json);
  verb->callback([&parsed] {
    const std::vector<std::string>& words = parsed.words;
    TenantRequest& wanted = parsed.tenant;
    wanted.action = tenant_action(words[0]);
    const std::size_t names = names_taken(wanted.action);
    if (words.size() < 1 + names || words.size() > 2 + names)
      throw CLI::ValidationError(kTenantActions);
    if (wanted.action != TenantAction::quota && (wanted.bytes || wanted.files || wanted.no_quota))
      throw CLI::ValidationError("--bytes, --files and --none are for tenant quota");
    if (names > 0) wanted.name = words[1];
    if (names > 1) wanted.to = words[2];
    if (words.size() == 2 + names) wanted.source.database = words.back();
    check_source(wanted.source);
    parsed.verb = [&parsed] { return tenant(parsed.tenant); };
  });
}

void add_quota(CLI::App& app, Parsed& parsed) {
  CLI::App* verb = add_verb(app, "quota", "count what trees hold, and compare with their counters");
  verb->formatter(std::make_shared<FixedUsage>("check [DB|PATH]"));
  verb->footer(
      "tuskfs tenant quota sets what a tree may hold. check counts its rows in one moment, also "
      "beside a mount, which\ntakes up what --repair puts right.\n"
      "Exit status: 0 they agree, 1 all repaired, 4 they differ, 2 usage, 8 could not run.");
  QuotaRequest& request = parsed.quota;
  verb->add_option("ACTION", parsed.words,
                   "check, and then the database's conninfo or URI (left out: the embedded "
                   "cluster), or a path in a mount: its tree")
      ->required()
      ->expected(1, 2)
      ->type_name("");
  verb->add_option("--db", request.source.database,
                   "how to reach the database of that path's mount, if it is not an embedded one")
      ->type_name("CONNINFO");
  add_data_dir(verb, request.source.data_dir);
  add_tenant_option(verb, request.tenant, "only this tree (default: all)");
  verb->add_flag("--repair", request.repair, "put right what differs");
  add_json(verb, request.json);
  verb->callback([&parsed] {
    const std::vector<std::string>& words = parsed.words;
    QuotaRequest& wanted = parsed.quota;
    if (words[0] != "check") throw CLI::ValidationError("unknown action '" + words[0] + "': check");
    if (words.size() > 1) (is_path(words[1]) ? wanted.path : wanted.source.database) = words[1];
    check_source(wanted.source);
    parsed.verb = [&parsed] { return quota_check(parsed.quota); };
  });
}

void add_storage(CLI::App& app, Parsed& parsed) {
  CLI::App* verb =
      add_verb(app, "storage", "show where files are kept, or move them while they are in use");
  verb->formatter(std::make_shared<FixedUsage>("show PATH | move PATH db|external"));
  verb->footer(
      "Small files are in the database, large ones in objects beside it. What is moved is read "
      "back and compared; it stays where it is until it is next written to.");
  verb->add_option("ACTION", parsed.words, "show or move, and a file or folder in a mounted tree")
      ->required()
      ->expected(2, 3)
      ->type_name("");
  add_json(verb, parsed.storage.json);
  verb->callback([&parsed] {
    const std::vector<std::string>& words = parsed.words;
    StorageRequest& request = parsed.storage;
    if (words[0] != "show" && words[0] != "move")
      throw CLI::ValidationError("unknown action '" + words[0] + "': show or move");
    request.action = words[0] == "move" ? StorageAction::move : StorageAction::show;
    request.path = words[1];
    if (words.size() != (request.action == StorageAction::move ? 3 : 2))
      throw CLI::ValidationError("storage show PATH, or storage move PATH db|external");
    if (words.size() == 3 && words[2] != "db" && words[2] != "external")
      throw CLI::ValidationError("unknown place '" + words[2] + "': db or external");
    request.out = words.size() == 3 && words[2] == "external";
    parsed.verb = [&parsed] { return storage(parsed.storage); };
  });
}

void add_fsck(CLI::App& app, Parsed& parsed) {
  CLI::App* verb = add_verb(app, "fsck", "look for what must not be in the database");
  verb->footer(
      "Runs beside a mount; --repair needs the tree unmounted. Each finding is a line: the check, "
      "the row, the repair.\n"
      "Exit status: 0 clean, 1 all repaired, 4 errors left, 2 usage, 8 could not run.");
  FsckRequest& request = parsed.fsck;
  verb->add_option(
          "DB", parsed.words,
          "the database's conninfo or URI (left out: the embedded cluster), or a path in a "
          "mount: its tree")
      ->expected(0, 1)
      ->type_name("");
  verb->add_option("--db", request.source.database,
                   "how to reach the database of that path's mount, if it is not an embedded one")
      ->type_name("CONNINFO");
  add_data_dir(verb, request.source.data_dir);
  add_tenant_option(verb, request.tenant,
                    "only this tree (default: all, and rows that belong to none)");
  verb->add_flag("--repair", request.repair, "put right what can be, in one transaction");
  verb->add_flag("--scrub", request.scrub, "read every content and verify its checksum");
  add_object_access(verb, request.objects);
  add_json(verb, request.json);
  verb->callback([&parsed] {
    if (!parsed.words.empty()) {
      (is_path(parsed.words[0]) ? parsed.fsck.path : parsed.fsck.source.database) = parsed.words[0];
    }
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
  add_object_access(verb, request.objects);
  add_data_dir(verb, parsed.data_dir);
  verb->callback([&parsed] {
    parsed.backup.source = take_source(parsed.words, parsed.data_dir);
    parsed.backup.folder = parsed.words.front();
    parsed.verb = [&parsed] { return backup(parsed.backup); };
  });
}

void add_restore_backup(CLI::App& app, Parsed& parsed) {
  CLI::App* verb =
      add_verb(app, "restore-backup", "bring a backup into an empty database, whole or not at all");
  verb->add_option("DIR/NAME", parsed.restore_backup.backup,
                   "the backup (DIR alone: the newest in it)")
      ->required()
      ->type_name("");
  verb->add_option("DB", parsed.restore_backup.source.database,
                   "an empty database's conninfo or URI (left out: the embedded cluster)")
      ->type_name("");
  verb->add_option_function<std::string>(
          "--objects",
          [&parsed](const std::string& v) {
            parsed.restore_backup.objects = valid(parse_location(v));
          },
          "where large files go (default: beside the embedded cluster)")
      ->type_name("DIR|s3://BUCKET/PREFIX");
  add_data_dir(verb, parsed.restore_backup.source.data_dir);
  verb->callback([&parsed] {
    check_source(parsed.restore_backup.source);
    parsed.verb = [&parsed] { return restore_backup(parsed.restore_backup); };
  });
}

}  // namespace tusk::cli
