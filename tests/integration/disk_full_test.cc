// The database's disk is full, and then has room again.
#include <unistd.h>

#include "support/fs_fixture.h"
#include "support/fs_server.h"
#include "support/fs_sql.h"
#include "support/small_disk.h"

namespace tusk::test {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

class DiskFullTest : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    if (IsSkipped()) return;
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to make a small disk";
    disk_ = std::make_unique<SmallDisk>();
    server_ = std::make_unique<Server>(ServerSetup{disk_->data(), {}});
    MountSetup setup;
    setup.database = server_->conninfo();
    mount_ = std::make_unique<Mount>(setup);
  }
  void TearDown() override {
    if (!mount_) return;
    disk_->make_room();
    expect_sound(*mount_, {"space", "full"});
    mount_.reset();
    server_.reset();
  }
  Path at(const std::string& name) const { return mount_->path() / name; }
  static int sync(const Path& path) { return errno_of(::fsync(open_file(path, O_RDONLY).get())); }
  std::unique_ptr<SmallDisk> disk_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Mount> mount_;
};

TEST_F(DiskFullTest, fsync_is_enospc_and_all_is_committed_once_there_is_room) {
  put(at("before"), "before");
  ASSERT_EQ(sync(at("before")), 0);
  disk_->leave_free(4 * kMiB);
  const std::string bytes = pattern(40 * kMiB);
  put(at("large"), bytes);
  put(at("small"), "small");
  EXPECT_EQ(sync(at("large")), ENOSPC);
  EXPECT_EQ(get(at("before")), "before");
  EXPECT_EQ(get(at("small")), "small");
  disk_->make_room();
  EXPECT_TRUE(eventually([&] { return sync(at("large")) == 0; }));
  EXPECT_TRUE(get(at("large")) == bytes);
  mount_->remount();
  EXPECT_TRUE(get(at("large")) == bytes);
  EXPECT_EQ(get(at("small")), "small");
}

TEST_F(DiskFullTest, removing_files_works_on_a_full_disk_and_renames_are_not_lost) {
  for (int i = 0; i < 20; i++) put(at("f" + std::to_string(i)), pattern(100'000));
  ASSERT_EQ(sync(mount_->path()), 0);
  disk_->leave_free(kMiB);
  put(at("large"), pattern(20 * kMiB));
  EXPECT_EQ(sync(at("large")), ENOSPC);
  ASSERT_EQ(::unlink(at("large").c_str()), 0);
  ASSERT_EQ(::rename(at("f0").c_str(), at("moved").c_str()), 0);
  disk_->make_room();
  EXPECT_TRUE(eventually([&] { return sync(mount_->path()) == 0; }));
  mount_->remount();
  EXPECT_TRUE(present(at("moved")));
  EXPECT_FALSE(present(at("f0")));
  EXPECT_FALSE(present(at("large")));
}

}  // namespace
}  // namespace tusk::test
