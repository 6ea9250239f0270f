// Numbered migrations: up, down, and what they refuse.
#include "tuskfs/store/migrate.h"

#include <gtest/gtest.h>

#include "support/fs_sql.h"
#include "support/store_backends.h"

namespace tusk::test {
namespace {

using namespace store;

std::string schema_of(const std::string& conninfo) {
  std::string dump = run_ok({postgres_program("pg_dump"), "--schema-only", "-d", conninfo});
  // A random token of newer releases.
  std::string out;
  std::istringstream lines(dump);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("\\")) out += line + "\n";
  }
  return out;
}

TEST(Migrate, an_empty_database_is_brought_to_the_newest_version) {
  const std::string conninfo = new_database(true);
  const auto before = schema_status(conninfo);
  ASSERT_TRUE(before);
  EXPECT_TRUE(before->empty);
  EXPECT_EQ(before->version, 0);
  const auto done = migrate_up(conninfo);
  ASSERT_TRUE(done) << done.error().what;
  const auto after = schema_status(conninfo);
  ASSERT_TRUE(after);
  EXPECT_FALSE(after->empty);
  EXPECT_EQ(after->version, after->newest);
  EXPECT_EQ(done->size(), after->migrations.size());
  for (const auto& state : after->migrations) {
    EXPECT_TRUE(state.applied);
    EXPECT_EQ(state.applied_at.size(), 20u) << state.applied_at;
  }
  EXPECT_TRUE(migrate_up(conninfo)->empty());
}

TEST(Migrate, down_and_up_again_leave_the_same_schema) {
  const std::string conninfo = new_database();
  const std::string schema = schema_of(conninfo);
  const auto down = migrate_down(conninfo, 0);
  ASSERT_TRUE(down) << down.error().what;
  EXPECT_EQ(Sql(conninfo).number(
                "select count(*) from pg_proc where pronamespace = 'tusk'::regnamespace"),
            0);
  ASSERT_TRUE(migrate_up(conninfo));
  EXPECT_EQ(schema_of(conninfo), schema);
}

TEST(Migrate, a_migration_that_differs_from_the_one_applied_is_refused) {
  const std::string conninfo = new_database();
  Sql(conninfo).run("update tusk.schema_migrations set checksum = 'other'");
  for (const auto& error : {schema_status(conninfo).error(), migrate_up(conninfo).error(),
                            migrate_down(conninfo).error()}) {
    EXPECT_NE(error.what.find("differs"), std::string::npos) << error.what;
  }
}

TEST(Migrate, a_schema_newer_than_the_program_is_refused) {
  const std::string conninfo = new_database();
  Sql(conninfo).run(
      "insert into tusk.schema_migrations (version, name, checksum) values (9999, 'future', '')");
  const auto status = schema_status(conninfo);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().what.find("9999"), std::string::npos) << status.error().what;
}

TEST(Migrate, a_failing_step_leaves_nothing_behind) {
  const std::string conninfo = new_database(true);
  Sql(conninfo).run("create schema tusk; create table tusk.xattrs (id int)");
  const auto done = migrate_up(conninfo);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().what.find("xattrs"), std::string::npos) << done.error().what;
  EXPECT_EQ(schema_status(conninfo)->version, 0);
  EXPECT_EQ(Sql(conninfo).value("select to_regclass('tusk.files')"), "<null>");
}

TEST(Migrate, a_target_that_does_not_exist_is_refused) {
  EXPECT_FALSE(migrate_up(new_database(), 9000));
}

}  // namespace
}  // namespace tusk::test
