// Lost connections, killed servers, lost answers: every group gets in exactly once.
#include "support/fs_sql.h"
#include "support/pg_proxy.h"
#include "support/store_backends.h"
#include "support/store_session.h"
#include "tuskfs/store/migrate.h"

namespace tusk::test {
namespace {

using namespace store;
using Session = StoreSession<PostgresBackend>;

constexpr const char* kOurBackends =
    "select count(pg_terminate_backend(pid)) from pg_stat_activity "
    "where application_name = 'tuskfs' and datname = current_database()";

// As the core does: the same group again until it is in.
void commit_stubbornly(Session& s, Group group) {
  group.number = GroupNo{s.last() + 1};
  const auto shared = std::make_shared<const Group>(std::move(group));
  const bool in = eventually([&] {
    const CommitResult result = s.try_commit(shared);
    EXPECT_NE(result.state, CommitState::refused) << result.error.what;
    EXPECT_NE(result.state, CommitState::fenced) << result.error.what;
    return result.state != CommitState::retry && result.state != CommitState::unknown;
  });
  EXPECT_TRUE(in);
}

Group group_of(Session& s, const std::string& name, bool durable = false) {
  Group group;
  group.durable = durable;
  group.files = {s.file(s.new_file(), name, name)};
  return group;
}

TEST(Outage, a_killed_backend_is_replaced_and_the_group_goes_in_once) {
  Session s;
  s.commit(group_of(s, "before"));
  EXPECT_GT(Sql(s.backend().conninfo()).number(kOurBackends), 0);
  commit_stubbornly(s, group_of(s, "after"));
  EXPECT_EQ(s.names(s.root()), (std::vector<std::string>{"after", "before"}));
  EXPECT_EQ(Sql(s.backend().conninfo()).number("select last_group from tusk.mounts"), 2);
}

TEST(Outage, loads_go_on_over_a_new_connection) {
  Session s;
  s.commit(group_of(s, "file"));
  EXPECT_EQ(s.names(s.root()), std::vector<std::string>{"file"});
  Sql(s.backend().conninfo()).number(kOurBackends);
  EXPECT_EQ(s.names(s.root()), std::vector<std::string>{"file"});
}

TEST(Outage, a_lost_answer_to_commit_is_unknown_and_resolved_by_sending_again) {
  std::string conninfo = new_database();
  const std::size_t host_at = conninfo.find("host=") + 5;
  const std::string server = conninfo.substr(host_at, conninfo.find(' ') - host_at);
  PgProxy proxy(server + "/.s.PGSQL.5432");
  std::string through = conninfo;
  through.replace(host_at, server.size(), proxy.folder());
  Session s(through);
  s.commit(group_of(s, "first"));
  proxy.lose_next_answer();
  Group group = group_of(s, "second");
  group.number = GroupNo{2};
  const auto shared = std::make_shared<const Group>(std::move(group));
  EXPECT_EQ(s.try_commit(shared).state, CommitState::unknown);
  EXPECT_TRUE(eventually([&] {
    return Sql(conninfo).number("select count(*) from tusk.files where filename = 'second'") == 1;
  }));
  EXPECT_TRUE(eventually([&] { return s.try_commit(shared).state == CommitState::committed; }));
  s.commit(group_of(s, "third"));
  EXPECT_EQ(Sql(conninfo).number("select last_group from tusk.mounts"), 3);
  EXPECT_EQ(s.names(s.root()), (std::vector<std::string>{"first", "second", "third"}));
}

// A server whose writer of the log never wakes by itself: what is not durable dies with it.
class Forgetful : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(migrate_up(server_.conninfo()));
    session_ = std::make_unique<Session>(server_.conninfo());
    session_->commit(group_of(*session_, "durable", true));
    for (int i = 0; i < 50; i++) session_->commit(group_of(*session_, "f" + std::to_string(i)));
    server_.kill9();
    server_.start();
    EXPECT_LT(count(), 51) << "the server lost nothing: the test shows nothing";
  }
  std::int64_t count() { return Sql(server_.conninfo()).number("select count(*) from tusk.files"); }

  Server server_{{.data = {}, .settings = {"wal_writer_delay=10s", "wal_writer_flush_after=0"}}};
  std::unique_ptr<Session> session_;
};

TEST_F(Forgetful, groups_that_a_dying_server_forgot_are_committed_again_with_the_next) {
  commit_stubbornly(*session_, group_of(*session_, "next"));
  EXPECT_EQ(count(), 52);
  EXPECT_EQ(Sql(server_.conninfo()).number("select last_group from tusk.mounts"), 52);
}

TEST_F(Forgetful, groups_that_a_dying_server_forgot_come_back_though_nothing_else_is_written) {
  EXPECT_TRUE(eventually([&] { return count() == 51; }));
}

TEST(Outage, while_the_server_is_away_commits_ask_to_retry_and_loads_are_enotconn) {
  Server server;
  ASSERT_TRUE(migrate_up(server.conninfo()));
  Session s(server.conninfo());
  s.commit(group_of(s, "file"));
  EXPECT_EQ(s.names(s.root()), std::vector<std::string>{"file"});
  server.stop();
  EXPECT_EQ(s.try_commit(group_of(s, "more")).state, CommitState::retry);
  const auto page = s.try_page({s.root(), "", 10});
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, ENOTCONN);
  EXPECT_FALSE(s.backend().store().state().connected);
  server.start();
  commit_stubbornly(s, group_of(s, "more"));
  EXPECT_EQ(s.names(s.root()).size(), 2u);
  EXPECT_TRUE(s.backend().store().state().connected);
}

TEST(Outage, before_reconnect_may_bring_the_server_back) {
  Server server;
  ASSERT_TRUE(migrate_up(server.conninfo()));
  Session s(server.conninfo());
  s.backend().before_reconnect = [&server] { server.start(); };
  s.attach();
  server.stop();
  commit_stubbornly(s, group_of(s, "file"));
  EXPECT_EQ(s.names(s.root()), std::vector<std::string>{"file"});
}

TEST(Outage, a_mount_whose_tree_was_taken_is_fenced_for_good) {
  Session s;
  s.commit(group_of(s, "mine"));
  Sql sql(s.backend().conninfo());
  sql.run("update tusk.mounts set epoch = epoch + 1");
  EXPECT_EQ(s.try_commit(group_of(s, "late")).state, CommitState::fenced);
  EXPECT_EQ(s.try_commit(group_of(s, "late")).state, CommitState::fenced);
  EXPECT_EQ(s.names(s.root()), std::vector<std::string>{"mine"});
}

TEST(Outage, a_mount_that_lost_its_tree_while_disconnected_is_fenced) {
  Session s;
  s.commit(group_of(s, "mine"));
  Sql sql(s.backend().conninfo());
  sql.run("update tusk.mounts set epoch = epoch + 1, host = 'elsewhere'");
  sql.number(kOurBackends);
  sql.run("select pg_advisory_lock(tusk.tree_lock_key(tenant_id)) from tusk.mounts");
  CommitResult result;
  EXPECT_TRUE(eventually([&] {
    result = s.try_commit(group_of(s, "late"));
    return result.state != CommitState::retry && result.state != CommitState::unknown;
  }));
  EXPECT_EQ(result.state, CommitState::fenced);
  EXPECT_NE(result.error.what.find("elsewhere"), std::string::npos) << result.error.what;
}

TEST(Outage, a_database_older_than_what_it_had_committed_is_not_written_to) {
  Session s;
  Group durable = group_of(s, "file", true);
  s.commit(std::move(durable));
  Sql sql(s.backend().conninfo());
  sql.run("update tusk.mounts set last_group = 0");
  sql.number(kOurBackends);
  CommitResult result;
  EXPECT_TRUE(eventually([&] {
    result = s.try_commit(group_of(s, "more"));
    return result.state != CommitState::retry && result.state != CommitState::unknown;
  }));
  EXPECT_EQ(result.state, CommitState::fenced);
}

TEST(Outage, a_lock_that_another_session_holds_is_waited_for_by_trying_again) {
  Session s;
  Sql sql(s.backend().conninfo());
  sql.run("begin; lock table tusk.files in access exclusive mode");
  const CommitResult result = s.try_commit(group_of(s, "file"));
  EXPECT_EQ(result.state, CommitState::retry) << result.error.what;
  sql.run("rollback");
  commit_stubbornly(s, group_of(s, "file"));
}

TEST(Outage, rows_that_the_database_refuses_are_refused_with_the_row_named) {
  Session s;
  const FileChange change = s.file(s.new_file(), "name", "");
  s.commit_files({change});
  Group group = group_of(s, "name");
  const CommitResult result = s.try_commit(group);
  EXPECT_EQ(result.state, CommitState::refused);
  EXPECT_EQ(result.error.code, EIO);
  EXPECT_NE(result.error.what.find("name"), std::string::npos) << result.error.what;
  s.commit(group_of(s, "other"));
}

}  // namespace
}  // namespace tusk::test
