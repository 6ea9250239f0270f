// Disks that are full: of a local place, and under the cache of S3.
#include <sys/mount.h>

#include <cerrno>

#include "objects/s3_fixture.h"

namespace tusk::test {
namespace {

// A filesystem of few bytes; not available() to those who may not mount.
class SmallDisk {
 public:
  explicit SmallDisk(std::size_t bytes) {
    const std::string size = "size=" + std::to_string(bytes);
    mounted_ = ::mount("tmpfs", temp_.path().c_str(), "tmpfs", 0, size.c_str()) == 0;
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (mounted_) ::umount2(temp_.path().c_str(), MNT_DETACH);
  }
  bool available() const { return mounted_; }
  const std::filesystem::path& path() const { return temp_.path(); }

 private:
  TempFolder temp_;
  bool mounted_ = false;
};

class FullDisk : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!disk_.available()) GTEST_SKIP() << "only root may mount a tmpfs";
  }
  SmallDisk disk_{2 << 20};
};

TEST_P(FullDisk, of_a_local_place_is_enospc_and_harms_nothing) {
  ObjectsPlace elsewhere(PlaceKind{.encrypted = GetParam()});
  objects::Options options = elsewhere.options();
  options.location = disk_.path() / "place";
  const auto at = must(objects::open(options, true));
  const Uuid kept = new_id(), id = new_id(), copy = new_id();
  const Buffer content = pattern(1 << 20, 1);
  put(*at, kept, content);
  {
    const auto upload = must(at->create(id, std::nullopt));
    const auto written = upload->write(0, pattern(3 << 20, 2));
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, ENOSPC);
  }
  must(at->remove(id));
  EXPECT_EQ(get(*at, kept, 0, content.size()), content);
  put(*at, new_id(), pattern(300'000, 3));
  const auto copied = at->create(copy, objects::Base{kept, content.size()});
  const auto finished =
      copied ? (*copied)->finish(content.size()) : std::unexpected(copied.error());
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code, ENOSPC);
}

TEST_P(FullDisk, under_the_cache_of_s3_fails_writes_and_no_reads) {
  ObjectsPlace place(PlaceKind{.s3 = true, .encrypted = GetParam()});
  const Uuid id = new_id();
  const Buffer content = pattern(8 << 20, 1);
  put(*place.open(), id, content);
  objects::Options options = place.options();
  options.access.cache_folder = disk_.path() / "cache";
  const auto at = must(objects::open(options, false));
  for (int i = 0; i < 2; i++) EXPECT_EQ(get(*at, id, 0, content.size()), content);
  const auto upload = must(at->create(new_id(), std::nullopt));
  const auto written = upload->write(0, content);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ENOSPC);
}

INSTANTIATE_TEST_SUITE_P(Plain, FullDisk, testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Encrypted, FullDisk, testing::Values(true));

}  // namespace
}  // namespace tusk::test
