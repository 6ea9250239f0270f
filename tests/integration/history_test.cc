// What a mount leaves behind of what it overwrote, renamed and deleted, as SQL sees it.
#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>

#include "support/fs_fixture.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

class HistoryTest : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    if (IsSkipped()) return;
    mount_ = std::make_unique<Mount>();
    set_policy(R"({"version_interval": 0})");
  }
  void TearDown() override {
    sql_.reset();
    if (mount_) expect_sound(*mount_);
  }
  void set_policy(const std::string& policy) {
    sql_.reset();
    mount_->unmount();
    Sql(mount_->dsn()).value("update tusk.tenants set policy = $1::jsonb returning name", {policy});
    mount_->mount();
    sql_ = std::make_unique<Sql>(mount_->dsn());
  }
  Path at(const std::string& name) const { return mount_->path() / name; }
  // Everything done so far is in the database.
  void settle() { ASSERT_EQ(::fsync(open_file(mount_->path(), O_RDONLY).get()), 0); }
  void write_and_settle(const std::string& name, const std::string& bytes) {
    put(at(name), bytes);
    settle();
  }
  std::string id_of(const std::string& path) {
    return sql_->value("select tusk.resolve($1)", {path});
  }
  // The contents of a file's versions, oldest first.
  std::string versions(const std::string& id) {
    std::string all;
    for (const SqlRow& row :
         sql_->rows("select convert_from(tusk.content(file_id, version), 'UTF8') "
                    "from tusk.file_versions where file_id = $1::uuid order by version",
                    {id})) {
      all += all.empty() ? row[0] : " " + row[0];
    }
    return all;
  }
  std::string collect(const std::string& at) {
    std::string said;
    const auto rows = sql_->rows(
        "select g.files, g.folders, g.versions from tusk.tenants t, "
        "lateral tusk.collect_garbage(t.id, now() + $1::interval) g",
        {at});
    for (const std::string& column : rows.at(0)) said += (said.empty() ? "" : " ") + column;
    return said;
  }

  std::unique_ptr<Mount> mount_;
  std::unique_ptr<Sql> sql_;
};

TEST_F(HistoryTest, what_is_overwritten_becomes_a_version) {
  for (const char* bytes : {"one", "two", "three"}) write_and_settle("file", bytes);
  EXPECT_EQ(versions(id_of("/file")), "one two");
  mount_->remount();
  sql_ = std::make_unique<Sql>(mount_->dsn());
  write_and_settle("file", "four");
  EXPECT_EQ(versions(id_of("/file")), "one two three");
  EXPECT_EQ(sql_->number("select count(*) from tusk.file_versions where until_ns <= content_at_ns"),
            0);
}

TEST_F(HistoryTest, the_same_content_again_makes_no_version) {
  write_and_settle("file", "same");
  write_and_settle("file", "same");
  EXPECT_EQ(versions(id_of("/file")), "");
}

TEST_F(HistoryTest, what_follows_within_the_interval_replaces_the_version) {
  set_policy(R"({"version_interval": 3600})");
  for (const char* bytes : {"one", "two", "three"}) write_and_settle("file", bytes);
  EXPECT_EQ(versions(id_of("/file")), "");
}

TEST_F(HistoryTest, one_open_leaves_one_version_however_often_it_is_synced) {
  write_and_settle("file", "before");
  {
    const Fd fd = open_file(at("file"), O_WRONLY);
    for (int i = 0; i < 100; i++) {
      ASSERT_EQ(::pwrite(fd.get(), "x", 1, i), 1);
      ASSERT_EQ(::fsync(fd.get()), 0);
    }
  }
  settle();
  EXPECT_EQ(versions(id_of("/file")), "before");
}

TEST_F(HistoryTest, without_versions_none_are_kept) {
  set_policy(R"({"versions": 0, "version_interval": 0})");
  write_and_settle("file", pattern(2'000'000));
  const std::string chunks = "select count(*) from tusk.file_chunks";
  const auto before = sql_->number(chunks);
  {
    const Fd fd = open_file(at("file"), O_WRONLY);
    ASSERT_EQ(::pwrite(fd.get(), "x", 1, 100'000), 1);
  }
  settle();
  EXPECT_EQ(sql_->number("select count(*) from tusk.file_versions"), 0);
  EXPECT_EQ(sql_->number(chunks), before);
}

TEST_F(HistoryTest, versions_share_the_chunks_that_did_not_change) {
  const std::string bytes = pattern(2'000'000);
  write_and_settle("file", bytes);
  const auto before = sql_->number("select count(*) from tusk.file_chunks");
  for (int i = 0; i < 3; i++) {
    {
      const Fd fd = open_file(at("file"), O_WRONLY);
      ASSERT_EQ(::pwrite(fd.get(), "x", 1, 100'000 + i), 1);
    }
    settle();
  }
  EXPECT_EQ(sql_->number("select count(*) from tusk.file_chunks"), before + 3);
  const auto same = sql_->number(
      "select count(*) from tusk.file_versions where version = (select min(version) from "
      "tusk.file_versions) and sha256(tusk.content(file_id, version)) = sha256($1::bytea)",
      {[&] {
        std::string hex = "\\x";
        for (const unsigned char c : bytes) {
          constexpr char kDigits[] = "0123456789abcdef";
          hex += {kDigits[c >> 4], kDigits[c & 15]};
        }
        return hex;
      }()});
  EXPECT_EQ(same, 1);
  // A remount does not forget what the versions need.
  mount_->remount();
  ASSERT_EQ(::truncate(at("file").c_str(), 70'000), 0);
  settle();
  sql_ = std::make_unique<Sql>(mount_->dsn());
  EXPECT_EQ(broken_invariants(mount_->dsn()), std::vector<std::string>{});
  // 90 days later nothing of it is left.
  collect("100 days");
  EXPECT_EQ(sql_->number("select count(*) from tusk.file_versions"), 0);
  EXPECT_EQ(sql_->number("select count(*) from tusk.file_chunks"), 2);
  EXPECT_TRUE(get(at("file")) == bytes.substr(0, 70'000));
}

TEST_F(HistoryTest, only_as_many_versions_as_the_policy_says_survive) {
  set_policy(R"({"versions": 2, "version_interval": 0})");
  for (const char* bytes : {"one", "two", "three", "four", "five"}) write_and_settle("file", bytes);
  EXPECT_EQ(versions(id_of("/file")), "one two three four");
  EXPECT_EQ(collect("0"), "0 0 2");
  EXPECT_EQ(versions(id_of("/file")), "three four");
}

TEST_F(HistoryTest, what_is_deleted_is_in_the_trash_until_its_time_has_come) {
  make_folder(at("folder"));
  write_and_settle("folder/file", "kept");
  ASSERT_EQ(::setxattr(at("folder/file").c_str(), "user.a", "b", 1, 0), 0);
  settle();
  const std::string id = id_of("/folder/file");
  std::filesystem::remove_all(at("folder"));
  settle();
  EXPECT_EQ(sql_->rows("select f.filename, d.name, f.deleted_by, convert_from(f.data, 'UTF8') "
                       "from tusk.files f join tusk.folders d on d.id = f.folder_id "
                       "where f.deleted_at is not null and d.deleted_at is not null"),
            (std::vector<SqlRow>{{"file", "folder", std::to_string(::getuid()), "kept"}}));
  EXPECT_EQ(sql_->number("select count(*) from tusk.xattrs"), 1);
  EXPECT_EQ(collect("29 days"), "0 0 0");
  EXPECT_EQ(collect("31 days"), "1 1 0");
  EXPECT_EQ(sql_->number("select count(*) from tusk.files where id = $1::uuid", {id}), 0);
  EXPECT_EQ(sql_->number("select count(*) from tusk.xattrs"), 0);
}

TEST_F(HistoryTest, a_name_may_be_deleted_and_made_again_at_once) {
  for (int i = 0; i < 20; i++) {
    put(at("file"), std::to_string(i));
    ASSERT_EQ(::unlink(at("file").c_str()), 0);
    put(at("file"), "now");
    put(at("other"), "replaces");
    ASSERT_EQ(::rename(at("other").c_str(), at("file").c_str()), 0);
    settle();
  }
  EXPECT_EQ(get(at("file")), "replaces");
  EXPECT_GE(sql_->number("select count(*) from tusk.files where deleted_at is not null"), 19);
}

TEST_F(HistoryTest, a_temporary_file_leaves_nothing) {
  {
    const Fd fd = open_file(at("temporary"), O_CREAT | O_RDWR);
    settle();
    ASSERT_EQ(::unlink(at("temporary").c_str()), 0);
    ASSERT_EQ(::write(fd.get(), "secret", 6), 6);
    settle();
  }
  settle();
  EXPECT_TRUE(eventually([&] {
    settle();
    return sql_->number("select count(*) from tusk.files") == 0;
  }));
}

TEST_F(HistoryTest, a_file_deleted_while_it_is_open_stays_readable_and_in_the_trash) {
  write_and_settle("file", "content");
  {
    const Fd fd = open_file(at("file"), O_RDWR);
    ASSERT_EQ(::unlink(at("file").c_str()), 0);
    settle();
    ASSERT_EQ(::pwrite(fd.get(), "C", 1, 0), 1);
    char byte = 0;
    ASSERT_EQ(::pread(fd.get(), &byte, 1, 0), 1);
    EXPECT_EQ(byte, 'C');
  }
  mount_->remount();
  sql_ = std::make_unique<Sql>(mount_->dsn());
  EXPECT_EQ(sql_->value("select convert_from(data, 'UTF8') from tusk.files"), "Content");
}

TEST_F(HistoryTest, without_trash_what_is_deleted_is_gone) {
  set_policy(R"({"trash": 0})");
  write_and_settle("file", "content");
  make_folder(at("folder"));
  settle();
  ASSERT_EQ(::unlink(at("file").c_str()), 0);
  ASSERT_EQ(::rmdir(at("folder").c_str()), 0);
  settle();
  EXPECT_EQ(sql_->number("select count(*) from tusk.files"), 0);
  EXPECT_EQ(sql_->number("select count(*) from tusk.folders"), 1);
}

TEST_F(HistoryTest, names_that_ended_are_remembered) {
  write_and_settle("a", "x");
  ASSERT_EQ(::rename(at("a").c_str(), at("b").c_str()), 0);
  settle();
  ASSERT_EQ(::link(at("b").c_str(), at("c").c_str()), 0);
  settle();
  ASSERT_EQ(::unlink(at("c").c_str()), 0);
  make_folder(at("d"));
  settle();
  ASSERT_EQ(::rename(at("d").c_str(), at("e").c_str()), 0);
  ASSERT_EQ(::renameat2(AT_FDCWD, at("b").c_str(), AT_FDCWD, at("e").c_str(), RENAME_EXCHANGE), 0);
  settle();
  EXPECT_EQ(sql_->rows("select name, is_folder from tusk.path_history order by name"),
            (std::vector<SqlRow>{{"a", "f"}, {"b", "f"}, {"c", "f"}, {"d", "t"}}));
  EXPECT_EQ(sql_->number("select count(*) from tusk.path_history h join tusk.files f on f.id = "
                         "h.entry_id where h.name = 'b' and h.until_ns <> f.named_at_ns"),
            0);
}

TEST_F(HistoryTest, what_a_snapshot_needs_is_not_collected) {
  write_and_settle("file", "one");
  write_and_settle("gone", "gone");
  sql_->run("insert into tusk.snapshots select id, 'before', tusk.now_ns() from tusk.tenants");
  write_and_settle("file", "two");
  write_and_settle("file", "three");
  ASSERT_EQ(::unlink(at("gone").c_str()), 0);
  settle();
  EXPECT_EQ(collect("1 year"), "0 0 1");
  EXPECT_EQ(versions(id_of("/file")), "one");
  sql_->run("delete from tusk.snapshots");
  EXPECT_EQ(collect("1 year"), "1 0 1");
}

TEST_F(HistoryTest, an_application_keeps_what_it_refers_to) {
  write_and_settle("invoice", "pdf");
  write_and_settle("other", "x");
  sql_->run(
      "create table invoices (file uuid references tusk.files(id));"
      "insert into invoices select id from tusk.files where filename = 'invoice'");
  ASSERT_EQ(::unlink(at("invoice").c_str()), 0);
  ASSERT_EQ(::unlink(at("other").c_str()), 0);
  settle();
  EXPECT_EQ(collect("1 year"), "1 0 0");
  EXPECT_EQ(sql_->value("select filename from tusk.files"), "invoice");
}

}  // namespace
}  // namespace tusk::test
