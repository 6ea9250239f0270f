// PgBouncer between the mount and the server.
#include <algorithm>
#include <thread>

#include "support/fs_fixture.h"
#include "support/fs_sql.h"
#include "support/pg_bouncer.h"

namespace tusk::test {
namespace {

using namespace std::chrono_literals;

Finished try_to(const std::string& verb, const std::string& conninfo) {
  const TempFolder temp;
  const Path mountpoint = temp.path() / "mnt";
  make_folder(mountpoint);
  return run({TUSKFS_BINARY, verb, "-f", conninfo, mountpoint});
}

void expect_refusal(const Finished& finished) {
  EXPECT_EQ(finished.status, 1);
  EXPECT_NE(finished.err.find("by transaction"), std::string::npos) << finished.err;
  EXPECT_NE(finished.err.find("pool_mode = session"), std::string::npos) << finished.err;
  EXPECT_EQ(std::ranges::count(finished.err, '\n'), 1) << finished.err;
}

class PoolerTest : public OwnMountTest {
 protected:
  Server server_;
};

TEST_F(PoolerTest, in_session_mode_a_mount_works_and_survives_the_pooler) {
  PgBouncer pooler(server_, "session");
  Mount mount(MountSetup{.args = {"--sidecar"}, .database = pooler.conninfo()});
  const auto at = [&](const std::string& name) { return mount.path() / name; };
  for (int i = 0; i < 200; i++) put(at("f" + std::to_string(i)), pattern(5000));
  put(at("big"), pattern(5'000'000));
  EXPECT_EQ(errno_of(::fsync(open_file(mount.path(), O_RDONLY).get())), 0);
  Sql direct(server_.conninfo());
  EXPECT_EQ(direct.number("select count(*) from tusk.files"), 201);
  // Advisory locks, and who waits for them.
  direct.run("set statement_timeout = '20s'");
  direct.run(
      "insert into tusk.files (tenant_id, filename, data) select id, 'by SQL', 'y' from "
      "tusk.tenants");
  EXPECT_TRUE(eventually([&] { return present(at("by SQL")); }));
  put(at("cache/key"), "value");
  EXPECT_TRUE(eventually([&] { return get(at("cache/key")) == "value"; }));
  EXPECT_FALSE(get(at("stats/health")).empty());

  // Without the delegation, which the SQL writer had, a mount waits for its database.
  put(at("before"), "x");
  pooler.kill9();
  put(at("meanwhile"), "x");
  pooler.start();
  EXPECT_EQ(errno_of(::fsync(open_file(at("meanwhile"), O_RDONLY).get())), 0);
  EXPECT_TRUE(get(at("big")) == pattern(5'000'000));
  expect_sound(mount, {"connect", "database", "server", "terminat", "holds the tree"});
}

TEST_F(PoolerTest, in_transaction_mode_mount_and_sidecar_are_refused_with_what_to_do) {
  PgBouncer pooler(server_, "transaction");
  expect_refusal(try_to("mount", pooler.conninfo()));
  expect_refusal(try_to("sidecar", pooler.conninfo()));
  EXPECT_EQ(Sql(server_.conninfo()).value("select to_regnamespace('tusk') is null"), "t");
}

TEST_F(PoolerTest, in_transaction_mode_a_mount_is_refused_while_others_use_the_pooler) {
  PgBouncer pooler(server_, "transaction");
  std::atomic<bool> done = false;
  std::vector<std::jthread> others;
  for (int i = 0; i < 8; i++) {
    others.emplace_back([&] {
      Sql other(pooler.conninfo());
      while (!done) other.value("select 1");
    });
  }
  for (int i = 0; i < 5; i++) expect_refusal(try_to("mount", pooler.conninfo()));
  done = true;
}

TEST_F(PoolerTest, in_statement_mode_a_mount_is_refused) {
  PgBouncer pooler(server_, "statement");
  expect_refusal(try_to("mount", pooler.conninfo()));
}

}  // namespace
}  // namespace tusk::test
