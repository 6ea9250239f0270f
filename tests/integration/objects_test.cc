// Large files, whose content is in objects beside the database.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "support/fs_fixture.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMiB = 1 << 20;
constexpr std::size_t kLimit = 10 * kMiB;

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (std::size_t at = 0; at + 8 <= size; at += 8) {
    const std::uint64_t word = random();
    std::copy_n(reinterpret_cast<const char*>(&word), 8, bytes.begin() + static_cast<long>(at));
  }
  return bytes;
}

class ObjectsTest : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    if (IsSkipped()) return;
    mount_ = std::make_unique<Mount>();
  }
  void TearDown() override {
    if (mount_) expect_sound(*mount_, tolerated_);
  }
  Path at(const std::string& name) const { return mount_->path() / name; }
  void settle() { ASSERT_EQ(::fsync(open_file(mount_->path(), O_RDONLY).get()), 0); }
  void write_and_settle(const std::string& name, const std::string& bytes) {
    put(at(name), bytes);
    settle();
  }
  std::string ask(const std::string& statement, const std::vector<std::string>& params = {}) {
    return Sql(mount_->dsn()).value(statement, params);
  }
  std::string tier(const std::string& name) {
    return ask(
        "select storage_type || case when data is null then '' else ' inline' end "
        "from tusk.files where deleted_at is null and filename = $1",
        {name});
  }
  fs::path objects_folder() const { return mount_->data_dir() / "objects"; }
  std::vector<fs::path> objects() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::recursive_directory_iterator(objects_folder()))
      if (entry.is_regular_file() && entry.path().filename() != "tuskfs-objects")
        found.push_back(entry.path());
    std::ranges::sort(found);
    return found;
  }
  fs::path object_of(const std::string& name) {
    const std::string url = ask(
        "select external_url from tusk.files where deleted_at is null and filename = $1", {name});
    EXPECT_TRUE(url.starts_with("file:///")) << url;
    return url.substr(7);
  }
  Finished gc() {
    return run({TUSKFS_BINARY, "gc", "--object-grace", "0", mount_->path().string()});
  }

  std::unique_ptr<Mount> mount_;
  std::vector<std::string> tolerated_;
};

TEST_F(ObjectsTest, the_limit_decides) {
  for (const std::size_t size : {kLimit - 1, kLimit, kLimit + 1}) {
    const std::string name = std::to_string(size);
    write_and_settle(name, noise(size, 1));
    EXPECT_EQ(tier(name), size > kLimit ? "external" : "db");
  }
  ASSERT_EQ(objects().size(), 1u);
  const fs::path object = object_of(std::to_string(kLimit + 1));
  EXPECT_EQ(get(object), noise(kLimit + 1, 1)) << "an object is the plain content";
  EXPECT_EQ(fs::status(object).permissions(), fs::perms::owner_read);
  EXPECT_EQ(fs::status(objects_folder()).permissions(), fs::perms::owner_all);
  mount_->remount();
  for (const std::size_t size : {kLimit - 1, kLimit, kLimit + 1})
    EXPECT_EQ(get(at(std::to_string(size))), noise(size, 1));
}

TEST_F(ObjectsTest, the_limits_are_a_policy) {
  const auto set = [this](const std::string& setting) {
    return run({TUSKFS_BINARY, "policy", "set", mount_->path().string(), setting}).status;
  };
  EXPECT_EQ(set("external_above=2M"), 0);
  EXPECT_EQ(set("inline_below=5M"), 0);
  for (const char* wrong : {"external_above=2X", "external_above=", "external_above=-1",
                            "inline_below=9M", "inline_below=ten"})
    EXPECT_EQ(set(wrong), 2) << wrong;
  const auto expect_tiers = [this](const std::string& suffix) {
    write_and_settle("small" + suffix, noise(1'900'000, 1));
    write_and_settle("large" + suffix, noise(2'200'000, 2));
    EXPECT_EQ(tier("small" + suffix), "db inline");
    EXPECT_EQ(tier("large" + suffix), "external") << "a large file is an object first of all";
  };
  expect_tiers("1");
  mount_->remount();
  expect_tiers("2");
  EXPECT_EQ(set("external_above=100M"), 0);
  write_and_settle("large3", noise(5'242'880, 3));
  EXPECT_EQ(tier("large3"), "db inline");
  write_and_settle("large4", noise(5'242'888, 3));
  EXPECT_EQ(tier("large4"), "db");
  EXPECT_EQ(get(at("large1")), noise(2'200'000, 2));
  // Of a folder as well; a file that moves there goes where it says when it is written next.
  fs::create_directory(at("films"));
  run_ok({TUSKFS_BINARY, "policy", "set", at("films").string(), "external_above=1M"});
  write_and_settle("films/small", noise(1'100'000, 4));
  EXPECT_EQ(tier("small"), "external");
  fs::rename(at("small1"), at("films/small1"));
  settle();
  EXPECT_EQ(tier("small1"), "db inline");
  write_and_settle("films/small1", noise(1'900'001, 5));
  EXPECT_EQ(tier("small1"), "external");
  EXPECT_EQ(get(at("films/small1")), noise(1'900'001, 5));
}

TEST_F(ObjectsTest, a_file_changes_its_tier_with_its_size) {
  std::string bytes = noise(9 * kMiB, 2);
  write_and_settle("file", bytes);
  EXPECT_EQ(tier("file"), "db");
  const std::string more = noise(3 * kMiB + 77, 3);
  std::ofstream(at("file"), std::ios::app) << more;
  bytes += more;
  settle();
  EXPECT_EQ(tier("file"), "external");
  mount_->remount();
  EXPECT_EQ(get(at("file")), bytes);

  ASSERT_EQ(::truncate(at("file").c_str(), 5 * kMiB + 3), 0);
  settle();
  EXPECT_EQ(tier("file"), "db");
  EXPECT_EQ(get(at("file")), bytes.substr(0, 5 * kMiB + 3));
  mount_->remount();
  EXPECT_EQ(get(at("file")), bytes.substr(0, 5 * kMiB + 3));

  put(at("file"), "small");
  settle();
  EXPECT_EQ(tier("file"), "db inline");
  write_and_settle("file", bytes);
  EXPECT_EQ(tier("file"), "external");
  mount_->remount();
  EXPECT_EQ(get(at("file")), bytes);
}

TEST_F(ObjectsTest, writes_within_an_object_make_another_one) {
  std::string bytes = noise(12 * kMiB + 5, 4);
  write_and_settle("file", bytes);
  const fs::path first = object_of("file");
  const std::string before = get(first);
  {
    const Fd fd = open_file(at("file"), O_RDWR);
    std::mt19937 random(5);
    for (int i = 0; i < 300; i++) {
      const std::size_t offset = random() % bytes.size();
      const std::string piece = noise(8 * (1 + random() % 4000), static_cast<unsigned>(random()));
      ASSERT_EQ(::pwrite(fd.get(), piece.data(), piece.size(), static_cast<off_t>(offset)),
                static_cast<ssize_t>(piece.size()));
      if (bytes.size() < offset + piece.size()) bytes.resize(offset + piece.size());
      bytes.replace(offset, piece.size(), piece);
      if (i % 100 == 50) {
        ASSERT_EQ(::fsync(fd.get()), 0);
      }
      if (i % 60 == 0) {
        EXPECT_EQ(get(at("file")), bytes);
      }
    }
  }
  settle();
  EXPECT_NE(object_of("file"), first);
  EXPECT_EQ(get(first), before) << "an object never changes";
  EXPECT_EQ(get(object_of("file")), bytes);
  mount_->remount();
  EXPECT_EQ(get(at("file")), bytes);
}

TEST_F(ObjectsTest, holes_are_zeros_in_the_object_too) {
  const std::string bytes = noise(12 * kMiB, 6);
  write_and_settle("file", bytes);
  std::string expected = bytes;
  {
    const Fd fd = open_file(at("file"), O_RDWR);
    ASSERT_EQ(
        ::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3 * kMiB + 100, 2 * kMiB),
        0);
    expected.replace(3 * kMiB + 100, 2 * kMiB, std::string(2 * kMiB, '\0'));
    ASSERT_EQ(::ftruncate(fd.get(), 20 * kMiB + 1), 0);
    expected.resize(20 * kMiB + 1);
  }
  settle();
  EXPECT_EQ(get(object_of("file")), expected);
  mount_->remount();
  EXPECT_EQ(get(at("file")), expected);
}

TEST_F(ObjectsTest, a_copy_shares_the_object_until_it_is_changed) {
  const std::string bytes = noise(11 * kMiB, 7);
  write_and_settle("file", bytes);
  {
    const Fd from = open_file(at("file"), O_RDONLY);
    const Fd to = open_file(at("copy"), O_WRONLY | O_CREAT, 0644);
    ASSERT_EQ(::copy_file_range(from.get(), nullptr, to.get(), nullptr, bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
  }
  settle();
  EXPECT_EQ(object_of("copy"), object_of("file"));
  EXPECT_EQ(get(at("copy")), bytes);
  {
    const Fd fd = open_file(at("copy"), O_WRONLY);
    ASSERT_EQ(::pwrite(fd.get(), "x", 1, 5'000'000), 1);
  }
  settle();
  EXPECT_NE(object_of("copy"), object_of("file"));
  EXPECT_EQ(get(at("file")), bytes);
  run_ok({"rm", at("file").string()});
  settle();
  std::string changed = bytes;
  changed[5'000'000] = 'x';
  mount_->remount();
  EXPECT_EQ(get(at("copy")), changed);
}

TEST_F(ObjectsTest, what_was_overwritten_and_deleted_is_still_there) {
  run_ok({TUSKFS_BINARY, "policy", "set", mount_->path().string(), "version_interval=0"});
  const std::string one = noise(11 * kMiB, 8), two = noise(12 * kMiB, 9);
  write_and_settle("file", one);
  write_and_settle("file", two);
  EXPECT_EQ(objects().size(), 2u);
  EXPECT_EQ(run_ok({TUSKFS_BINARY, "cat", "--version", "1", at("file").string()}), one);
  const Path history = mount_->path() / ".tusk/history/file";
  std::vector<std::string> held;
  for (const auto& version : fs::directory_iterator(history)) held.push_back(get(version.path()));
  std::ranges::sort(held, {}, &std::string::size);
  EXPECT_EQ(held, (std::vector{one, two}));
  run_ok({"rm", at("file").string()});
  settle();
  EXPECT_EQ(gc().status, 0);
  EXPECT_EQ(objects().size(), 2u) << "the trash and the version need them";
  run_ok({TUSKFS_BINARY, "restore", at("file").string()});
  EXPECT_EQ(get(at("file")), two);
}

TEST_F(ObjectsTest, objects_that_nothing_refers_to_go) {
  run_ok({TUSKFS_BINARY, "policy", "set", mount_->path().string(), "versions=0", "trash=0"});
  for (const unsigned seed : {1, 2, 3}) write_and_settle("file", noise(11 * kMiB, seed));
  write_and_settle("gone", noise(11 * kMiB, 4));
  run_ok({"rm", at("gone").string()});
  settle();
  EXPECT_EQ(run({TUSKFS_BINARY, "gc", mount_->path().string()}).status, 0);
  EXPECT_EQ(objects().size(), 4u) << "within the grace time nothing goes";
  EXPECT_EQ(gc().status, 0);
  EXPECT_EQ(objects(), std::vector{object_of("file")});
  EXPECT_EQ(ask("select count(*)::text from tusk.objects"), "1");
  EXPECT_EQ(get(at("file")), noise(11 * kMiB, 3));
}

TEST_F(ObjectsTest, what_a_killed_mount_was_writing_goes) {
  {
    const Fd fd = open_file(at("file"), O_WRONLY | O_CREAT, 0644);
    const std::string bytes = noise(40 * kMiB, 1);
    ASSERT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    for (int i = 0; i < 200 && objects().empty(); i++) ::usleep(20'000);
    EXPECT_EQ(objects().size(), 1u) << "large writes go ahead of their publication";
    mount_->kill9();
  }
  mount_->mount();
  EXPECT_EQ(gc().status, 0);
  EXPECT_TRUE(objects().empty());
  EXPECT_EQ(ask("select count(*)::text from tusk.objects"), "0");
}

TEST_F(ObjectsTest, a_flipped_bit_is_eio_and_named) {
  const std::string bytes = noise(11 * kMiB, 1);
  write_and_settle("file", bytes);
  const fs::path object = object_of("file");
  mount_->unmount();
  fs::permissions(object, fs::perms::owner_all);
  {
    std::fstream file(object, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(7 * kMiB + 12);
    file.put(static_cast<char>(bytes[7 * kMiB + 12] ^ 4));
  }
  mount_->mount();
  tolerated_ = {"is damaged", "cannot be loaded"};
  const Fd fd = open_file(at("file"), O_RDONLY);
  std::string piece(kMiB, '\0');
  EXPECT_EQ(::pread(fd.get(), piece.data(), 100'000, 0), 100'000);
  EXPECT_EQ(piece.substr(0, 100'000), bytes.substr(0, 100'000));
  EXPECT_EQ(::pread(fd.get(), piece.data(), 1000, 7 * kMiB), -1);
  EXPECT_EQ(errno, EIO);
  EXPECT_NE(mount_->log().find(object.filename().string()), std::string::npos);
}

TEST_F(ObjectsTest, one_that_is_cut_short_or_gone_is_eio) {
  write_and_settle("short", noise(11 * kMiB, 1));
  write_and_settle("gone", noise(11 * kMiB, 2));
  const fs::path shortened = object_of("short"), gone = object_of("gone");
  mount_->unmount();
  fs::permissions(shortened, fs::perms::owner_all);
  fs::resize_file(shortened, 6 * kMiB + 1000);
  fs::remove(gone);
  mount_->mount();
  tolerated_ = {"is damaged", "cannot be loaded", "is missing", "No such file"};
  for (const char* name : {"short", "gone"}) {
    const Fd fd = open_file(at(name), O_RDONLY);
    char byte = 0;
    EXPECT_EQ(::pread(fd.get(), &byte, 1, 8 * kMiB), -1) << name;
    EXPECT_EQ(errno, EIO) << name;
  }
  const Fd fd = open_file(at("short"), O_RDONLY);
  char byte = 0;
  EXPECT_EQ(::pread(fd.get(), &byte, 1, 100), 1) << "what is there is read";
}

TEST_F(ObjectsTest, a_disk_that_is_not_there_is_not_taken_for_an_empty_one) {
  const std::string bytes = noise(11 * kMiB, 1);
  write_and_settle("file", bytes);
  mount_->unmount();
  const fs::path elsewhere = mount_->folder() / "elsewhere";
  fs::rename(objects_folder(), elsewhere);
  try {
    mount_->mount();
    ADD_FAILURE() << "mounted without its objects";
  } catch (const std::exception& e) {
    EXPECT_NE(std::string(e.what()).find("does not hold the objects of this tree"),
              std::string::npos)
        << e.what();
  }
  // They may be moved, and are found where they are said to be.
  mount_->mount({"--objects", elsewhere.string()});
  EXPECT_EQ(get(at("file")), bytes);
  EXPECT_TRUE(object_of("file").string().starts_with(elsewhere.string()));
  mount_->unmount();
  mount_->mount();
  EXPECT_EQ(get(at("file")), bytes) << "the place is remembered";
}

TEST_F(ObjectsTest, a_clone_shares_objects_until_they_are_written_to) {
  fs::create_directory(at("a"));
  const std::string bytes = noise(12 * kMiB, 1);
  write_and_settle("a/file", bytes);
  write_and_settle("a/inline", "small");
  write_and_settle("a/chunked", noise(3 * kMiB, 2));
  run_ok({TUSKFS_BINARY, "clone", at("a").string(), at("b").string()});
  run_ok({TUSKFS_BINARY, "clone", at("a/file").string(), at("c").string()});
  EXPECT_EQ(objects().size(), 1u);
  for (const char* name : {"b/file", "c"}) EXPECT_TRUE(get(at(name)) == bytes) << name;
  std::string changed = bytes;
  changed.replace(kMiB, 7, "changed");
  write_at(open_file(at("c"), O_WRONLY).get(), "changed", kMiB);
  settle();
  EXPECT_EQ(objects().size(), 2u);
  run_ok({TUSKFS_BINARY, "policy", "set", mount_->path().string(), "versions=0", "trash=0"});
  run_ok({"rm", "-r", at("a").string()});
  settle();
  EXPECT_EQ(gc().status, 0);
  mount_->remount();
  EXPECT_TRUE(get(at("b/file")) == bytes);
  EXPECT_EQ(get(at("b/inline")), "small");
  EXPECT_TRUE(get(at("b/chunked")) == noise(3 * kMiB, 2));
  EXPECT_TRUE(get(at("c")) == changed);
  fs::remove(at("b/file"));
  settle();
  EXPECT_EQ(gc().status, 0);
  EXPECT_EQ(objects().size(), 1u);
}

TEST_F(ObjectsTest, storage_moves_files_in_use_and_back) {
  fs::create_directory(at("folder"));
  const std::string large = noise(150 * kMiB + 3, 1), small = noise(3 * kMiB, 2);
  put(at("folder") / "large", large);
  put(at("folder") / "small", small);
  put(at("folder") / "tiny", "inline");
  put(at("folder") / "empty", "");
  settle();
  const std::string folder = at("folder").string();
  const std::string version =
      ask("select version::text || encode(checksum, 'hex') from tusk.files "
          "where filename = 'large'");
  const auto moved = [&](const char* where) {
    return run_ok({TUSKFS_BINARY, "storage", "move", folder, where});
  };
  EXPECT_NE(moved("db").find("moved 1 files, "), std::string::npos);
  for (const char* name : {"large", "small"}) EXPECT_EQ(tier(name), "db") << name;
  EXPECT_EQ(tier("tiny"), "db inline");
  EXPECT_EQ(get(at("folder") / "large"), large);
  mount_->remount();
  EXPECT_EQ(get(at("folder") / "large"), large);
  EXPECT_NE(moved("external").find("moved 3 files, "), std::string::npos);
  for (const char* name : {"large", "small", "tiny"}) EXPECT_EQ(tier(name), "external") << name;
  EXPECT_EQ(tier("empty"), "db inline");
  const std::string shown = run_ok({TUSKFS_BINARY, "storage", "show", "--json", folder});
  EXPECT_NE(shown.find("\"files\": 3"), std::string::npos) << shown;
  mount_->remount();
  EXPECT_EQ(get(at("folder") / "large"), large);
  EXPECT_EQ(get(at("folder") / "small"), small);
  EXPECT_EQ(get(at("folder") / "tiny"), "inline");
  EXPECT_EQ(ask("select count(*)::text from tusk.file_versions"), "0") << "moving is no version";
  EXPECT_EQ(ask("select encode(checksum, 'hex') from tusk.files where filename = 'large'"),
            version.substr(version.size() - 32));
  // What is written to afterwards is where its size says.
  put(at("folder") / "tiny", "inline again");
  settle();
  EXPECT_EQ(tier("tiny"), "db inline");
  EXPECT_EQ(run({TUSKFS_BINARY, "storage", "move", folder, "elsewhere"}).status, 2);
  EXPECT_EQ(run({TUSKFS_BINARY, "storage", "move", folder + "/none", "db"}).status, 1);
}

TEST_F(ObjectsTest, fsck_compares_rows_and_objects_both_ways) {
  for (const char* name : {"sound", "gone", "short", "flipped"})
    write_and_settle(name, noise(11 * kMiB, 1));
  const std::vector<std::string> fsck = {TUSKFS_BINARY, "fsck", "--data-dir",
                                         mount_->data_dir().string()};
  const auto with = [&fsck](const std::string& option) {
    auto args = fsck;
    args.push_back(option);
    return args;
  };
  EXPECT_EQ(run(with("--scrub")).status, 0);
  const fs::path gone = object_of("gone"), shortened = object_of("short"),
                 flipped = object_of("flipped");
  fs::remove(gone);
  fs::permissions(shortened, fs::perms::owner_all);
  fs::permissions(flipped, fs::perms::owner_all);
  fs::resize_file(shortened, kMiB);
  {
    std::fstream file(flipped, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(10 * kMiB);
    file.put('x').put('y').put('z');
  }
  const fs::path stray = gone.parent_path() / ("01a2086c-c275-73e2-ae07-d3768a21ee" +
                                               gone.parent_path().filename().string());
  put(stray, "nobody's");
  const Finished found = run(with("--scrub"));
  EXPECT_EQ(found.status, 4);
  const auto line_with = [&found](const std::string& check, const fs::path& object) {
    std::istringstream lines(found.out);
    for (std::string line; std::getline(lines, line);)
      if (line.find(check) != std::string::npos &&
          line.find(object.filename().string()) != std::string::npos)
        return true;
    return false;
  };
  EXPECT_TRUE(line_with("object_missing", gone)) << found.out;
  EXPECT_TRUE(line_with("object_cut_short", shortened)) << found.out;
  EXPECT_TRUE(line_with("scrub_object", flipped)) << found.out;
  EXPECT_TRUE(line_with("object_of_nobody", stray)) << found.out;
  mount_->unmount();
  const Finished repaired = run(with("--repair"));
  EXPECT_EQ(repaired.status, 4) << "what is gone is not made again";
  EXPECT_FALSE(fs::exists(stray));
  mount_->mount();
  run_ok({TUSKFS_BINARY, "policy", "set", mount_->path().string(), "versions=0", "trash=0"});
  for (const char* name : {"gone", "short", "flipped"}) run_ok({"rm", at(name).string()});
  settle();
  EXPECT_EQ(gc().status, 0);
  EXPECT_EQ(run(with("--scrub")).status, 0);
}

TEST_F(ObjectsTest, a_full_disk_loses_nothing_and_works_again) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs a disk of its own";
  mount_->unmount();
  const fs::path disk = mount_->folder() / "disk";
  fs::create_directory(disk);
  ASSERT_EQ(::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=40m,mode=700"), 0);
  struct Unmounted {
    fs::path path;
    ~Unmounted() { ::umount2(path.c_str(), MNT_DETACH); }
  } const unmounted{disk};
  mount_->mount({"--objects", (disk / "objects").string()});
  tolerated_ = {"No space left", "is not committed"};
  const std::string bytes = noise(15 * kMiB, 1);
  write_and_settle("file", bytes);
  const fs::path filler = disk / "filler";
  put(filler, noise(20 * kMiB, 2));
  const std::string more = noise(16 * kMiB, 3);
  {
    const Fd fd = open_file(at("more"), O_WRONLY | O_CREAT, 0644);
    ASSERT_EQ(::write(fd.get(), more.data(), more.size()), static_cast<ssize_t>(more.size()));
    EXPECT_EQ(::fsync(fd.get()), -1);
    EXPECT_EQ(errno, ENOSPC);
    fs::remove(filler);
    EXPECT_EQ(::fsync(fd.get()), 0) << "there is room again";
  }
  EXPECT_EQ(get(at("file")), bytes);
  EXPECT_EQ(get(at("more")), more);
  mount_->unmount();
  mount_->mount();
  EXPECT_EQ(get(at("more")), more);
  mount_->unmount();
  mount_.reset();
}

TEST_F(ObjectsTest, many_writers_at_once_keep_their_bytes) {
  std::vector<std::thread> writers;
  for (unsigned i = 0; i < 4; i++) {
    writers.emplace_back([this, i] {
      for (unsigned round = 0; round < 3; round++)
        put(at("file" + std::to_string(i)), noise((11 + 7 * i) * kMiB + i, 10 * i + round));
    });
  }
  for (std::thread& writer : writers) writer.join();
  mount_->remount();
  for (unsigned i = 0; i < 4; i++) {
    EXPECT_EQ(get(at("file" + std::to_string(i))), noise((11 + 7 * i) * kMiB + i, 10 * i + 2));
    EXPECT_EQ(tier("file" + std::to_string(i)), "external");
  }
}

TEST_F(ObjectsTest, without_a_place_everything_stays_in_the_database) {
  const std::string dsn = mount_->dsn();
  write_and_settle("warm", "up");
  const fs::path place = mount_->folder() / "other";
  MountSetup setup;
  setup.database = dsn;
  // Another tree of the same database, by its conninfo: no folder beside it is assumed.
  Sql(dsn).value(
      "insert into tusk.tenants (name, root_id) values ('other', gen_random_uuid()) "
      "returning name",
      {});
  setup.args = {"--tenant", "other"};
  Mount other(setup);
  put(other.path() / "file", noise(11 * kMiB, 1));
  ASSERT_EQ(::fsync(open_file(other.path(), O_RDONLY).get()), 0);
  EXPECT_EQ(tier("file"), "db");
  other.unmount();
  other.mount({"--tenant", "other", "--objects", place.string()});
  put(other.path() / "file2", noise(11 * kMiB, 2));
  ASSERT_EQ(::fsync(open_file(other.path(), O_RDONLY).get()), 0);
  EXPECT_EQ(tier("file2"), "external");
  EXPECT_EQ(tier("file"), "db");
  EXPECT_EQ(get(other.path() / "file"), noise(11 * kMiB, 1));
}

}  // namespace
}  // namespace tusk::test
