// What the driver asks costs the same in a tree of millions: rows are found by key. Plans are made
// once, for any parameters, perhaps on empty tables; so they are looked at on empty tables here.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "store/connection.h"
#include "store/statements.h"
#include "support/fs_sql.h"
#include "support/store_backends.h"
#include "support/store_session.h"

namespace tusk::test {
namespace {

using namespace store;
using nlohmann::json;

const std::set<std::string> kLarge = {"files",         "folders",      "file_chunks", "file_links",
                                      "file_versions", "path_history", "xattrs",      "changes"};
// These look at all there is, of a tree or of the trash, or at the oldest rows of a table.
const std::set<std::string> kLookAtAll = {
    "disk_usage",          "list_trash",   "prune_changes",   "recount",     "remove_some_files",
    "remove_some_folders", "scrub_chunks", "tenant_is_empty", "tree_counts", "tree_diff"};

// Scans that no key bounds, as "table by index".
void find_scans(const json& plan, std::vector<std::string>& found) {
  const std::string kind = plan.value("Node Type", "");
  const bool scans = kind == "Seq Scan" || kind == "Index Scan" || kind == "Index Only Scan";
  if (scans && !plan.contains("Index Cond") && kLarge.contains(plan.value("Relation Name", "")))
    found.push_back(plan.value("Relation Name", "") + " by " +
                    plan.value("Index Name", "no index"));
  for (const json& below : plan.value("Plans", json::array())) find_scans(below, found);
}

class Plans : public ::testing::Test {
 protected:
  void SetUp() override {
    s_.backend().detach();
    raw_.reset(PQconnectdb(s_.backend().conninfo().c_str()));
    for (const Statement& each : all_statements())
      if (each.name == "session_settings") run(each.text);
  }
  PgResult run(const std::string& text) {
    PgResult result(PQexec(raw_.get(), text.c_str()));
    EXPECT_EQ(PQresultStatus(result.get()), PGRES_TUPLES_OK) << PQerrorMessage(raw_.get());
    return result;
  }
  std::vector<std::string> scans_of(const Statement& statement) {
    std::vector<std::string> found;
    PQclear(PQprepare(raw_.get(), statement.name.c_str(), statement.text.c_str(), 0, nullptr));
    const PgResult about(PQdescribePrepared(raw_.get(), statement.name.c_str()));
    if (PQresultStatus(about.get()) != PGRES_COMMAND_OK) return found;  // of another schema
    std::string nulls;
    for (int i = 0; i < PQnparams(about.get()); i++) nulls += i == 0 ? "(null" : ", null";
    if (!nulls.empty()) nulls += ")";
    const PgResult plan(PQexec(
        raw_.get(), ("explain (format json) execute \"" + statement.name + "\"" + nulls).c_str()));
    if (PQresultStatus(plan.get()) != PGRES_TUPLES_OK) return found;  // has no plan
    for (const json& each : json::parse(PQgetvalue(plan.get(), 0, 0))) {
      if (!each.is_object()) continue;  // a utility's
      find_scans(each.at("Plan"), found);
      looked_at_++;
    }
    return found;
  }

  StoreSession<PostgresBackend> s_;
  std::unique_ptr<PGconn, void (*)(PGconn*)> raw_{nullptr, PQfinish};
  int looked_at_ = 0;
};

TEST_F(Plans, every_statement_finds_what_it_looks_for_by_key) {
  for (const Statement& each : all_statements()) {
    const std::vector<std::string> scans = scans_of(each);
    if (kLookAtAll.contains(each.name)) {
      EXPECT_FALSE(scans.empty()) << each.name << " is no exception";
    } else {
      EXPECT_TRUE(scans.empty()) << each.name << ": " << ::testing::PrintToString(scans);
    }
  }
  EXPECT_GT(looked_at_, 150);
}

}  // namespace
}  // namespace tusk::test
