// Rows damaged behind the driver's back: EIO and a line for that path, and the rest goes on.
#include <sys/xattr.h>
#include <unistd.h>

#include "support/fs_fixture.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

constexpr std::size_t kChunked = 3'000'000;

class DamageTest : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    if (IsSkipped()) return;
    mount_ = std::make_unique<Mount>();
    put(at("small"), "small content");
    put(at("large"), pattern(kChunked));
    make_folder(at("folder"));
    put(at("folder/inside"), "inside");
    put(at("sound"), "sound");
    mount_->unmount();
  }
  // Runs statements on the unmounted tree, then mounts it again.
  void damage(const std::string& statements) {
    Sql(mount_->dsn()).run("set tusk.driver = on; " + statements);
    mount_->mount();
  }
  Path at(const std::string& name) const { return mount_->path() / name; }
  bool logged(const std::string& text) {
    return eventually([&] { return mount_->log().find(text) != std::string::npos; },
                      std::chrono::seconds(5));
  }
  std::string id_of(const std::string& path) {
    return Sql(mount_->dsn()).value("select tusk.resolve($1)", {path});
  }
  static int read_error(const Path& path) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return errno;
    char buffer[4096];
    ssize_t n = 0;
    while ((n = ::read(fd.get(), buffer, sizeof buffer)) > 0) {
    }
    return errno_of(n);
  }
  void expect_the_rest_goes_on() {
    EXPECT_EQ(get(at("sound")), "sound");
    put(at("new"), "new");
    EXPECT_EQ(::fsync(open_file(at("new"), O_RDONLY).get()), 0);
  }
  std::unique_ptr<Mount> mount_;
};

TEST_F(DamageTest, inline_bytes_that_do_not_match_their_sum_are_eio) {
  const std::string id = id_of("/small");
  damage("update tusk.files set data = 'small c0ntent' where filename = 'small'");
  EXPECT_EQ(read_error(at("small")), EIO);
  EXPECT_TRUE(logged(id)) << mount_->log();
  expect_the_rest_goes_on();
}

TEST_F(DamageTest, a_chunk_that_does_not_match_its_sum_is_eio) {
  const std::string id = id_of("/large");
  damage(
      "update tusk.file_chunks set data = set_byte(data, 5, get_byte(data, 5) # 1) "
      "where chunk_no = 3");
  EXPECT_EQ(read_error(at("large")), EIO);
  EXPECT_TRUE(logged(id)) << mount_->log();
  EXPECT_TRUE(read_at(open_file(at("large"), O_RDONLY).get(), 2'000'000, 100) ==
              pattern(kChunked).substr(2'000'000, 100));
  expect_the_rest_goes_on();
}

TEST_F(DamageTest, a_missing_chunk_is_eio_and_an_error_of_tusk_content) {
  const std::string id = id_of("/large");
  damage("delete from tusk.file_chunks where chunk_no = 3");
  EXPECT_EQ(read_error(at("large")), EIO);
  EXPECT_TRUE(logged(id)) << mount_->log();
  EXPECT_THROW(Sql(mount_->dsn()).rows("select tusk.content($1::uuid)", {id}), std::exception);
  expect_the_rest_goes_on();
}

TEST_F(DamageTest, a_row_with_an_impossible_mode_is_eio) {
  const std::string id = id_of("/small");
  damage("update tusk.files set mode = 0 where filename = 'small'");
  EXPECT_NE(read_error(at("small")), 0);
  EXPECT_TRUE(logged(id)) << mount_->log();
  expect_the_rest_goes_on();
}

TEST_F(DamageTest, a_row_with_a_negative_size_is_eio) {
  const std::string id = id_of("/small");
  damage(
      "alter table tusk.files drop constraint if exists files_size_bytes_check;"
      "update tusk.files set size_bytes = -1 where filename = 'small'");
  EXPECT_NE(read_error(at("small")), 0);
  EXPECT_TRUE(logged(id)) << mount_->log();
  expect_the_rest_goes_on();
}

TEST_F(DamageTest, a_file_whose_folder_is_gone_harms_nothing_else) {
  damage("delete from tusk.folders where name = 'folder'");
  EXPECT_NE(read_error(at("folder/inside")), 0);
  EXPECT_NE(names_in(mount_->path()).size(), 0u);
  expect_the_rest_goes_on();
}

TEST_F(DamageTest, a_link_to_a_file_that_is_gone_is_an_error_of_that_name_alone) {
  damage(
      "insert into tusk.file_links (file_id, folder_id, name) values "
      "('01900000-0000-7000-8000-000000000001', tusk.resolve('/'), 'dangling')");
  EXPECT_NE(read_error(at("dangling")), 0);
  expect_the_rest_goes_on();
}

TEST_F(DamageTest, a_missing_table_is_eio_for_what_needs_it) {
  Sql(mount_->dsn()).run("update tusk.files set has_xattrs = true where filename = 'small'");
  damage("alter table tusk.xattrs rename to gone");
  char buffer[10];
  EXPECT_EQ(errno_of(::getxattr(at("small").c_str(), "user.a", buffer, 10)), EIO);
  EXPECT_TRUE(logged("xattrs")) << mount_->log();
  EXPECT_EQ(get(at("sound")), "sound");
}

TEST_F(DamageTest, a_file_that_the_database_refuses_is_eio_and_the_others_are_stored) {
  damage("alter table tusk.files add constraint no_exe check (filename not like '%.exe')");
  Fd refused(::open(at("bad.exe").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
  ASSERT_TRUE(refused);
  put(at("good"), "good");
  EXPECT_EQ(errno_of(::fsync(refused.get())), EIO);
  EXPECT_TRUE(logged("no_exe")) << mount_->log();
  EXPECT_EQ(errno_of(static_cast<int>(::pwrite(refused.get(), "x", 1, 0))), EIO);
  EXPECT_TRUE(eventually([&] { return read_error(at("bad.exe")) == EIO; }));
  EXPECT_EQ(::fsync(open_file(at("good"), O_RDONLY).get()), 0);
  refused.reset();
  mount_->unmount();
  EXPECT_EQ(Sql(mount_->dsn()).number("select files from tusk.mounts"),
            Sql(mount_->dsn()).number("select count(*) from tusk.files"));
  mount_->mount();
  expect_the_rest_goes_on();
}

}  // namespace
}  // namespace tusk::test
