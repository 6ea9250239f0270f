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
  void set_attribute(const std::string& folder, const std::string& key, const std::string& value) {
    ASSERT_EQ(::setxattr(at(folder).c_str(), ("user.tusk.policy." + key).c_str(), value.data(),
                         value.size(), 0),
              0);
  }
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

TEST_F(HistoryTest, each_folder_keeps_what_its_own_policy_says) {
  for (const char* name : {"plain", "few", "few/below", "few/below/many"}) make_folder(at(name));
  set_attribute("few", "versions", "2");
  set_attribute("few", "trash", "1d");
  set_attribute("few/below/many", "versions", "3");
  set_attribute("few/below/many", "trash", "60d");
  const char* folders[] = {"plain", "few", "few/below", "few/below/many"};
  for (const char* bytes : {"1", "2", "3", "4", "5"}) {
    for (const std::string folder : folders) write_and_settle(folder + "/file", bytes);
  }
  for (const std::string folder : folders) write_and_settle(folder + "/gone", "x");
  EXPECT_EQ(collect("0"), "0 0 5");
  EXPECT_EQ(versions(id_of("/plain/file")), "1 2 3 4");
  EXPECT_EQ(versions(id_of("/few/file")), "3 4");
  EXPECT_EQ(versions(id_of("/few/below/file")), "3 4");
  EXPECT_EQ(versions(id_of("/few/below/many/file")), "2 3 4");
  for (const std::string folder : folders) ASSERT_EQ(::unlink(at(folder + "/gone").c_str()), 0);
  settle();
  EXPECT_EQ(collect("2 days"), "2 0 0");
  EXPECT_EQ(collect("31 days"), "1 0 0");
  EXPECT_EQ(collect("61 days"), "1 0 0");
  // What moves takes on what holds where it is.
  ASSERT_EQ(::rename(at("few/below").c_str(), at("plain/below").c_str()), 0);
  settle();
  write_and_settle("plain/below/file", "6");
  EXPECT_EQ(collect("0"), "0 0 0");
  EXPECT_EQ(versions(id_of("/plain/below/file")), "3 4 5");
  // A folder's own policy holds for itself too, also in the trash.
  ASSERT_EQ(::unlink(at("plain/below/many/file").c_str()), 0);
  ASSERT_EQ(::rmdir(at("plain/below/many").c_str()), 0);
  settle();
  EXPECT_EQ(collect("59 days"), "0 0 0");
  EXPECT_EQ(collect("61 days"), "1 1 0");
}

TEST_F(HistoryTest, a_folder_without_versions_keeps_no_chunks_and_spoils_none) {
  make_folder(at("scratch"));
  const std::string chunks = "select count(*) from tusk.file_chunks";
  const auto change = [&](const std::string& name, char byte) {
    const Fd fd = open_file(at(name), O_WRONLY);
    ASSERT_EQ(::pwrite(fd.get(), &byte, 1, 100'000), 1);
    ASSERT_EQ(::fsync(fd.get()), 0);
  };
  write_and_settle("scratch/file", std::string(2'000'000, 'a'));
  change("scratch/file", '1');
  const std::string id = id_of("/scratch/file");
  EXPECT_EQ(sql_->number("select count(*) from tusk.file_versions"), 1);
  const auto with_version = sql_->number(chunks);
  set_attribute("scratch", "versions", "0");
  for (const char byte : {'2', '3', '4'}) change("scratch/file", byte);
  EXPECT_EQ(sql_->number("select count(*) from tusk.file_versions"), 1);
  EXPECT_EQ(sql_->number(chunks), with_version);
  EXPECT_TRUE(sql_->value("select convert_from(tusk.content($1::uuid, version), 'UTF8') "
                          "from tusk.file_versions",
                          {id}) == std::string(2'000'000, 'a'));
  EXPECT_EQ(collect("0"), "0 0 1");
  EXPECT_EQ(sql_->number(chunks), with_version - 1);
  mount_->remount();
  sql_ = std::make_unique<Sql>(mount_->dsn());
  for (const char byte : {'5', '6'}) change("scratch/file", byte);
  EXPECT_EQ(sql_->number(chunks), with_version - 1);
  EXPECT_EQ(sql_->number("select count(*) from tusk.file_versions"), 0);
}

TEST_F(HistoryTest, the_policy_of_a_folder_says_what_stays_inline) {
  const auto is_inline = [&](const std::string& path) {
    return sql_->value("select data is not null from tusk.files where id = tusk.resolve($1)",
                       {path});
  };
  for (const char* name : {"small", "large"}) make_folder(at(name));
  set_attribute("small", "inline_below", "0");
  set_attribute("large", "inline_below", "8M");
  for (const std::string folder : {"small", "large"}) {
    write_and_settle(folder + "/tiny", "x");
    write_and_settle(folder + "/middle", pattern(3'000'000));
    write_and_settle(folder + "/limit", pattern(8 << 20));
    write_and_settle(folder + "/above", pattern((8 << 20) + 1));
    ASSERT_EQ(::symlink("tiny", at(folder + "/link").c_str()), 0);
  }
  mount_->remount();
  sql_ = std::make_unique<Sql>(mount_->dsn());
  EXPECT_EQ(is_inline("/small/tiny") + is_inline("/small/middle") + is_inline("/small/link"),
            "fft");
  EXPECT_EQ(is_inline("/large/tiny") + is_inline("/large/middle") + is_inline("/large/limit") +
                is_inline("/large/above"),
            "tttf");
  for (const std::string folder : {"small", "large"}) {
    EXPECT_EQ(get(at(folder + "/link")), "x");
    EXPECT_TRUE(get(at(folder + "/middle")) == pattern(3'000'000));
    EXPECT_TRUE(get(at(folder + "/above")) == pattern((8 << 20) + 1));
  }
}

TEST_F(HistoryTest, without_policies_of_folders_retention_looks_at_no_file_for_them) {
  make_folder(at("folder"));
  write_and_settle("folder/file", "x");
  EXPECT_EQ(sql_->number("select count(*) from tusk.tenants t, tusk.folder_policies(t.id)"), 0);
  std::string plan;
  sql_->run("set enable_seqscan = off");
  for (const SqlRow& row : sql_->rows("explain (analyze, costs off, timing off, summary off) "
                                      "select f.* from tusk.tenants t "
                                      "cross join lateral tusk.folder_policies(t.id) f"))
    plan += row[0] + "\n";
  EXPECT_EQ(plan.find("tusk.files"), std::string::npos) << plan;
}

TEST_F(HistoryTest, policies_are_set_by_attributes_that_say_what_they_cannot_be) {
  make_folder(at("folder"));
  put(at("file"), "x");
  const auto set = [&](const std::string& name, const std::string& key, const std::string& value,
                       int flags = 0) {
    const std::string attribute = "user.tusk.policy." + key;
    return errno_of(
        ::setxattr(at(name).c_str(), attribute.c_str(), value.data(), value.size(), flags));
  };
  for (const char* wrong : {"", "x", "-1", "5y", "1.5d", "10M", " 5", "99999999999999999999"})
    EXPECT_EQ(set("folder", "trash", wrong), EINVAL) << wrong;
  EXPECT_EQ(set("folder", "inline_below", "9M"), EINVAL);
  EXPECT_EQ(set("folder", "colour", "1"), EINVAL);
  EXPECT_EQ(set("file", "trash", "1d"), EOPNOTSUPP);
  EXPECT_EQ(set("folder", "trash", "1d", XATTR_REPLACE), ENODATA);
  EXPECT_EQ(set("folder", "trash", "1d", XATTR_CREATE), 0);
  EXPECT_EQ(set("folder", "trash", "2d", XATTR_CREATE), EEXIST);
  EXPECT_EQ(set("", "trash", "2d", XATTR_CREATE), 0);
  EXPECT_EQ(set("", "trash", "2d", XATTR_CREATE), EEXIST);
  EXPECT_EQ(errno_of(::setxattr(at("folder").c_str(), "user.tusk.policy", "x", 1, 0)), EPERM);
  char value[64] = {};
  EXPECT_EQ(::getxattr(at("folder").c_str(), "user.tusk.policy.trash", value, sizeof value), 5);
  EXPECT_STREQ(value, "86400");
  EXPECT_EQ(::getxattr(at("folder").c_str(), "user.tusk.policy.versions", value, sizeof value), 2);
  char names[256] = {};
  EXPECT_EQ(::listxattr(at("folder").c_str(), names, sizeof names), 23);
  EXPECT_STREQ(names, "user.tusk.policy.trash");
  EXPECT_EQ(::removexattr(at("").c_str(), "user.tusk.policy.trash"), 0);
  EXPECT_EQ(errno_of(::removexattr(at("").c_str(), "user.tusk.policy.trash")), ENODATA);
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

TEST_F(HistoryTest, a_folder_without_trash_lets_go_at_once) {
  make_folder(at("scratch"));
  make_folder(at("scratch/below"));
  set_attribute("scratch", "trash", "0");
  write_and_settle("scratch/below/file", "content");
  write_and_settle("kept", "content");
  settle();
  std::filesystem::remove_all(at("scratch"));
  ASSERT_EQ(::unlink(at("kept").c_str()), 0);
  settle();
  EXPECT_EQ(sql_->value("select string_agg(filename, ' ') from tusk.files"), "kept");
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
