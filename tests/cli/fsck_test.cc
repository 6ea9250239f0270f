// tuskfs fsck: what was broken by hand is found, named, and repaired where that is safe.
#include <gtest/gtest.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "support/fs_calls.h"
#include "support/fs_sql.h"
#include "support/mount.h"
#include "support/store_backends.h"

namespace tusk::test {
namespace {

// As the driver, whose changes no trigger counts.
void break_by(const std::string& conninfo, const std::string& statements) {
  Sql(conninfo).run("set tusk.driver = on; " + statements);
}

class FsckTest : public ::testing::Test {
 protected:
  // One populated tree that every test gets a copy of.
  static void SetUpTestSuite() {
    populated_ = std::make_unique<std::string>(new_database());
    MountSetup setup;
    setup.database = *populated_;
    Mount mount(setup);
    std::filesystem::create_directories(mount.path() / "a" / "b");
    put(mount.path() / "a" / "small", "something");
    put(mount.path() / "a" / "b" / "deep", "deep down");
    put(mount.path() / "large", pattern(3'000'000));
    put(mount.path() / "gone", "into the trash");
    ::link((mount.path() / "a" / "small").c_str(), (mount.path() / "second").c_str());
    ::setxattr((mount.path() / "large").c_str(), "user.note", "x", 1, 0);
    std::filesystem::remove(mount.path() / "gone");
    EXPECT_EQ(mount.unmount().status, 0);
    break_by(*populated_,
             "insert into tusk.file_versions (file_id, version, size_bytes, content_at_ns, "
             "until_ns, mtime_ns, uid, mode, checksum, data) "
             "select id, 0, 3, content_at_ns - 20, content_at_ns - 10, 0, 0, 33188, "
             "decode('06b05ab6733a618578af5f94892f3950', 'hex'), 'abc' "
             "from tusk.files where filename = 'small'");
  }
  static void TearDownTestSuite() { populated_.reset(); }

  FsckTest() : conninfo_(copy()) {}

  static Finished fsck_of(const std::string& conninfo, std::vector<std::string> options = {}) {
    options.insert(options.begin(), {TUSKFS_BINARY, "fsck", conninfo});
    return run(options);
  }
  Finished fsck(std::vector<std::string> options = {}) const {
    return fsck_of(conninfo_, std::move(options));
  }
  std::string id_of(const std::string& path) const {
    return Sql(conninfo_).value("select tusk.resolve($1)", {path});
  }

  static std::string copy() {
    static std::atomic<int> count = 0;
    const std::string name = "fsck_" + std::to_string(count++);
    const std::string source = Sql(*populated_).value("select current_database()");
    Sql(shared_server().conninfo()).run("create database " + name + " template " + source);
    return shared_server().conninfo() + " dbname=" + name;
  }

  static std::unique_ptr<std::string> populated_;
  const std::string conninfo_;
};
std::unique_ptr<std::string> FsckTest::populated_;

struct Case {
  const char* check;
  const char* damage;
  bool repairable;
};

const Case kCases[] = {
    {"checksum_length", "update tusk.files set checksum = 'short' where filename = 'small'", false},
    {"chunk_missing", "delete from tusk.file_chunks where chunk_no = 3", false},
    {"chunk_not_published",
     "insert into tusk.file_chunks (file_id, chunk_no, version, checksum, data) "
     "select id, 0, version + 5, decode('99aa06d3014798d86001c324468d497f', 'hex'), '' "
     "from tusk.files where filename = 'large'",
     true},
    {"chunk_retained_for_nobody",
     "insert into tusk.file_chunks (file_id, chunk_no, version, retained, checksum, data) "
     "values (gen_random_uuid(), 0, 1, true, decode('99aa06d3014798d86001c324468d497f', 'hex'), "
     "'')",
     true},
    {"chunk_source_missing",
     "update tusk.file_chunks set data = null, src_file_id = gen_random_uuid(), src_chunk_no = 0, "
     "src_version = 1 where chunk_no = 2",
     false},
    {"chunk_too_long",
     "update tusk.file_chunks set data = data || '\\x00'::bytea where chunk_no = 1", false},
    {"chunk_without_file",
     "insert into tusk.file_chunks (file_id, chunk_no, version, checksum, data) values "
     "(gen_random_uuid(), 0, 1, decode('99aa06d3014798d86001c324468d497f', 'hex'), '')",
     true},
    {"file_link_count", "update tusk.files set nlink = 7 where filename = 'small'", true},
    {"file_without_folder",
     "update tusk.files set folder_id = gen_random_uuid() where filename = 'small'", true},
    {"folder_link_count", "update tusk.folders set nlink = 9 where name = 'a'", true},
    {"folder_out_of_reach",
     "update tusk.folders set parent_id = (select id from tusk.folders where name = 'b') where "
     "name = 'a'",
     true},
    {"folder_without_parent",
     "update tusk.folders set parent_id = gen_random_uuid() where name = 'a'", true},
    {"history_without_entry",
     "insert into tusk.path_history select root_id, gen_random_uuid(), false, 1, 2, 'x' from "
     "tusk.tenants",
     true},
    {"holes_malformed", "update tusk.files set holes = '{5,3}' where filename = 'small'", false},
    {"inline_size", "update tusk.file_versions set size_bytes = 4", false},
    {"link_to_missing_file", "update tusk.file_links set file_id = gen_random_uuid()", true},
    {"name_impossible", "update tusk.files set filename = 'a/b' where filename = 'small'", true},
    {"name_taken_twice", "update tusk.files set filename = 'a' where filename = 'large'", true},
    {"external_not_outside",
     "update tusk.files set storage_type = 'external' where filename = 'small'", false},
    {"object_unknown",
     "update tusk.files set storage_type = 'external', data = null, external_url = "
     "'file:///o/ab/00000000-0000-7000-8000-0000000000ab' where filename = 'small'",
     false},
    {"object_dropped_in_use",
     "with o as (insert into tusk.objects (id, tenant_id, epoch, url, state, size_bytes, sums) "
     "select '00000000-0000-7000-8000-0000000000ab', tenant_id, 1, "
     "'file:///o/ab/00000000-0000-7000-8000-0000000000ab', 'dropped', size_bytes, "
     "decode(repeat('00', 8), 'hex') from tusk.files where filename = 'small' returning url) "
     "update tusk.files f set storage_type = 'external', data = null, external_url = o.url from o "
     "where filename = 'small'",
     true},
    {"object_size",
     "with o as (insert into tusk.objects (id, tenant_id, epoch, url, state, size_bytes, sums) "
     "select '00000000-0000-7000-8000-0000000000ab', tenant_id, 1, "
     "'file:///o/ab/00000000-0000-7000-8000-0000000000ab', 'stored', size_bytes + 1, "
     "decode(repeat('00', 8), 'hex') from tusk.files where filename = 'small' returning url) "
     "update tusk.files f set storage_type = 'external', data = null, external_url = o.url from o "
     "where filename = 'small'",
     false},
    {"staging_left",
     "insert into tusk.staging (file_id, version, tenant_id, epoch) select gen_random_uuid(), 1, "
     "id, 0 from tusk.tenants",
     true},
    {"tenant_without_root", "delete from tusk.folders where id = parent_id", true},
    {"usage_counters", "update tusk.mounts set files = files + 3, bytes = 1", true},
    {"version_chunk_missing", "update tusk.file_versions set data = null", false},
    {"version_not_past", "update tusk.file_versions set version = 1000", false},
    {"version_overlap", "update tusk.file_versions set until_ns = until_ns + 100", true},
    {"version_without_file",
     "insert into tusk.file_versions (file_id, version, size_bytes, content_at_ns, until_ns, "
     "mtime_ns, uid, mode, data) values (gen_random_uuid(), 1, 1, 1, 2, 1, 0, 33188, 'x')",
     true},
    {"xattr_unseen", "update tusk.files set has_xattrs = false where filename = 'large'", true},
    {"xattr_without_owner", "insert into tusk.xattrs values (gen_random_uuid(), 'user.lost', 'x')",
     true},
};

TEST_F(FsckTest, a_sound_tree_with_a_trash_and_versions_is_clean) {
  const Finished finished = fsck({"--scrub"});
  EXPECT_EQ(finished.status, 0) << finished.out << finished.err;
  EXPECT_NE(finished.out.find("clean"), std::string::npos) << finished.out;
  EXPECT_EQ(Sql(conninfo_).number("select count(*) from tusk.fsck()"), 0);
}

TEST_F(FsckTest, every_check_of_the_program_has_its_case_here) {
  for (const auto& entry : std::filesystem::directory_iterator(TUSKFS_SOURCE_DIR "/sql/checks")) {
    const std::string name = entry.path().stem();
    EXPECT_TRUE(std::ranges::any_of(kCases, [&](const Case& each) { return each.check == name; }))
        << name;
  }
}

TEST_F(FsckTest, each_damage_is_found_and_repaired_where_that_is_safe) {
  for (const Case& each : kCases) {
    SCOPED_TRACE(each.check);
    const std::string conninfo = copy();
    break_by(conninfo, each.damage);
    const std::string name = std::string(each.check) + ":";
    const Finished found = fsck_of(conninfo);
    EXPECT_EQ(found.status, 4) << found.out << found.err;
    EXPECT_NE(found.out.find(name), std::string::npos) << found.out;
    EXPECT_GT(
        Sql(conninfo).number("select count(*) from tusk.fsck() where problem = $1", {each.check}),
        0);
    const Finished repaired = fsck_of(conninfo, {"--repair"});
    EXPECT_EQ(repaired.status, each.repairable ? 1 : 4) << repaired.out << repaired.err;
    EXPECT_NE(repaired.out.find(name), std::string::npos) << repaired.out;
    const Finished after = fsck_of(conninfo);
    EXPECT_EQ(after.status, each.repairable ? 0 : 4) << after.out;
  }
}

TEST_F(FsckTest, a_line_names_check_tree_row_and_repair) {
  const std::string id = id_of("/a/small");
  break_by(conninfo_, "update tusk.files set nlink = 7 where filename = 'small'");
  const Finished finished = fsck();
  EXPECT_NE(finished.out.find("file_link_count: tree=\"default\" file_id=\"" + id +
                              "\" filename=\"small\" nlink=7 names=2; repair: counts its names"),
            std::string::npos)
      << finished.out;
}

TEST_F(FsckTest, json_has_the_same) {
  break_by(conninfo_, "update tusk.files set nlink = 7 where filename = 'small'");
  const auto said = nlohmann::json::parse(fsck({"--json"}).out);
  EXPECT_EQ(said.at("left"), 1);
  EXPECT_EQ(said.at("findings").at(0).at("check"), "file_link_count");
  EXPECT_EQ(said.at("findings").at(0).at("row").at("names"), 2);
}

TEST_F(FsckTest, what_lost_its_folder_is_readable_in_lost_and_found) {
  const std::string file = id_of("/a/small"), folder = id_of("/a/b");
  break_by(conninfo_,
           "update tusk.files set folder_id = gen_random_uuid() where filename = 'small';"
           "update tusk.folders set parent_id = gen_random_uuid() where name = 'b'");
  EXPECT_EQ(fsck({"--repair"}).status, 1);
  MountSetup setup;
  setup.database = conninfo_;
  Mount mount(setup);
  const Path found = mount.path() / "lost+found";
  EXPECT_EQ(get(found / (file + ".small")), "something");
  EXPECT_EQ(get(found / (folder + ".b") / "deep"), "deep down");
  EXPECT_EQ(mount.unmount().status, 0);
  EXPECT_EQ(fsck().status, 0);
}

TEST_F(FsckTest, scrub_names_every_content_that_does_not_match_its_checksum) {
  const std::string small = id_of("/a/small"), large = id_of("/large");
  break_by(conninfo_,
           "update tusk.files set data = 'anything ' where filename = 'small';"
           "update tusk.file_versions set data = 'xyz';"
           "update tusk.file_chunks set data = set_byte(data, 9, 255 - get_byte(data, 9)) where "
           "chunk_no = 5");
  EXPECT_EQ(fsck().status, 0);
  const Finished finished = fsck({"--scrub"});
  EXPECT_EQ(finished.status, 4);
  for (const std::string& line :
       {"scrub_file: file_id=\"" + small, "scrub_version: file_id=\"" + small,
        "scrub_chunk: file_id=\"" + large})
    EXPECT_NE(finished.out.find(line), std::string::npos) << line << "\n" << finished.out;
  EXPECT_NE(finished.out.find("chunk_no=5"), std::string::npos) << finished.out;
  EXPECT_EQ(fsck({"--scrub", "--tenant", "default"}).status, 4);
}

TEST_F(FsckTest, another_tree_is_not_looked_at_with_tenant) {
  break_by(conninfo_,
           "insert into tusk.tenants (name, root_id) values ('other', gen_random_uuid())");
  EXPECT_EQ(fsck({"--tenant", "default"}).status, 0);
  EXPECT_EQ(fsck({"--tenant", "other"}).status, 4);
  EXPECT_EQ(fsck().status, 4);
}

TEST_F(FsckTest, beside_a_mount_it_reads_and_does_not_repair) {
  MountSetup setup;
  setup.database = conninfo_;
  Mount mount(setup);
  std::atomic<bool> stop = false;
  std::jthread writer([&] {
    for (int i = 0; !stop; i++) {
      put(mount.path() / ("noise" + std::to_string(i % 7)), pattern(100'000 * (i % 5), i));
      std::filesystem::create_directory(mount.path() / ("folder" + std::to_string(i)));
      // Else there is more to look at the longer a look takes.
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  for (int i = 0; i < 10; i++) {
    const Finished finished = fsck({"--scrub"});
    EXPECT_EQ(finished.status, 0) << finished.out << finished.err;
  }
  stop = true;
  writer.join();
  const Finished refused = fsck({"--repair"});
  EXPECT_EQ(refused.status, 8);
  EXPECT_NE(refused.err.find("is mounted by host"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("unmount it to repair it"), std::string::npos) << refused.err;
}

TEST_F(FsckTest, a_repair_fences_whoever_held_the_tree_before) {
  Sql(conninfo_).run(
      "insert into tusk.mount_sessions (tenant_id, epoch, backend_pid, pid, host, mountpoint) "
      "select id, 77, 1, 1, 'elsewhere', '/mnt' from tusk.tenants");
  break_by(conninfo_, "update tusk.files set nlink = 7 where filename = 'small'");
  EXPECT_EQ(fsck({"--repair"}).status, 1);
  EXPECT_EQ(Sql(conninfo_).number("select count(*) from tusk.mount_sessions"), 0);
}

TEST_F(FsckTest, what_keeps_it_from_running_is_one_line_and_status_8) {
  const std::string empty = new_database(true);
  for (const auto& args : {std::vector<std::string>{empty},
                           {conninfo_, "--tenant", "nobody"},
                           {"dbname=nowhere host=/"}}) {
    const Finished finished = fsck_of(args[0], {args.begin() + 1, args.end()});
    EXPECT_EQ(finished.status, 8) << finished.out;
    EXPECT_EQ(std::ranges::count(finished.err, '\n'), 1) << finished.err;
  }
  const TempFolder temp;
  const Finished nowhere = run({TUSKFS_BINARY, "fsck", "--data-dir", temp.path() / "none"});
  EXPECT_EQ(nowhere.status, 8);
  EXPECT_FALSE(std::filesystem::exists(temp.path() / "none"));
  EXPECT_EQ(run({TUSKFS_BINARY, "fsck", "--fix"}).status, 2);
}

TEST_F(FsckTest, a_path_in_a_mount_means_its_tree) {
  break_by(conninfo_,
           "insert into tusk.xattrs (owner_id, name, value) values (tusk.uuid_v7(), 'user.x', '')");
  MountSetup setup;
  setup.database = conninfo_;
  Mount mount(setup);
  put(mount.path() / "new", "not committed yet");
  const Finished found =
      run({TUSKFS_BINARY, "fsck", mount.path() / "a", "--db", conninfo_, "--scrub"});
  EXPECT_EQ(found.status, 0) << found.out << found.err;  // the row is of no tree
  const Finished without = run({TUSKFS_BINARY, "fsck", mount.path()});
  EXPECT_EQ(without.status, 8);
  EXPECT_NE(without.err.find("--db CONNINFO"), std::string::npos) << without.err;
  const Finished nowhere = run({TUSKFS_BINARY, "fsck", "/proc"});
  EXPECT_EQ(nowhere.status, 8);
  EXPECT_NE(nowhere.err.find("/proc"), std::string::npos) << nowhere.err;
}

}  // namespace
}  // namespace tusk::test
