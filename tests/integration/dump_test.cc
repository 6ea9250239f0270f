// pg_dump is a backup: restored into another server, it is the same tree.
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "support/fs_fixture.h"
#include "support/fs_server.h"
#include "support/fs_snapshot.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

// A tree with something of every kind.
void populate(const Path& root) {
  run_ok({"cp", "-r", "/usr/include/linux", root / "linux"});
  put(root / "empty", "");
  put(root / "inline", pattern(50'000));
  put(root / "large", pattern(12'000'000));
  write_at(open_file(root / "large", O_RDWR).get(), "edited in place", 5'000'000);
  const Fd sparse = open_file(root / "sparse", O_RDWR | O_CREAT);
  write_at(sparse.get(), pattern(70'000), 9'000'000);
  const Fd source = open_file(root / "large", O_RDONLY);
  const Fd copy = open_file(root / "shares-chunks", O_RDWR | O_CREAT);
  off64_t in = 0, out = 0;
  while (::copy_file_range(source.get(), &in, copy.get(), &out, 8 << 20, 0) > 0) {
  }
  if (::symlink("linux/fs.h", (root / "symlink").c_str()) != 0) throw_errno("symlink");
  if (::link((root / "inline").c_str(), (root / "linux/hard").c_str()) != 0) throw_errno("link");
  if (::mkfifo((root / "fifo").c_str(), 0600) != 0) throw_errno("mkfifo");
  if (::setxattr((root / "inline").c_str(), "user.note", "kept", 4, 0) != 0) throw_errno("xattr");
  run_ok({"setfacl", "-m", "u:12001:rw", root / "empty"});
  if (::chmod((root / "linux").c_str(), 01755) != 0) throw_errno("chmod");
  set_times(root / "inline", 1'500'000'000'000'000'001, 1'600'000'000'123'456'789);
}

class DumpTest : public OwnMountTest {
 protected:
  static void restore(const std::string& from, const std::string& to, const Path& scratch) {
    const std::string dump = scratch / "dump";
    run_ok({postgres_program("pg_dump"), "-Fc", "-f", dump, from});
    run_ok({postgres_program("pg_restore"), "--exit-on-error", "-d", to, dump});
  }
};

TEST_F(DumpTest, a_restored_tree_is_identical) {
  const TempFolder scratch;
  Server first, second;
  MountSetup setup;
  setup.database = first.conninfo();
  Mount original(setup);
  populate(original.path());
  const Snapshot before = snapshot_of(original.path(), {.ctimes = true});
  expect_sound(original);
  restore(first.conninfo(), second.conninfo(), scratch.path());
  setup.database = second.conninfo();
  Mount restored(setup);
  for (const std::string& line :
       differences(before, snapshot_of(restored.path(), {.ctimes = true})))
    ADD_FAILURE() << line;
  put(restored.path() / "new", "the restored tree can be written to");
  expect_sound(restored);
}

TEST_F(DumpTest, a_dump_of_a_mounted_tree_has_everything_synced_before) {
  const TempFolder scratch;
  Server first, second;
  MountSetup setup;
  setup.database = first.conninfo();
  Mount original(setup);
  populate(original.path());
  ASSERT_EQ(::fsync(open_file(original.path(), O_RDONLY).get()), 0);
  const Snapshot before = snapshot_of(original.path(), {.ctimes = true});
  Child writer(
      {"sh", "-c", "i=0; while :; do echo x > '" + original.path().string() + "'/noise; done"});
  restore(first.conninfo(), second.conninfo(), scratch.path());
  setup.database = second.conninfo();
  Mount restored(setup);
  Snapshot after = snapshot_of(restored.path(), {.ctimes = true});
  after.erase("noise");
  after[""] = before.at("");  // the noise moved the root's times
  for (const std::string& line : differences(before, after)) ADD_FAILURE() << line;
  expect_sound(restored);
}

// Row-level security holds for an owner who is no superuser: who dumps says so, or is told.
TEST_F(DumpTest, an_owner_who_is_no_superuser_mounts_and_dumps) {
  const TempFolder scratch;
  Server first, second;
  const auto as_owner = [](const Server& server) {
    Sql sql(server.conninfo());
    sql.run("create role keeper login");
    sql.run("create database kept owner keeper");
    std::string conninfo = server.conninfo();
    const std::size_t at = conninfo.find("dbname=postgres");
    conninfo.replace(at, 15, "dbname=kept");
    return conninfo + " user=keeper";
  };
  MountSetup setup;
  setup.database = as_owner(first);
  Mount original(setup);
  populate(original.path());
  const Snapshot before = snapshot_of(original.path(), {.ctimes = true});
  expect_sound(original);
  const std::string dump = scratch.path() / "dump", kept = as_owner(second);
  const std::vector<std::string> plain = {postgres_program("pg_dump"), "-Fc", "-f", dump};
  std::vector<std::string> args = plain;
  args.push_back(setup.database);
  const Finished refused = run(args);
  EXPECT_NE(refused.status, 0);
  EXPECT_NE(refused.err.find("row-level security"), std::string::npos) << refused.err;
  args.insert(args.begin() + 1, "--enable-row-security");
  run_ok(args);
  run_ok({postgres_program("pg_restore"), "--exit-on-error", "-d", kept, dump});
  setup.database = kept;
  Mount restored(setup);
  for (const std::string& line :
       differences(before, snapshot_of(restored.path(), {.ctimes = true})))
    ADD_FAILURE() << line;
  put(restored.path() / "new", "the restored tree can be written to");
  expect_sound(restored);
  run_ok({TUSKFS_BINARY, "backup", kept, scratch.path() / "backups"});
  run_ok({TUSKFS_BINARY, "backup", "--verify", scratch.path() / "backups"});
}

TEST_F(DumpTest, a_tree_is_the_same_after_a_remount) {
  Mount mount;
  populate(mount.path());
  const Snapshot before = snapshot_of(mount.path(), {.ctimes = true});
  mount.remount();
  for (const std::string& line : differences(before, snapshot_of(mount.path(), {.ctimes = true})))
    ADD_FAILURE() << line;
  expect_sound(mount);
}

}  // namespace
}  // namespace tusk::test
