// A tree holds no more than its quota, whoever adds to it: EDQUOT at the call, before anything is
// acknowledged, and df knows to the byte what is there.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "support/fs_fixture.h"
#include "support/fs_sql.h"
#include "support/store_backends.h"
#include "tuskfs/fuse/clone.h"

namespace tusk::test {
namespace {

constexpr std::int64_t kMiB = 1 << 20;
constexpr std::int64_t kUnlimited = std::int64_t{1} << 30;  // more than any quota here

class QuotaTest : public OwnMountTest {
 protected:
  // As SQL sets it; a mount made before learns of it.
  void limit(std::int64_t bytes, std::int64_t files = -1) {
    sql().rows("select tusk.set_quota('default', nullif($1::bigint, -1), nullif($2::bigint, -1))",
               {std::to_string(bytes), std::to_string(files)});
    if (!mount_) return;
    const bool known = eventually([&] {
      const struct statvfs facts = statvfs_of(dir());
      const auto blocks = static_cast<std::int64_t>(facts.f_blocks);
      const bool bytes_known =
          bytes < 0 ? blocks > kUnlimited : blocks == std::max(bytes, used()) / 4096;
      const auto most = static_cast<std::int64_t>(facts.f_files);
      return bytes_known && (files < 0 ? most > kUnlimited : most == files);
    });
    EXPECT_TRUE(known) << "the mount does not learn of its quota";
  }
  static struct statvfs statvfs_of(const Path& path) {
    struct statvfs facts {};
    if (::statvfs(path.c_str(), &facts) != 0) throw_errno("statvfs");
    return facts;
  }
  // As df has it, in whole blocks of 4096.
  std::int64_t used() const {
    const struct statvfs facts = statvfs_of(dir());
    return static_cast<std::int64_t>((facts.f_blocks - facts.f_bfree) * facts.f_frsize);
  }
  std::int64_t names() const {
    const struct statvfs facts = statvfs_of(dir());
    return static_cast<std::int64_t>(facts.f_files - facts.f_ffree);
  }

  Mount& mount() {
    if (!mount_) mount_ = std::make_unique<Mount>(MountSetup{.database = database_});
    return *mount_;
  }
  const Path& dir() const { return mount_->path(); }
  Path at(const std::string& name) { return mount().path() / name; }
  // What was deleted under a name, in the trash.
  Path trashed(const std::string& name) {
    const Path trash = dir() / ".tusk/trash";
    for (const std::string& entry : names_in(trash))
      if (entry.starts_with(name + "@")) return trash / entry;
    return trash / name;
  }
  void sync() { ASSERT_EQ(::fsync(open_file(dir(), O_RDONLY).get()), 0); }
  Sql& sql() {
    if (!sql_) sql_ = std::make_unique<Sql>(database_);
    return *sql_;
  }
  // What tuskfs quota check says, which must agree with the counters.
  nlohmann::json counted() {
    const Finished checked = run({TUSKFS_BINARY, "quota", "check", "--json", database_});
    EXPECT_EQ(checked.status, 0) << checked.out << checked.err;
    return nlohmann::json::parse(checked.out).at(0).at("found");
  }
  void expect_agreement() {
    sync();
    const auto found = counted();
    EXPECT_EQ(used(), (found.at("bytes").get<std::int64_t>() + 4095) / 4096 * 4096);
    // Where there is no quota of files, df counts the root as well.
    const bool has_root = static_cast<std::int64_t>(statvfs_of(dir()).f_files) > kUnlimited;
    EXPECT_EQ(names(), found.at("files").get<std::int64_t>() +
                           found.at("folders").get<std::int64_t>() - (has_root ? 0 : 1));
  }
  void TearDown() override {
    if (mount_) expect_sound(*mount_, declared_);
  }

  const std::string database_ = new_database();
  std::unique_ptr<Mount> mount_;
  std::unique_ptr<Sql> sql_;
  std::vector<std::string> declared_;
};

int errno_of_write(int fd, std::string_view bytes, std::uint64_t offset) {
  return errno_of(::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)));
}

TEST_F(QuotaTest, a_file_grows_to_the_last_byte_and_no_further) {
  mount();
  limit(kMiB);
  const Fd file = open_file(at("file"), O_RDWR | O_CREAT);
  write_at(file.get(), pattern(kMiB - 1), 0);
  // The kernel may hand over what is up to a page's end by itself.
  const int code = errno_of_write(file.get(), "xy", kMiB - 1);
  EXPECT_TRUE(code == EDQUOT || stat_of(file.get()).st_size == kMiB) << code;
  write_at(file.get(), "x", kMiB - 1);
  EXPECT_EQ(used(), kMiB);
  EXPECT_EQ(errno_of_write(file.get(), "y", kMiB), EDQUOT);
  // What does not grow goes on.
  write_at(file.get(), pattern(kMiB, 2), 0);
  EXPECT_EQ(::fsync(file.get()), 0);
  EXPECT_EQ(errno_of(::ftruncate(file.get(), kMiB + 1)), EDQUOT);
  EXPECT_EQ(::ftruncate(file.get(), kMiB), 0);
  EXPECT_EQ(errno_of(::fallocate(file.get(), 0, 0, kMiB + 1)), EDQUOT);
  EXPECT_EQ(::fallocate(file.get(), FALLOC_FL_KEEP_SIZE, 0, 2 * kMiB), 0);
  EXPECT_EQ(::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 65536), 0);
  EXPECT_EQ(errno_of(::fallocate(file.get(), FALLOC_FL_ZERO_RANGE, kMiB - 1, 2)), EDQUOT);
  EXPECT_EQ(read_at(file.get(), kMiB - 1, 1).size(), 1u);
  EXPECT_EQ(::ftruncate(file.get(), 10), 0);
  write_at(file.get(), "z", kMiB - 1);
  put(at("empty"), "");
  EXPECT_EQ(errno_of(::symlink("x", at("link").c_str())), EDQUOT);
  EXPECT_FALSE(present(at("link")));
  expect_agreement();
}

TEST_F(QuotaTest, what_is_deleted_makes_room_at_once) {
  mount();
  limit(kMiB, 3);
  put(at("a"), pattern(600'000));
  put(at("b"), pattern(400'000));
  EXPECT_EQ(errno_of_write(open_file(at("c"), O_RDWR | O_CREAT).get(), pattern(100'000), 0),
            EDQUOT);
  EXPECT_EQ(errno_of_open(at("d"), O_RDWR | O_CREAT), EDQUOT);
  EXPECT_EQ(errno_of(::mkdir(at("d").c_str(), 0755)), EDQUOT);
  EXPECT_EQ(errno_of(::mkfifo(at("d").c_str(), 0644)), EDQUOT);
  EXPECT_EQ(::link(at("a").c_str(), at("another name").c_str()), 0);
  EXPECT_EQ(::rename(at("c").c_str(), at("e").c_str()), 0);
  std::filesystem::remove(at("b"));
  put(at("e"), pattern(448'576, 3));
  EXPECT_EQ(used(), kMiB);
  // Open without a name it is not counted, but grows no further than there is room.
  const Fd nameless = open_file(at("e"), O_RDWR);
  std::filesystem::remove(at("e"));
  EXPECT_EQ(errno_of_write(nameless.get(), pattern(10), 448'570), EDQUOT);
  make_folder(at("folder"));
  make_folder(at("folder/one"));
  EXPECT_EQ(names(), 3);
  EXPECT_EQ(errno_of(::mkdir(at("folder/two").c_str(), 0755)), EDQUOT);
  expect_agreement();
}

TEST_F(QuotaTest, copies_clones_and_what_comes_back_count) {
  mount();
  make_folder(at("source"));
  put(at("source/large"), pattern(3'000'000));
  put(at("source/small"), pattern(1'000));
  put(at("gone"), pattern(500'000));
  sync();
  std::filesystem::remove(at("gone"));
  limit(5'000'000, 7);
  const auto clone = [&](const Path& target) {
    std::uint64_t source = stat_of(at("source")).st_ino;
    return errno_of(::ioctl(open_file(target, O_RDONLY).get(), fuse::kCloneFrom, &source));
  };
  make_folder(at("clone"));
  EXPECT_EQ(clone(at("clone")), EDQUOT);
  EXPECT_EQ(names_in(at("clone")), std::vector<std::string>{});
  const Fd source = open_file(at("source/large"), O_RDONLY);
  const Fd copy = open_file(at("copy"), O_RDWR | O_CREAT);
  off64_t in = 0, out = 0;
  EXPECT_EQ(errno_of(::copy_file_range(source.get(), &in, copy.get(), &out, 3'000'000, 0)), EDQUOT);
  EXPECT_EQ(::copy_file_range(source.get(), &in, copy.get(), &out, 1 << 20, 0), 1 << 20);
  EXPECT_EQ(errno_of(::rename(trashed("gone").c_str(), at("back").c_str())), 0);
  EXPECT_EQ(::ftruncate(copy.get(), 0), 0);
  limit(6'510'000, 8);
  EXPECT_EQ(clone(at("clone")), 0);
  EXPECT_EQ(names_in(at("clone")), (std::vector<std::string>{"large", "small"}));
  EXPECT_EQ(names(), 8);
  EXPECT_EQ(errno_of_open(at("more"), O_RDWR | O_CREAT), EDQUOT);
  EXPECT_EQ(errno_of_write(copy.get(), pattern(10'000), 0), EDQUOT);
  std::filesystem::remove(at("back"));
  limit(6'100'000, 8);
  EXPECT_EQ(errno_of(::rename(trashed("back").c_str(), at("again").c_str())), EDQUOT);
  EXPECT_FALSE(present(at("again")));
  expect_agreement();
}

TEST_F(QuotaTest, one_that_is_lower_than_what_is_there_lets_nothing_grow_and_everything_shrink) {
  mount();
  put(at("a"), pattern(3 * kMiB));
  put(at("b"), pattern(10));
  limit(kMiB);
  EXPECT_EQ(errno_of_write(open_file(at("b"), O_WRONLY).get(), "x", 10), EDQUOT);
  write_at(open_file(at("a"), O_WRONLY).get(), pattern(kMiB, 5), kMiB);
  EXPECT_EQ(::truncate(at("a").c_str(), 2 * kMiB), 0);
  EXPECT_EQ(errno_of_write(open_file(at("b"), O_WRONLY).get(), "x", 10), EDQUOT);
  const struct statvfs facts = statvfs_of(dir());
  EXPECT_EQ(facts.f_bavail, 0u);
  EXPECT_EQ(used(), 2 * kMiB + 4096);
  EXPECT_EQ(::truncate(at("a").c_str(), kMiB - 11), 0);
  write_at(open_file(at("b"), O_WRONLY).get(), "x", 10);
  limit(-1);
  put(at("a"), pattern(2 * kMiB));
  expect_agreement();
}

TEST_F(QuotaTest, sql_clients_and_the_mount_share_one) {
  mount();
  limit(kMiB);
  put(at("mount"), pattern(600'000));
  EXPECT_THROW(
      sql().rows("select tusk.write_file('/sql', convert_to(repeat('x', 500000), 'UTF8'))"),
      std::exception);
  sql().rows("select tusk.write_file('/sql', convert_to(repeat('x', 448576), 'UTF8'))");
  EXPECT_EQ(errno_of_write(open_file(at("mount"), O_WRONLY).get(), "x", 600'000), EDQUOT);
  sql().rows("select tusk.delete('/sql')");
  write_at(open_file(at("mount"), O_WRONLY).get(), pattern(400'000), 600'000);
  EXPECT_THROW(sql().rows("select tusk.trash_restore(trash_id) from tusk.trash_list()"),
               std::exception);
  expect_agreement();
}

// Each takes what it can get; together they get all there is and not a byte more.
TEST_F(QuotaTest, four_writers_fill_it_to_the_byte) {
  mount();
  limit(kMiB);
  constexpr int kPart = 4096;
  std::atomic<int> parts = 0, refused = 0;
  {
    std::vector<std::jthread> writers;
    for (int i = 0; i < 2; i++)
      writers.emplace_back([&, i] {
        const Fd file = open_file(at("m" + std::to_string(i)), O_WRONLY | O_CREAT | O_APPEND);
        const std::string part = pattern(kPart, static_cast<std::uint64_t>(i) + 1);
        while (true) {
          const int code = errno_of(::write(file.get(), part.data(), part.size()));
          if (code == 0) {
            parts++;
            continue;
          }
          EXPECT_EQ(code, EDQUOT);
          refused++;
          return;
        }
      });
    for (int i = 0; i < 2; i++)
      writers.emplace_back([&, i] {
        Sql client(database_);
        for (int n = 0;; n++) {
          try {
            client.rows("select tusk.write_file($1, convert_to(repeat('s', 4096), 'UTF8'))",
                        {"/s" + std::to_string(i) + "-" + std::to_string(n)});
            parts++;
          } catch (const std::exception& e) {
            EXPECT_NE(std::string(e.what()).find("quota"), std::string::npos) << e.what();
            refused++;
            return;
          }
        }
      });
  }
  EXPECT_EQ(parts, kMiB / kPart);
  EXPECT_EQ(refused, 4);
  EXPECT_EQ(used(), kMiB);
  expect_agreement();
}

TEST_F(QuotaTest, df_agrees_with_a_recount_after_a_walk_and_kills_of_the_driver) {
  std::mt19937 random(7);
  const auto up_to = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  mount();
  limit(4 * kMiB, 40);
  for (int round = 0; round < 3; round++) {
    for (int step = 0; step < 250; step++) {
      const Path file = at("f" + std::to_string(up_to(45)));
      const Path other = at("f" + std::to_string(up_to(45)));
      switch (up_to(9)) {
        case 0:
        case 1:
        case 2: {
          const int raw = ::open(file.c_str(), O_RDWR | O_CREAT, 0644);
          if (raw < 0) {
            EXPECT_TRUE(errno == EDQUOT || errno == EISDIR) << errno;
            break;
          }
          const Fd fd(raw);
          const auto size = static_cast<std::size_t>(1 + up_to(200'000));
          const auto offset = static_cast<std::uint64_t>(up_to(300'000));
          const int code = errno_of_write(fd.get(), pattern(size), offset);
          EXPECT_TRUE(code == 0 || code == EDQUOT) << code;
          if (up_to(4) == 0) {
            EXPECT_EQ(::fsync(fd.get()), 0);
          }
          break;
        }
        case 3:
          errno_of(::unlink(file.c_str()));
          break;
        case 4:
          errno_of(::truncate(file.c_str(), up_to(400'000)));
          break;
        case 5:
          errno_of(::rename(file.c_str(), other.c_str()));
          break;
        case 6:
          errno_of(::link(file.c_str(), other.c_str()));
          break;
        case 7:
          errno_of(::mkdir(file.c_str(), 0755) == 0 ? 0 : ::rmdir(file.c_str()));
          break;
        default:
          try {
            sql().rows("select tusk.write_file($1, convert_to(repeat('x', $2::int), 'UTF8'))",
                       {"/f" + std::to_string(up_to(45)), std::to_string(up_to(200'000))});
          } catch (const std::exception&) {
            break;  // in the way of a folder, or too much
          }
      }
    }
    EXPECT_LE(names(), 40);
    EXPECT_LE(used(), 4 * kMiB);
    expect_agreement();
    (void)errno_of_open(at("killed"), O_WRONLY | O_CREAT);
    mount().kill9();
    mount().mount();
    expect_agreement();
  }
}

TEST_F(QuotaTest, counters_that_are_wrong_are_put_right_beside_a_mount) {
  mount();
  put(at("file"), pattern(10'000));
  sync();
  sql().run("insert into tusk.usage_pending select id, 5, 1, 7 from tusk.tenants");
  const Finished found = run({TUSKFS_BINARY, "quota", "check", database_});
  EXPECT_EQ(found.status, 4) << found.err;
  EXPECT_NE(found.out.find("10000 bytes; the counters say 6, 2, 10007"), std::string::npos)
      << found.out;
  const Finished repaired = run(
      {TUSKFS_BINARY, "quota", "check", "--repair", mount().path().string(), "--db", database_});
  EXPECT_EQ(repaired.status, 1) << repaired.err;
  EXPECT_NE(repaired.out.find("repaired"), std::string::npos) << repaired.out;
  put(at("another"), pattern(1'000));
  expect_agreement();
}

}  // namespace
}  // namespace tusk::test
