// Taking a tree, and the lines that people see when it cannot be had.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "support/fs_sql.h"
#include "support/store_backends.h"
#include "support/store_session.h"
#include "tuskfs/store/migrate.h"

namespace tusk::test {
namespace {

using namespace store;

class Attach : public ::testing::Test {
 protected:
  void SetUp() override { reactor_ = std::move(*Reactor::create()); }
  Error refusal(PostgresOptions options) {
    const auto attached = PostgresStore::attach(options, *reactor_);
    EXPECT_FALSE(attached);
    return attached ? Error{} : attached.error();
  }
  Error refusal(const std::string& conninfo) {
    PostgresOptions options;
    options.conninfo = conninfo;
    return refusal(options);
  }
  static std::string host() {
    std::array<char, 256> name{};
    ::gethostname(name.data(), name.size() - 1);
    return name.data();
  }
  std::unique_ptr<Reactor> reactor_;
};

TEST_F(Attach, a_tree_that_is_being_repaired_is_refused_with_a_line_that_says_by_whom) {
  const std::string conninfo = new_database();
  StoreSession<PostgresBackend>(conninfo).backend().detach();
  Sql repair(conninfo);
  repair.rows("select pg_advisory_lock(tusk.tree_lock_key(id)) from tusk.tenants");
  const Error error = refusal(conninfo);
  EXPECT_EQ(error.code, EBUSY);
  const std::string backend = "backend " + repair.value("select pg_backend_pid()");
  EXPECT_NE(error.what.find(backend), std::string::npos) << error.what;
}

TEST_F(Attach, a_mount_that_ended_leaves_no_session_and_one_that_died_is_forgotten_by_the_next) {
  const std::string conninfo = new_database();
  Sql sql(conninfo);
  const auto sessions = [&] { return sql.number("select count(*) from tusk.mount_sessions"); };
  StoreSession<PostgresBackend>(conninfo).backend().detach();
  EXPECT_EQ(sessions(), 0);
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  ::waitpid(dead, nullptr, 0);
  sql.rows(
      "insert into tusk.mount_sessions (tenant_id, epoch, backend_pid, pid, host, mountpoint) "
      "select id, 77, 1, $1, $2, '/mnt' from tusk.tenants",
      {std::to_string(dead), host()});
  StoreSession<PostgresBackend> next(conninfo);
  EXPECT_EQ(sessions(), 1);
  EXPECT_EQ(sql.number("select count(*) from tusk.mount_sessions where epoch = 77"), 0);
}

TEST_F(Attach, a_tenant_that_does_not_exist_is_refused_by_name) {
  PostgresOptions options;
  options.conninfo = new_database();
  options.tenant = "nobody's";
  const Error error = refusal(options);
  EXPECT_EQ(error.code, ENOENT);
  EXPECT_NE(error.what.find("nobody's"), std::string::npos);
}

TEST_F(Attach, a_database_without_the_schema_says_how_to_make_it) {
  const Error error = refusal(new_database(true));
  EXPECT_NE(error.what.find("no TuskFS schema"), std::string::npos) << error.what;
  EXPECT_NE(error.hint.find("migrate"), std::string::npos) << error.hint;
}

TEST_F(Attach, a_database_that_is_not_utf8_is_refused) {
  Sql(shared_server().conninfo())
      .run("create database latin encoding 'LATIN1' locale 'C' template template0");
  std::string conninfo = shared_server().conninfo();
  conninfo.replace(conninfo.find("dbname=postgres"), 15, "dbname=latin");
  const Error error = refusal(conninfo);
  EXPECT_NE(error.what.find("LATIN1"), std::string::npos) << error.what;
  EXPECT_NE(error.hint.find("UTF8"), std::string::npos) << error.hint;
  EXPECT_FALSE(migrate_up(conninfo));
}

TEST_F(Attach, an_unknown_host_is_one_line_without_the_password) {
  const Error error = refusal("postgresql://user:s3cret@no-such-host.invalid/db");
  EXPECT_EQ(error.code, ENOTCONN);
  EXPECT_NE(error.what.find("no-such-host"), std::string::npos) << error.what;
  EXPECT_EQ(error.what.find("s3cret"), std::string::npos);
  EXPECT_EQ(error.what.find('\n'), std::string::npos);
}

TEST_F(Attach, a_connection_string_that_cannot_be_parsed_is_not_quoted) {
  for (const std::string conninfo : {"password=s3cret host", "postgresql://u:s3cret@[::1/db"}) {
    const Error error = refusal(conninfo);
    EXPECT_EQ(error.what.find("s3cret"), std::string::npos) << error.what;
    EXPECT_FALSE(error.what.empty());
  }
}

TEST_F(Attach, a_wrong_password_is_one_line_without_it) {
  TempFolder folder(Server::owner());
  const auto hba = folder.path() / "hba.conf";
  std::ofstream(hba) << "local all postgres trust\nlocal all all scram-sha-256\n";
  Server server({.data = {}, .settings = {"hba_file=" + hba.string()}});
  Sql(server.conninfo()).run("create role somebody login password 'right'");
  std::string conninfo = server.conninfo();
  conninfo.replace(conninfo.find("user=postgres"), 13, "user=somebody password=s3cret");
  const Error error = refusal(conninfo);
  EXPECT_EQ(error.code, EACCES);
  EXPECT_NE(error.what.find("password authentication failed"), std::string::npos) << error.what;
  EXPECT_EQ((error.what + error.hint).find("s3cret"), std::string::npos);
  EXPECT_NE(error.hint.find("password"), std::string::npos);
  EXPECT_EQ(error.what.find('\n'), std::string::npos);
}

TEST_F(Attach, a_role_that_may_not_create_the_schema_is_told_so) {
  const std::string conninfo = new_database(true);
  Sql(conninfo).run("drop role if exists guest; create role guest login");
  std::string as_guest = conninfo;
  as_guest.replace(as_guest.find("user=postgres"), 13, "user=guest");
  const auto done = migrate_up(as_guest);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, EACCES);
  EXPECT_NE(done.error().hint.find("grant create"), std::string::npos) << done.error().hint;
}

TEST_F(Attach, what_sql_clients_added_is_in_the_counters_of_the_next_mount) {
  StoreSession<PostgresBackend> s;
  s.backend().detach();
  Sql sql(s.backend().conninfo());
  sql.run(
      "insert into tusk.files (tenant_id, filename, data) select id, 'a', 'hello' from "
      "tusk.tenants;"
      "insert into tusk.files (tenant_id, filename, data) select id, 'b', 'x' from tusk.tenants;"
      "delete from tusk.files where filename = 'b'");
  s.attach();
  EXPECT_EQ(s.attached().usage, (Usage{1, 1, 5}));
  EXPECT_TRUE(broken_invariants(s.backend().conninfo()).empty());
}

TEST_F(Attach, what_groups_cost_is_known) {
  StoreSession<PostgresBackend> s;
  s.commit({});
  const auto before = s.backend().store().state();
  Buffer noise(500'000);
  for (std::size_t i = 0, seed = 1; i < noise.size(); i++, seed = seed * 6364136223846793005u + 1)
    noise[i] = static_cast<std::uint8_t>(seed >> 56);
  s.commit_files({s.file(s.new_file(), "noise",
                         std::string(reinterpret_cast<char*>(noise.data()), noise.size()))});
  const auto after = s.backend().store().state();
  EXPECT_EQ(after.group_statements - before.group_statements, 3u);
  // At least the content itself; at most twice that and some pages written whole.
  EXPECT_GT(after.wal_bytes - before.wal_bytes, noise.size());
  EXPECT_LT(after.wal_bytes - before.wal_bytes, 4 * noise.size());
}

TEST_F(Attach, a_group_with_one_file_is_one_round_trip) {
  StoreSession<PostgresBackend> s;
  s.commit({});
  const auto before = s.backend().store().state().statements;
  s.commit_files({s.file(s.new_file(), "a", "content")});
  // begin_group, upsert_files, log_positions: one pipeline, which is one transaction.
  EXPECT_EQ(s.backend().store().state().statements - before, 3u);
  const auto loading = s.backend().store().state().statements;
  s.names(s.root());
  // Once for the session's settings, then folders, files and links in one pipeline.
  EXPECT_LE(s.backend().store().state().statements - loading, 4u);
}

}  // namespace
}  // namespace tusk::test
