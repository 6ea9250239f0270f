// A primary dies, or is left, and its standby takes over: every group gets in exactly once, or the
// store says that it cannot.
#include <signal.h>

#include <thread>

#include "support/fs_sql.h"
#include "support/pg_proxy.h"
#include "support/store_backends.h"
#include "support/store_session.h"
#include "tuskfs/store/migrate.h"

namespace tusk::test {
namespace {

using namespace store;
using namespace std::chrono_literals;
using Session = StoreSession<PostgresBackend>;

Group group_of(Session& s, const std::string& name, bool durable = false) {
  Group group;
  group.durable = durable;
  group.number = GroupNo{s.last() + 1};
  group.files = {s.file(s.new_file(), name, name)};
  return group;
}

// As the core does: the same group again until its end is known.
CommitResult commit_stubbornly(Session& s, Group group) {
  const auto shared = std::make_shared<const Group>(std::move(group));
  CommitResult result;
  const bool ended = eventually(
      [&] {
        result = s.try_commit(shared);
        return result.state != CommitState::retry && result.state != CommitState::unknown;
      },
      60s);
  EXPECT_TRUE(ended) << result.error.what;
  return result;
}

class StoreFailover : public ::testing::Test {
 protected:
  void start(std::vector<std::string> settings = {}) {
    primary_ = std::make_unique<Server>(ServerSetup{.data = {}, .settings = std::move(settings)});
    ASSERT_TRUE(migrate_up(primary_->conninfo()));
    standby_ = std::make_unique<Server>(
        ServerSetup{.data = {}, .settings = {}, .primary = primary_.get()});
  }
  std::string both() const { return conninfo_of_both(*primary_, *standby_); }
  std::int64_t on_standby(const std::string& query) {
    return Sql(standby_->conninfo()).number(query);
  }
  // Returns once the standby is cut off.
  void stop_following() {
    Sql sql(standby_->conninfo());
    sql.run("alter system set primary_conninfo = ''");
    sql.run("select pg_reload_conf()");
    Sql primary(primary_->conninfo());
    ASSERT_TRUE(eventually(
        [&] { return primary.number("select count(*) from pg_stat_replication") == 0; }));
  }
  void await_replay() {
    Sql primary(primary_->conninfo());
    ASSERT_TRUE(eventually([&] {
      return primary.number(
                 "select count(*) from pg_stat_replication where replay_lsn >= "
                 "pg_current_wal_insert_lsn()") == 1;
    }));
  }

  std::unique_ptr<Server> primary_, standby_;
};

constexpr const char* kFiles = "select count(*) from tusk.files";

TEST_F(StoreFailover, groups_go_on_to_the_standby_that_was_promoted) {
  start();
  primary_->await_standby();
  Session s(both());
  s.commit(group_of(s, "before", true));
  primary_->kill9_all();
  EXPECT_NE(s.try_commit(group_of(s, "between")).state, CommitState::committed);
  standby_->promote();
  EXPECT_EQ(commit_stubbornly(s, group_of(s, "between")).state, CommitState::committed);
  EXPECT_EQ(s.names(s.root()), (std::vector<std::string>{"before", "between"}));
  EXPECT_EQ(on_standby("select last_group from tusk.mount_sessions"), 2);
  EXPECT_NE(s.backend().store().state().database.find(standby_->folder()), std::string::npos);
}

TEST_F(StoreFailover, a_commit_whose_answer_was_lost_is_found_on_the_new_primary) {
  start();
  primary_->await_standby();
  PgProxy proxy(primary_->folder() / ".s.PGSQL.5432");
  Session s("host=" + proxy.folder() + "," + standby_->folder().string() +
            " dbname=postgres user=postgres");
  s.commit(group_of(s, "first", true));
  proxy.lose_next_answer_to("begin_group");
  const auto group = std::make_shared<const Group>(group_of(s, "second", true));
  EXPECT_EQ(s.try_commit(group).state, CommitState::unknown);
  ASSERT_TRUE(eventually([&] { return on_standby(kFiles) == 2; }));
  primary_->kill9_all();
  standby_->promote();
  EXPECT_EQ(commit_stubbornly(s, *group).state, CommitState::committed);
  EXPECT_EQ(commit_stubbornly(s, group_of(s, "third", true)).state, CommitState::committed);
  EXPECT_EQ(s.names(s.root()), (std::vector<std::string>{"first", "second", "third"}));
  EXPECT_EQ(on_standby("select last_group from tusk.mount_sessions"), 3);
  EXPECT_EQ(on_standby("select count(*) from tusk.file_versions"), 0);
}

// What is safe on the disk of a server that dies is lost with it, where nobody has waited for its
// standby to have it.
TEST_F(StoreFailover, groups_that_only_the_dead_primary_had_on_disk_are_committed_again) {
  start();
  primary_->await_standby();
  Session s(both());
  s.commit(group_of(s, "durable", true));
  await_replay();
  stop_following();
  for (int i = 0; i < 5; i++) s.commit(group_of(s, "f" + std::to_string(i)));
  Sql primary(primary_->conninfo());
  ASSERT_TRUE(eventually([&] {
    return primary.value("select pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn()") == "t";
  }));
  std::this_thread::sleep_for(1s);  // in which the store looks after what it has committed
  primary_->kill9_all();
  EXPECT_EQ(on_standby(kFiles), 1) << "nothing was lost: the test shows nothing";
  standby_->promote();
  EXPECT_EQ(commit_stubbornly(s, group_of(s, "last", true)).state, CommitState::committed);
  EXPECT_EQ(on_standby(kFiles), 7);
  EXPECT_EQ(on_standby("select last_group from tusk.mount_sessions"), 7);
}

TEST_F(StoreFailover, an_asynchronous_standby_gets_again_what_was_not_safe_yet) {
  start({"autovacuum=off"});
  Session s(both());
  s.commit(group_of(s, "durable", true));
  await_replay();
  stop_following();
  // Nothing reaches the disk any more unless somebody waits for that.
  for (const SqlRow& row :
       Sql(primary_->conninfo())
           .rows("select pid from pg_stat_activity where backend_type in ('walwriter', "
                 "'background writer', 'checkpointer')"))
    ASSERT_EQ(::kill(std::stoi(row[0]), SIGSTOP), 0);
  for (int i = 0; i < 20; i++) s.commit(group_of(s, "f" + std::to_string(i)));
  primary_->kill9_all();
  EXPECT_LT(on_standby(kFiles), 21) << "nothing was lost: the test shows nothing";
  standby_->promote();
  EXPECT_TRUE(eventually([&] { return on_standby(kFiles) == 21; })) << "though nobody writes";
  EXPECT_EQ(commit_stubbornly(s, group_of(s, "next")).state, CommitState::committed);
  EXPECT_EQ(on_standby("select last_group from tusk.mount_sessions"), 22);
}

TEST_F(StoreFailover, an_asynchronous_standby_that_lacks_a_synced_group_is_not_written_to) {
  start();
  Session s(both());
  s.commit(group_of(s, "first", true));
  await_replay();
  stop_following();
  s.commit(group_of(s, "lost", true));
  primary_->kill9_all();
  standby_->promote();
  const CommitResult result = commit_stubbornly(s, group_of(s, "next", true));
  EXPECT_EQ(result.state, CommitState::fenced);
  EXPECT_NE(result.error.what.find("is at group 1"), std::string::npos) << result.error.what;
  EXPECT_NE(result.error.what.find("lacked the last groups"), std::string::npos);
  EXPECT_EQ(on_standby(kFiles), 1);
}

TEST_F(StoreFailover, a_former_primary_that_comes_back_is_not_written_to) {
  start();
  primary_->await_standby();
  Session s(both());
  s.commit(group_of(s, "before", true));
  primary_->kill9_all();
  standby_->promote();
  EXPECT_EQ(commit_stubbornly(s, group_of(s, "moved on", true)).state, CommitState::committed);
  primary_->start();
  Sql zombie(primary_->conninfo());
  ASSERT_EQ(zombie.value("select pg_is_in_recovery()"), "f");
  standby_->kill9_all();
  CommitResult result;
  EXPECT_TRUE(eventually([&] {
    result = s.try_commit(group_of(s, "later", true));
    EXPECT_NE(result.state, CommitState::committed);
    EXPECT_NE(result.state, CommitState::fenced) << result.error.what;
    return result.error.what.find("former primary") != std::string::npos;
  })) << result.error.what;
  EXPECT_FALSE(s.try_page({s.root(), "", 10})) << "the past, read as the present";
  standby_->start();
  EXPECT_EQ(commit_stubbornly(s, group_of(s, "later", true)).state, CommitState::committed);
  EXPECT_EQ(s.names(s.root()), (std::vector<std::string>{"before", "later", "moved on"}));
  EXPECT_EQ(zombie.number(kFiles), 1);
}

TEST_F(StoreFailover, a_primary_that_froze_is_left_for_the_one_that_was_promoted) {
  start();
  primary_->await_standby();
  Session s(both());
  s.commit(group_of(s, "before", true));
  primary_->freeze();
  standby_->promote();
  const auto started = std::chrono::steady_clock::now();
  EXPECT_EQ(commit_stubbornly(s, group_of(s, "after", true)).state, CommitState::committed);
  const auto took = std::chrono::steady_clock::now() - started;
  RecordProperty("seconds", std::to_string(std::chrono::duration<double>(took).count()));
  printf("committed %.1f s after the promotion\n", std::chrono::duration<double>(took).count());
  EXPECT_EQ(s.names(s.root()), (std::vector<std::string>{"after", "before"}));
  primary_->thaw();
  EXPECT_EQ(commit_stubbornly(s, group_of(s, "later", true)).state, CommitState::committed);
  EXPECT_EQ(Sql(primary_->conninfo()).number(kFiles), 1);
  EXPECT_EQ(on_standby(kFiles), 3);
}

TEST_F(StoreFailover, a_synced_group_is_on_the_standby) {
  start({"synchronous_commit=remote_apply"});
  primary_->await_standby();
  Session s(both());
  for (int i = 1; i <= 20; i++) {
    s.commit(group_of(s, "f" + std::to_string(i), true));
    EXPECT_EQ(on_standby(kFiles), i);
  }
}

TEST_F(StoreFailover, a_standby_alone_is_refused_and_one_that_comes_later_is_waited_out) {
  start();
  PostgresOptions options;
  options.conninfo = standby_->conninfo();
  auto reactor = Reactor::create();
  const auto refused = PostgresStore::attach(options, **reactor);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EROFS);
  EXPECT_NE(refused.error().what.find("standby"), std::string::npos) << refused.error().what;
  EXPECT_NE(refused.error().hint.find("--read-only-standby"), std::string::npos);
}

// As one says that was made read-only, or a standby, under its sessions.
TEST(ReadOnlyServer, refusing_to_write_ends_the_session_and_the_group_goes_in_over_another) {
  Session s;
  s.commit(group_of(s, "before"));
  Sql sql(s.backend().conninfo());
  constexpr const char* kHolder = "select backend_pid from tusk.mount_sessions";
  sql.run(
      "create function refuse() returns trigger language plpgsql as "
      "$$ begin raise exception using errcode = '25006'; end $$;"
      "create trigger refuse before insert on tusk.files for each row execute function refuse()");
  const std::int64_t before = sql.number(kHolder);
  const CommitResult result = s.try_commit(group_of(s, "after"));
  EXPECT_EQ(result.state, CommitState::retry);
  EXPECT_NE(result.error.what.find("25006"), std::string::npos) << result.error.what;
  EXPECT_TRUE(eventually([&] {
    return sql.number("select count(*) from pg_stat_activity where pid = " +
                      std::to_string(before)) == 0;
  }));
  sql.run("drop trigger refuse on tusk.files");
  EXPECT_EQ(commit_stubbornly(s, group_of(s, "after")).state, CommitState::committed);
  EXPECT_NE(sql.number(kHolder), before);
  EXPECT_EQ(s.names(s.root()), (std::vector<std::string>{"after", "before"}));
}

}  // namespace
}  // namespace tusk::test
