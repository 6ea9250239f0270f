// Lost connections, killed servers, lost answers: every group gets in exactly once.
#include <thread>

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
  EXPECT_EQ(Sql(s.backend().conninfo()).number("select last_group from tusk.mount_sessions"), 2);
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
  proxy.lose_next_answer_to("begin_group");
  Group group = group_of(s, "second");
  group.number = GroupNo{2};
  const auto shared = std::make_shared<const Group>(std::move(group));
  EXPECT_EQ(s.try_commit(shared).state, CommitState::unknown);
  EXPECT_TRUE(eventually([&] {
    return Sql(conninfo).number("select count(*) from tusk.files where filename = 'second'") == 1;
  }));
  EXPECT_TRUE(eventually([&] { return s.try_commit(shared).state == CommitState::committed; }));
  s.commit(group_of(s, "third"));
  EXPECT_EQ(Sql(conninfo).number("select last_group from tusk.mount_sessions"), 3);
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
  EXPECT_EQ(Sql(server_.conninfo()).number("select last_group from tusk.mount_sessions"), 52);
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

constexpr const char* kGiveUp =
    "select tusk.forget_mounts(tenant_id, array[epoch]) from tusk.mount_sessions";

TEST(Outage, a_mount_that_others_gave_up_is_fenced_for_good) {
  Session s;
  s.commit(group_of(s, "mine"));
  Sql(s.backend().conninfo()).run(kGiveUp);
  EXPECT_EQ(s.try_commit(group_of(s, "late")).state, CommitState::fenced);
  EXPECT_EQ(s.try_commit(group_of(s, "late")).state, CommitState::fenced);
  EXPECT_EQ(s.names(s.root()), std::vector<std::string>{"mine"});
}

TEST(Outage, a_mount_that_others_gave_up_while_it_was_disconnected_is_fenced) {
  Session s;
  s.commit(group_of(s, "mine"));
  Sql sql(s.backend().conninfo());
  sql.run(kGiveUp);
  sql.number(kOurBackends);
  CommitResult result;
  EXPECT_TRUE(eventually([&] {
    result = s.try_commit(group_of(s, "late"));
    return result.state != CommitState::retry && result.state != CommitState::unknown;
  }));
  EXPECT_EQ(result.state, CommitState::fenced);
}

TEST(Outage, a_database_older_than_what_it_had_committed_is_not_written_to) {
  Session s;
  Group durable = group_of(s, "file", true);
  s.commit(std::move(durable));
  Sql sql(s.backend().conninfo());
  sql.run("update tusk.mount_sessions set last_group = 0");
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

std::vector<Uuid> owners(const CommitResult& result) {
  std::vector<Uuid> owners;
  for (const Refusal& refusal : result.refused) owners.push_back(refusal.owner);
  std::ranges::sort(owners);
  return owners;
}

TEST(Refusal, rows_that_the_database_refuses_are_named_and_the_rest_goes_in) {
  Session s;
  Sql sql(s.backend().conninfo());
  sql.run("alter table tusk.files add check (filename not like 'forbidden%')");
  Group group;
  for (int i = 0; i < 50; i++) {
    group.files.push_back(s.file(s.new_file(), "file" + std::to_string(i), "x"));
  }
  group.files[7].row.name = "forbidden1";
  group.files[31].row.name = "forbidden2";
  group.xattrs_set.push_back({group.files[7].row.id.uuid, "user.a", {1}});
  group.xattrs_set.push_back({group.files[8].row.id.uuid, "user.a", {1}});
  const CommitResult result = s.try_commit(group);
  EXPECT_EQ(result.state, CommitState::committed) << result.error.what;
  EXPECT_EQ(owners(result),
            (std::vector<Uuid>{group.files[7].row.id.uuid, group.files[31].row.id.uuid}));
  ASSERT_FALSE(result.refused.empty());
  EXPECT_NE(result.refused[0].why.find("check"), std::string::npos) << result.refused[0].why;
  EXPECT_EQ(result.refused[0].why.find("Failing row"), std::string::npos) << "shows content";
  EXPECT_EQ(sql.number("select count(*) from tusk.files"), 48);
  EXPECT_EQ(sql.number("select count(*) from tusk.xattrs"), 1);
  s.commit(group_of(s, "next"));
}

TEST(Refusal, a_name_taken_by_an_sql_client_is_one_in_lost_and_found_alone) {
  Session s;
  Sql sql(s.backend().conninfo());
  const Group first = group_of(s, "name");
  s.commit(first);
  Group group = group_of(s, "name");
  group.files.push_back(s.file(s.new_file(), "other", "x"));
  const CommitResult result = s.try_commit(group);
  EXPECT_EQ(result.state, CommitState::committed);
  EXPECT_EQ(owners(result), std::vector<Uuid>{});
  EXPECT_EQ(result.displaced, std::vector<Uuid>{group.files[0].row.id.uuid});
  EXPECT_EQ(s.names(s.root()), (std::vector<std::string>{"lost+found/", "name", "other"}));
  const auto id_where = [&](const std::string& what) {
    return sql.value(
        "select f.id from tusk.files f join tusk.folders d on d.id = f.folder_id where " + what);
  };
  EXPECT_EQ(id_where("f.filename = 'name'"), first.files[0].row.id.uuid.text());
  EXPECT_EQ(id_where("d.name = 'lost+found'"), group.files[0].row.id.uuid.text());
}

TEST(Refusal, a_file_that_an_application_refers_to_is_not_deleted_and_the_others_are) {
  Session s;
  Sql sql(s.backend().conninfo());
  s.commit(group_of(s, "kept"));
  s.commit(group_of(s, "gone"));
  sql.run(
      "create table invoice (file uuid references tusk.files(id));"
      "insert into invoice select id from tusk.files where filename = 'kept'");
  const FolderPage page = s.list(s.root());
  Group group;
  for (const FileRow& row : page.files) group.files_deleted.push_back(row.id);
  const CommitResult result = s.try_commit(group);
  EXPECT_EQ(result.state, CommitState::committed) << result.error.what;
  EXPECT_EQ(result.refused.size(), 1u);
  EXPECT_EQ(s.names(s.root()), std::vector<std::string>{"kept"});
}

TEST(Refusal, a_side_table_that_is_missing_harms_only_those_who_need_it) {
  Session s;
  Sql(s.backend().conninfo()).run("drop table tusk.xattrs cascade");
  Group group = group_of(s, "plain");
  group.files.push_back(s.file(s.new_file(), "with", "x"));
  group.xattrs_set.push_back({group.files[1].row.id.uuid, "user.a", {1}});
  const CommitResult result = s.try_commit(group);
  EXPECT_EQ(result.state, CommitState::committed) << result.error.what;
  EXPECT_EQ(owners(result), std::vector<Uuid>{group.files[1].row.id.uuid});
}

TEST(Refusal, without_the_files_table_everything_is_held_up_and_nothing_given_up) {
  Session s;
  Sql sql(s.backend().conninfo());
  sql.run("alter table tusk.files rename to mislaid");
  const Group group = group_of(s, "file");
  const CommitResult result = s.try_commit(group);
  EXPECT_EQ(result.state, CommitState::refused);
  EXPECT_EQ(result.error.code, EIO);
  sql.run("alter table tusk.mislaid rename to files");
  s.commit(group);
  EXPECT_EQ(s.names(s.root()), std::vector<std::string>{"file"});
}

TEST(Refusal, a_commit_that_fails_at_its_very_end_is_told_from_a_good_one) {
  Session s;
  Sql sql(s.backend().conninfo());
  sql.run(
      "create function veto() returns trigger language plpgsql as "
      "$$ begin raise exception 'vetoed at the end'; end $$;"
      "create constraint trigger veto after insert on tusk.files "
      "deferrable initially deferred for each row execute function veto()");
  const Group group = group_of(s, "file");
  const CommitResult result = s.try_commit(group);
  EXPECT_EQ(result.state, CommitState::refused);
  EXPECT_NE(result.error.what.find("vetoed"), std::string::npos) << result.error.what;
  EXPECT_EQ(sql.number("select count(*) from tusk.files"), 0);
  sql.run("drop trigger veto on tusk.files");
  s.commit(group);
}

// Gives the delegation away as soon as somebody waits for it.
class Generous final : public Delegate {
 public:
  explicit Generous(Session& session) : session_(session) {
    session_.backend().store().set_delegate(this);
  }
  ~Generous() override { session_.backend().store().set_delegate(nullptr); }
  void recalled() override { session_.backend().store().give_back(); }
  void changed(std::vector<Uuid>) override {}
  void returned(std::vector<Uuid>, Usage) override { is_back_ = true; }
  void asked_to_share() override { session_.backend().store().share(); }
  void presence(Presence) override {}
  void lock_freed(std::optional<Uuid>) override {}
  void take_back() {
    is_back_ = false;
    session_.backend().store().take_back();
    while (!is_back_) session_.backend().run();
  }

 private:
  Session& session_;
  bool is_back_ = false;
};

// A session is made anew for what is committed and not yet safe, while others may write: it must
// not take from them what was given away, nor take it twice later.
TEST(Outage, a_new_session_leaves_the_delegation_to_whom_it_was_given) {
  constexpr const char* kInsert =
      "set statement_timeout = '10s';"
      "insert into tusk.files (tenant_id, filename) select id, gen_random_uuid()::text "
      "from tusk.tenants";
  constexpr const char* kHolder = "select coalesce(max(backend_pid), 0) from tusk.mount_sessions";
  Session s;
  Generous mount(s);
  Sql client(s.backend().conninfo());
  s.commit(group_of(s, "not yet safe"));
  const std::int64_t before = client.number(kHolder);
  s.backend().store().give_back();
  client.number(kOurBackends);
  ASSERT_TRUE(eventually([&] { return client.number(kHolder) != before; }));
  client.run(kInsert);
  mount.take_back();
  std::jthread writer([&] { EXPECT_NO_THROW(client.run(kInsert)); });
  for (int i = 0; i < 20; i++) s.backend().run();
  writer.join();
}

}  // namespace
}  // namespace tusk::test
