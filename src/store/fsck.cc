#include "tuskfs/store/fsck.h"

#include <fmt/format.h>

#include <cerrno>
#include <map>
#include <unordered_set>
#include <vector>

#include "attach.h"
#include "checks.h"
#include "object_audit.h"
#include "object_place.h"
#include "scrub.h"
#include "session.h"
#include "sqlstate.h"
#include "upkeep.h"

namespace tusk::store {
namespace {

// A repair may bring to light what another one can repair: a folder that moved changes link counts.
constexpr int kMostPasses = 10;

struct Tree {
  TenantId tenant;
  std::string name;
  std::optional<ObjectAudit> objects = {};
  std::unique_ptr<objects::Objects> contents = {};  // to be scrubbed
};

class Fsck {
 public:
  Fsck(const FsckOptions& options, const FsckWatcher& watcher)
      : options_(options), watcher_(watcher) {
    context_.conninfo = options.conninfo;
  }

  Result<FsckOutcome> run();

 private:
  Result<PgResult> run(std::string_view statement, const Params& params = {}) {
    auto result = connection_->run(statement, params);
    if (!result) return std::unexpected(setup_error(result.error()));
    return std::move(*result);
  }
  Result<PgResult> run_text(const std::string& sql);
  Result<void> find_trees();
  Result<void> take_trees();
  Result<void> repair_all();
  Result<std::int64_t> repair(const Check& check);
  Result<void> list_all();
  Result<void> list_rows(const std::string& rows, const Check& check, bool is_left);
  void tell(const Finding& finding, bool is_left);
  std::string rows_of(const Check& check) const;
  Result<void> list_objects();
  Result<void> compare_objects();
  Result<void> scrub_all();
  Result<void> end();
  void note_checkups();

  const FsckOptions& options_;
  const FsckWatcher& watcher_;
  ConnectionContext context_;
  std::unique_ptr<Connection> connection_;
  std::vector<Tree> trees_;
  std::unordered_set<std::size_t> told_;                               // hashes of findings
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> left_;  // of a tree: all, missing
  FsckOutcome outcome_;
};

// A content that is not there, or not all of it.
bool is_missing(std::string_view check) {
  return check.ends_with("_missing") || check == "object_unknown" || check == "object_cut_short";
}

Result<PgResult> Fsck::run_text(const std::string& sql) {
  auto result = connection_->run_script(sql);
  if (result) return std::move(*result);
  Error error = setup_error(result.error());
  if (result.error().sqlstate == "40001") error.hint = "the tree was changed meanwhile; try again";
  return std::unexpected(std::move(error));
}

Result<void> Fsck::find_trees() {
  TRY_ASSIGN(const PgResult all, run("all_tenants"));
  for (int i = 0; i < all.rows(); i++) {
    const Row row = all.row(i);
    if (options_.tenant.empty() || row.text(1) == options_.tenant)
      trees_.push_back({{row.uuid(0)}, std::string(row.text(1))});
  }
  if (options_.tenant.empty() || !trees_.empty()) return {};
  return fail(ENOENT, fmt::format("there is no tenant '{}' in the database", options_.tenant),
              "see tusk.tenants, or leave --tenant out to check every tree");
}

Result<void> Fsck::take_trees() {
  for (const Tree& tree : trees_) {
    auto taken = lock_tree(*connection_, tree.tenant, tree.name);
    if (taken) continue;
    if (taken.error().code == EBUSY)
      taken.error().hint = "unmount it to repair it; without --repair fsck runs beside the mount";
    return taken;
  }
  return {};
}

// The rows of the check that are asked for.
std::string Fsck::rows_of(const Check& check) const {
  std::string sql = fmt::format("select c.* from (\n{}\n) c", check.query);
  if (!options_.tenant.empty())
    sql += fmt::format(" where c.tenant_id = '{}'", trees_[0].tenant.uuid.text());
  return sql;
}

void Fsck::tell(const Finding& finding, bool is_left) {
  const bool is_new = told_.insert(std::hash<std::string>{}(finding.check + finding.row)).second;
  if (is_new) watcher_.found(finding);
  if (is_left) {
    outcome_.left++;
    auto& [all, missing] = left_[finding.tree];
    all++;
    if (is_missing(finding.check)) missing++;
    if (!is_new) outcome_.repaired--;  // its repair was of no use
  } else if (is_new) {
    outcome_.repaired++;
  }
}

// Through a cursor: findings may be as many as rows.
Result<void> Fsck::list_rows(const std::string& rows, const Check& check, bool is_left) {
  TRY(run_text(
      fmt::format("declare findings no scroll cursor for select t.name, row_to_json(c)::text from "
                  "({}) c left join tusk.tenants t on t.id = c.tenant_id",
                  rows)));
  while (true) {
    TRY_ASSIGN(const PgResult page, run_text("fetch 500 from findings"));
    if (page.rows() == 0) break;
    for (int i = 0; i < page.rows(); i++) {
      const Row row = page.row(i);
      tell({std::string(check.name), std::string(row.text(0)), std::string(row.text(1)),
            std::string(check.remedy)},
           is_left);
    }
  }
  TRY(run_text("close findings"));
  return {};
}

Result<std::int64_t> Fsck::repair(const Check& check) {
  TRY_ASSIGN(const PgResult found,
             run_text("create temporary table finding on commit drop as " + rows_of(check)));
  const std::int64_t count = found.touched();
  if (count > 0) {
    TRY(list_rows("select c.* from pg_temp.finding c", check, false));
    TRY(run_text(std::string(check.repair)));
  }
  TRY(run_text("drop table pg_temp.finding"));
  return count;
}

Result<void> Fsck::repair_all() {
  TRY(run("make_lost_found_tool"));
  TRY(run("make_lost_name_tool"));
  for (int pass = 0; pass < kMostPasses; pass++) {
    std::int64_t count = 0;
    for (const Check& check : all_checks()) {
      if (check.repair.empty()) continue;
      TRY_ASSIGN(const std::int64_t found, repair(check));
      count += found;
    }
    if (count == 0) break;
  }
  return {};
}

Result<void> Fsck::list_all() {
  for (const Check& check : all_checks()) TRY(list_rows(rows_of(check), check, true));
  return {};
}

Result<void> Fsck::list_objects() {
  for (Tree& tree : trees_) {
    TRY_ASSIGN(auto objects, open_stored_objects(*connection_, tree.tenant));
    if (!objects) continue;
    if (options_.scrub) {
      TRY_ASSIGN(tree.contents, open_noted_objects(*connection_, tree.tenant, options_.objects));
    }
    TRY_ASSIGN(tree.objects, ObjectAudit::begin(std::move(objects)));
  }
  return {};
}

Result<void> Fsck::compare_objects() {
  for (Tree& tree : trees_) {
    if (!tree.objects) continue;
    const auto told = [&](Finding finding, bool is_left) {
      finding.tree = tree.name;
      tell(finding, is_left);
    };
    TRY(tree.objects->compare(*connection_, tree.tenant, options_.repair, told));
  }
  return {};
}

Result<void> Fsck::scrub_all() {
  const FsckWatcher watcher{[&](const Finding& finding) { tell(finding, true); },
                            watcher_.scrubbed};
  const TenantId tenant = options_.tenant.empty() ? TenantId{} : trees_[0].tenant;
  TRY_ASSIGN(outcome_.scrubbed_bytes, scrub(*connection_, tenant, watcher));
  for (Tree& tree : trees_) {
    if (!tree.objects) continue;
    TRY_ASSIGN(outcome_.scrubbed_bytes,
               tree.objects->scrub(*connection_, tree.tenant, *tree.contents, watcher,
                                   outcome_.scrubbed_bytes));
  }
  return {};
}

// A mount that lost its connection may hold what was repaired in its memory: it must not go on.
Result<void> Fsck::end() {
  if (outcome_.repaired == 0) {
    TRY(run("rollback"));
    return {};
  }
  for (const Tree& tree : trees_) TRY(run("forget_all_mounts", Params().add(tree.tenant)));
  TRY(run("commit"));
  return {};
}

void Fsck::note_checkups() {
  for (const Tree& tree : trees_) {
    const auto [all, missing] = left_[tree.name];
    record(*connection_,
           {.tenant = tree.tenant, .scrubbed = options_.scrub, .errors = all, .missing = missing});
  }
}

Result<FsckOutcome> Fsck::run() {
  TRY_ASSIGN(connection_, open_first_session(context_));
  TRY(find_trees());
  if (options_.repair) TRY(take_trees());
  TRY(list_objects());
  TRY(run(options_.repair ? "begin_repair" : "begin_audit"));
  TRY(run("audit_freely"));
  if (options_.repair) TRY(repair_all());
  TRY(list_all());
  TRY(compare_objects());
  if (options_.scrub) TRY(scrub_all());
  TRY(end());
  note_checkups();
  return outcome_;
}

}  // namespace

Result<FsckOutcome> fsck(const FsckOptions& options, const FsckWatcher& watcher) {
  return Fsck(options, watcher).run();
}

}  // namespace tusk::store
