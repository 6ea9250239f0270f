// tuskfs tenant: trees side by side in one database.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/fs_calls.h"
#include "support/fs_sql.h"
#include "support/mount.h"
#include "support/store_backends.h"
#include "tuskfs/store/migrate.h"

namespace tusk::test {
namespace {

class TenantTest : public ::testing::Test {
 protected:
  Finished tenant(std::vector<std::string> args) const {
    args.insert(args.begin(), {TUSKFS_BINARY, "tenant"});
    args.push_back(database_);
    return run(args);
  }
  nlohmann::json all() const {
    const Finished listed = tenant({"list", "--json"});
    EXPECT_TRUE(listed.ok()) << listed.err;
    return nlohmann::json::parse(listed.out);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& each : all()) out.push_back(each.at("name"));
    return out;
  }
  MountSetup of(const std::string& name) const {
    return {.args = {"--tenant", name}, .database = database_};
  }

  const std::string database_ = new_database(false);
};

TEST_F(TenantTest, trees_are_made_mounted_side_by_side_and_apart) {
  EXPECT_EQ(tenant({"create", "one"}).status, 0);
  EXPECT_EQ(tenant({"create", "two and \"three\"'"}).status, 0);
  Mount one(of("one")), two(of("two and \"three\"'"));
  put(one.path() / "file", "of one");
  EXPECT_EQ(names_in(two.path()), std::vector<std::string>{});
  put(two.path() / "file", "of two");
  EXPECT_EQ(get(one.path() / "file"), "of one");
  EXPECT_EQ(one.unmount().status, 0);
  const auto listed = all();
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(listed[0].at("name"), "one");
  EXPECT_EQ(listed[0].at("files"), 1);
  EXPECT_EQ(listed[0].at("bytes"), 6);
  EXPECT_EQ(listed[0].at("mounted_by"), "");
  EXPECT_NE(listed[1].at("mounted_by").get<std::string>().find(two.path().string()),
            std::string::npos);
}

TEST_F(TenantTest, a_tree_is_renamed_while_it_is_mounted) {
  ASSERT_EQ(tenant({"create", "old"}).status, 0);
  ASSERT_EQ(tenant({"create", "other"}).status, 0);
  Mount mount(of("old"));
  EXPECT_EQ(tenant({"rename", "old", "new"}).status, 0);
  put(mount.path() / "file", "x");
  EXPECT_EQ(mount.unmount().status, 0);
  EXPECT_EQ(names(), (std::vector<std::string>{"new", "other"}));
  const Finished taken = tenant({"rename", "new", "other"});
  EXPECT_EQ(taken.status, 1);
  EXPECT_NE(taken.err.find("already"), std::string::npos) << taken.err;
  EXPECT_EQ(tenant({"rename", "absent", "x"}).status, 1);
}

TEST_F(TenantTest, a_tree_goes_with_everything_only_when_that_is_said) {
  ASSERT_EQ(tenant({"create", "doomed"}).status, 0);
  ASSERT_EQ(tenant({"create", "kept"}).status, 0);
  {
    Mount doomed(of("doomed")), kept(of("kept"));
    for (Mount* mount : {&doomed, &kept}) {
      make_folder(mount->path() / "folder");
      put(mount->path() / "folder/file", pattern(200'000));
      put(mount->path() / "folder/file", pattern(3'000'000, 2));
      put(mount->path() / "gone", "x");
      std::filesystem::remove(mount->path() / "gone");
    }
    const Finished busy = tenant({"remove", "--purge", "doomed"});
    EXPECT_EQ(busy.status, 1);
    EXPECT_NE(busy.err.find("is mounted by"), std::string::npos) << busy.err;
    EXPECT_EQ(doomed.unmount().status, 0);
    EXPECT_EQ(kept.unmount().status, 0);
  }
  const Finished refused = tenant({"remove", "doomed"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("--purge"), std::string::npos) << refused.err;
  Sql sql(database_);
  sql.run(
      "create table invoice (file uuid references tusk.files (id));"
      "insert into invoice select f.id from tusk.files f join tusk.tenants t on t.id = f.tenant_id "
      "where t.name = 'doomed' and f.deleted_at is null");
  const Finished referenced = tenant({"remove", "--purge", "doomed"});
  EXPECT_EQ(referenced.status, 1);
  EXPECT_NE(referenced.err.find("invoice"), std::string::npos) << referenced.err;
  EXPECT_EQ(names(), (std::vector<std::string>{"doomed", "kept"}));
  sql.run("drop table invoice");
  EXPECT_EQ(tenant({"remove", "--purge", "doomed"}).status, 0);
  EXPECT_EQ(names(), std::vector<std::string>{"kept"});
  for (const char* table : {"files", "folders", "mounts", "usage_pending"})
    EXPECT_EQ(sql.number(std::string("select count(*) from tusk.") + table +
                         " where tenant_id not in (select id from tusk.tenants)"),
              0)
        << table;
  EXPECT_EQ(broken_invariants(database_), std::vector<std::string>{});
  Mount kept(of("kept"));
  EXPECT_EQ(get(kept.path() / "folder/file"), pattern(3'000'000, 2));
  EXPECT_EQ(kept.unmount().status, 0);
}

TEST_F(TenantTest, a_quota_is_set_shown_and_taken_away) {
  ASSERT_EQ(tenant({"create", "one"}).status, 0);
  const auto quota = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"quota", "one", "--json"});
    const Finished shown = tenant(options);
    EXPECT_EQ(shown.status, 0) << shown.err;
    const auto facts = nlohmann::json::parse(shown.out).at(0);
    EXPECT_EQ(facts.at("name"), "one");
    return facts.at("quota_bytes").dump() + " " + facts.at("quota_files").dump();
  };
  EXPECT_EQ(quota({}), "null null");
  EXPECT_EQ(quota({"--bytes", "10G"}), "10737418240 null");
  EXPECT_EQ(quota({"--files", "7"}), "10737418240 7");
  EXPECT_EQ(quota({"--none", "--bytes", "0"}), "0 null");
  EXPECT_EQ(quota({"--none"}), "null null");
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{"quota", "one", "--bytes", "-1"},
                                             {"quota", "one", "--bytes", "many"},
                                             {"quota", "one", "--files", "1.5"},
                                             {"create", "two", "--bytes", "1"}})
    EXPECT_EQ(tenant(wrong).status, 2) << wrong.back();
  const Finished absent = tenant({"quota", "absent", "--none"});
  EXPECT_EQ(absent.status, 1);
  EXPECT_NE(absent.err.find("absent"), std::string::npos) << absent.err;
}

// Of two trees that grow at once each has its own.
TEST_F(TenantTest, a_quota_holds_for_its_tree_alone) {
  ASSERT_EQ(tenant({"create", "small"}).status, 0);
  ASSERT_EQ(tenant({"create", "free"}).status, 0);
  ASSERT_EQ(tenant({"quota", "small", "--bytes", "1000", "--files", "1"}).status, 0);
  Mount small(of("small")), free(of("free"));
  put(small.path() / "file", std::string(1000, 'x'));
  EXPECT_EQ(errno_of_open(small.path() / "another", O_WRONLY | O_CREAT), EDQUOT);
  put(free.path() / "file", std::string(2000, 'x'));
  EXPECT_EQ(small.unmount().status, 0);
  EXPECT_EQ(free.unmount().status, 0);
  const Finished counted = run({TUSKFS_BINARY, "quota", "check", database_});
  EXPECT_EQ(counted.status, 0) << counted.err;
  EXPECT_EQ(counted.out,
            "free: 1 files, 1 folders, 2000 bytes\nsmall: 1 files, 1 folders, 1000 bytes\n");
  EXPECT_EQ(run({TUSKFS_BINARY, "quota", "check", "--tenant", "absent", database_}).status, 8);
  EXPECT_EQ(run({TUSKFS_BINARY, "quota", "count", database_}).status, 2);
}

TEST_F(TenantTest, what_is_no_name_or_no_action_is_refused) {
  EXPECT_EQ(tenant({"create", "a"}).status, 0);
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{"create", ""},
                                             {"create", "a"},
                                             {"create", std::string(64, 'x')},
                                             {"create", "a\nb"},
                                             {"create", "\xff"},
                                             {"remove", "absent"}}) {
    const Finished refused = tenant(wrong);
    EXPECT_EQ(refused.status, 1) << wrong[1];
    EXPECT_EQ(std::ranges::count(refused.err, '\n'), 1) << refused.err;
  }
  EXPECT_EQ(tenant({"destroy"}).status, 2);
  EXPECT_EQ(tenant({"list", "a", "b"}).status, 2);
}

}  // namespace
}  // namespace tusk::test
