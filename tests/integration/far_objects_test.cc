// Large files on an S3 server, and large files that are encrypted, through a real mount.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "support/fs_fixture.h"
#include "support/fs_sql.h"
#include "support/http_proxy.h"
#include "support/s3_server.h"

namespace tusk::test {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMiB = 1 << 20;

void put_key(const Path& path, const std::string& key) {
  put(path, key);
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
}

class FarObjectsTest : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    if (IsSkipped()) return;
    put_key(keyfile_, pattern(32, 1));
  }
  void TearDown() override {
    if (mount_) expect_sound(*mount_, tolerated_);
  }
  Path at(const std::string& name) const { return mount_->path() / name; }
  void put_and_settle(const std::string& name, const std::string& bytes) {
    put(at(name), bytes);
    ASSERT_EQ(::fsync(open_file(at(name), O_RDONLY).get()), 0);
  }
  std::string url_of(const std::string& name) {
    return Sql(mount_->dsn())
        .value("select external_url from tusk.files where deleted_at is null and filename = $1",
               {name});
  }
  // Without printing megabytes.
  static bool same(const std::string& got, const std::string& wanted) { return got == wanted; }
  void keep_every_version() const {
    run_ok({TUSKFS_BINARY, "policy", "set", mount_->path().string(), "version_interval=0"});
  }
  Finished tuskfs(std::vector<std::string> args) const {
    args.insert(args.begin(), TUSKFS_BINARY);
    return run(args);
  }
  Finished fsck(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"fsck", "--data-dir", mount_->data_dir().string()});
    return tuskfs(std::move(more));
  }
  // The mount is refused with a line that has these words.
  void expect_no_mount(const std::vector<std::string>& args, const std::string& words) {
    try {
      mount_->mount(args);
      ADD_FAILURE() << "mounted, though " << words;
    } catch (const std::exception& refused) {
      EXPECT_NE(std::string(refused.what()).find(words), std::string::npos) << refused.what();
    }
  }

  TempFolder temp_;
  const std::string keyfile_ = temp_.path() / "key";
  std::unique_ptr<Mount> mount_;
  std::vector<std::string> tolerated_;
};

class S3MountTest : public FarObjectsTest {
 protected:
  void SetUp() override {
    FarObjectsTest::SetUp();
    if (IsSkipped()) return;
    ::setenv("AWS_ENDPOINT_URL_S3", proxy_.endpoint().c_str(), 1);
    location_ = shared_s3_server().location() + "/" + temp_.path().filename().string();
    mount_ = std::make_unique<Mount>(MountSetup{.args = mount_args()});
  }
  void TearDown() override {
    FarObjectsTest::TearDown();
    ::setenv("AWS_ENDPOINT_URL_S3", shared_s3_server().endpoint().c_str(), 1);
  }
  std::vector<std::string> mount_args() const {
    return {"--objects",    location_, "--object-cache", (temp_.path() / "cache").string() + ",64M",
            "--db-timeout", "20"};
  }

  HttpProxy proxy_{shared_s3_server().port()};
  std::string location_;
};

TEST_F(S3MountTest, large_files_live_on_the_server) {
  keep_every_version();
  std::string bytes = pattern(30 * kMiB + 77, 1);
  put_and_settle("file", bytes);
  EXPECT_TRUE(url_of("file").starts_with(location_)) << url_of("file");
  EXPECT_TRUE(fs::is_empty(temp_.path() / "cache")) << "the cache has no names";
  mount_->remount();
  EXPECT_TRUE(same(get(at("file")), bytes));

  // A change in the middle is a new object; the old content is a version.
  bytes.replace(11 * kMiB, 5, "piece");
  write_at(open_file(at("file"), O_WRONLY).get(), "piece", 11 * kMiB);
  ASSERT_EQ(::fsync(open_file(at("file"), O_RDONLY).get()), 0);
  mount_->remount();
  EXPECT_TRUE(same(get(at("file")), bytes));
  EXPECT_TRUE(
      same(tuskfs({"cat", at("file").string(), "--version", "1"}).out, pattern(30 * kMiB + 77, 1)));
  EXPECT_EQ(fsck({"--scrub"}).status, 0);

  run_ok({TUSKFS_BINARY, "storage", "move", at("file").string(), "db"});
  EXPECT_TRUE(same(get(at("file")), bytes));
  run_ok({TUSKFS_BINARY, "policy", "set", mount_->path().string(), "versions=0", "trash=0"});
  fs::remove(at("file"));
  ASSERT_EQ(::fsync(open_file(mount_->path(), O_RDONLY).get()), 0);
  run_ok({TUSKFS_BINARY, "gc", "--object-grace", "0", mount_->path().string()});
  EXPECT_EQ(Sql(mount_->dsn()).value("select count(*)::text from tusk.objects"), "0");
}

TEST_F(S3MountTest, a_server_that_stumbles_is_not_noticed) {
  for (const Fault fault : {Fault::drop_request, Fault::half_request, Fault::drop_answer})
    proxy_.plan({.matching = "PUT /tusk", .fault = fault, .times = 2, .after = 1});
  const std::string bytes = pattern(25 * kMiB, 2);
  put_and_settle("file", bytes);
  EXPECT_EQ(proxy_.left(), 0u);
  mount_->remount();
  for (const Fault fault : {Fault::drop_request, Fault::half_head, Fault::half_answer})
    proxy_.plan({.matching = "GET /tusk", .fault = fault, .times = 2, .after = 2});
  EXPECT_TRUE(same(get(at("file")), bytes));
  EXPECT_EQ(proxy_.left(), 0u);
}

TEST_F(S3MountTest, a_server_that_is_away_is_waited_for) {
  put_and_settle("before", pattern(11 * kMiB, 1));
  proxy_.plan({.matching = "PUT /tusk",
               .fault = Fault::answer,
               .times = 30,
               .text = s3_error(503, "ServiceUnavailable")});
  tolerated_ = {"is not committed", "operations waited", "503", "does not answer"};
  put(at("small"), "waits for the large one");
  put_and_settle("file", pattern(11 * kMiB, 2));
  EXPECT_EQ(get(at("small")), "waits for the large one");
  mount_->remount();
  EXPECT_TRUE(same(get(at("file")), pattern(11 * kMiB, 2)));
}

TEST_F(S3MountTest, a_driver_that_dies_while_it_writes_leaves_no_row_without_its_object) {
  put_and_settle("file", pattern(20 * kMiB, 1));
  proxy_.plan({.matching = "uploadId=", .times = 1000, .delay_ms = 2000});
  put(at("file"), pattern(40 * kMiB, 2));
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  mount_->kill9();
  proxy_.forget_plans();
  mount_->mount();
  const std::string now = get(at("file"));
  EXPECT_TRUE(now == pattern(20 * kMiB, 1) || now == pattern(40 * kMiB, 2)) << now.size();
  run_ok({TUSKFS_BINARY, "gc", "--object-grace", "0", mount_->path().string()});
  const Finished checked = fsck({"--scrub"});
  EXPECT_EQ(checked.status, 0) << checked.out;
}

TEST_F(S3MountTest, what_cannot_be_is_said_at_the_mount) {
  put_and_settle("file", pattern(11 * kMiB, 1));
  mount_->unmount();
  // The server of the tests knows no signatures of version 4, but it knows who has an account.
  ::setenv("AWS_ACCESS_KEY_ID", "wrong", 1);
  expect_no_mount(mount_args(), "InvalidAccessKeyId");
  ::setenv("AWS_ACCESS_KEY_ID", kS3Key, 1);
  ::unsetenv("AWS_SECRET_ACCESS_KEY");
  ::setenv("AWS_SHARED_CREDENTIALS_FILE", (temp_.path() / "none").c_str(), 1);
  expect_no_mount(mount_args(), "there are no keys for S3");
  ::unsetenv("AWS_SHARED_CREDENTIALS_FILE");
  ::setenv("AWS_SECRET_ACCESS_KEY", kS3Secret, 1);
  expect_no_mount({"--objects", "s3://nowhere/at/all"}, "there is no bucket nowhere");
  expect_no_mount({"--objects", "s3://tusk/elsewhere"}, "does not hold the objects of this tree");
  mount_->mount();
  EXPECT_TRUE(same(get(at("file")), pattern(11 * kMiB, 1)));
}

TEST_F(S3MountTest, secrets_are_told_to_no_one) {
  const std::string secret = "a-secret-of-the-test";
  mount_->unmount();
  ::setenv("AWS_SECRET_ACCESS_KEY", secret.c_str(), 1);
  ::setenv("AWS_ACCESS_KEY_ID", "wrong", 1);
  expect_no_mount(mount_args(), "InvalidAccessKeyId");
  ::setenv("AWS_ACCESS_KEY_ID", kS3Key, 1);
  auto args = mount_args();
  args.insert(args.end(), {"--log-level", "debug"});
  mount_->mount(args);
  ::setenv("AWS_SECRET_ACCESS_KEY", kS3Secret, 1);
  put_and_settle("file", pattern(11 * kMiB, 1));
  EXPECT_EQ(proxy_.heads().find(secret), std::string::npos);
  EXPECT_EQ(run_ok({TUSKFS_BINARY, "status", "--json", mount_->path().string()}).find(secret),
            std::string::npos);
  EXPECT_EQ(get("/proc/" + std::to_string(mount_->driver()) + "/cmdline").find(secret),
            std::string::npos);
  const std::string dump = run_ok({"pg_dump", "--dbname", mount_->dsn()});
  EXPECT_EQ(dump.find(secret), std::string::npos);
  EXPECT_EQ(mount_->log().find(secret), std::string::npos);
}

TEST_F(S3MountTest, backups_bring_objects_home_and_out_again) {
  const std::string bytes = pattern(20 * kMiB, 1), backups = temp_.path() / "backups";
  put_and_settle("file", bytes);
  run_ok({TUSKFS_BINARY, "backup", "--data-dir", mount_->data_dir().string(), backups});
  run_ok({TUSKFS_BINARY, "backup", "--verify", backups});
  const fs::path data = temp_.path() / "data", other = temp_.path() / "other";
  run_ok({TUSKFS_BINARY, "restore-backup", backups, "--data-dir", data.string()});
  run_ok({TUSKFS_BINARY, "restore-backup", backups, "--data-dir", other.string(), "--objects",
          location_ + "/again"});
  for (const fs::path& each : {data, other}) {
    Mount restored({.data_dir = each});
    EXPECT_TRUE(same(get(restored.path() / "file"), bytes));
    const std::string url = Sql(restored.dsn()).value("select external_url from tusk.files");
    EXPECT_TRUE(url.starts_with(each == data ? "file://" : location_ + "/again/")) << url;
    expect_sound(restored);
  }
}

class EncryptedMountTest : public FarObjectsTest {
 protected:
  void SetUp() override {
    FarObjectsTest::SetUp();
    if (IsSkipped()) return;
    mount_ = std::make_unique<Mount>(MountSetup{.args = with_key()});
  }
  std::vector<std::string> with_key() const { return {"--encrypt-objects", keyfile_}; }
  fs::path object_of(const std::string& name) { return url_of(name).substr(7); }
  static void change(const fs::path& object, std::size_t at, const std::string& bytes) {
    fs::permissions(object, fs::perms::owner_all);
    std::fstream file(object, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at)).write(bytes.data(), std::ssize(bytes));
  }
};

TEST_F(EncryptedMountTest, nothing_of_a_large_file_can_be_read_without_the_key) {
  const std::string bytes(12 * kMiB, 'p');
  put_and_settle("file", bytes);
  const std::string stored = get(object_of("file"));
  EXPECT_GT(stored.size(), bytes.size());
  EXPECT_EQ(stored.find(std::string(16, 'p')), std::string::npos);
  mount_->unmount();
  expect_no_mount({}, "a keyfile is needed");
  put_key(temp_.path() / "wrong", pattern(32, 2));
  expect_no_mount({"--encrypt-objects", (temp_.path() / "wrong").string()}, "another key");
  put(temp_.path() / "open", pattern(32, 1));
  fs::permissions(temp_.path() / "open", fs::perms(0644));
  expect_no_mount({"--encrypt-objects", (temp_.path() / "open").string()}, "others");
  mount_->mount();
  EXPECT_TRUE(same(get(at("file")), bytes));
  keep_every_version();
  write_at(open_file(at("file"), O_WRONLY).get(), "changed", 7 * kMiB + 3);
  ASSERT_EQ(::fsync(open_file(at("file"), O_RDONLY).get()), 0);
  mount_->remount();
  EXPECT_EQ(get(at("file")).substr(7 * kMiB, 12), "pppchangedpp");
  EXPECT_EQ(tuskfs({"cat", "--encrypt-objects", keyfile_, "-n", "1", at("file").string()}).out,
            bytes);
  const Finished locked = tuskfs({"cat", "-n", "1", at("file").string()});
  EXPECT_EQ(locked.status, 1);
  EXPECT_NE(locked.err.find("a keyfile is needed"), std::string::npos) << locked.err;
}

TEST_F(EncryptedMountTest, what_was_tampered_with_is_an_error_and_never_other_bytes) {
  for (const char* name : {"sound", "flipped", "one", "other"})
    put_and_settle(name, pattern(11 * kMiB, name[0]));
  const fs::path one = object_of("one"), other = object_of("other");
  change(object_of("flipped"), 5 * kMiB, "xyz");
  fs::rename(one, one.string() + ".kept");
  fs::rename(other, one);
  fs::rename(one.string() + ".kept", other);
  mount_->remount();
  tolerated_ = {"is damaged", "object"};
  for (const char* name : {"flipped", "one", "other"}) {
    std::string got(11 * kMiB, '\0');
    const Fd fd = open_file(at(name), O_RDONLY);
    ssize_t n = 0;
    std::size_t done = 0;
    while (done < got.size() && (n = ::read(fd.get(), got.data() + done, 128 << 10)) > 0)
      done += static_cast<std::size_t>(n);
    EXPECT_EQ(n, -1) << name;
    EXPECT_EQ(errno, EIO) << name;
    EXPECT_TRUE(pattern(11 * kMiB, name[0]).starts_with(got.substr(0, done))) << name;
  }
  EXPECT_TRUE(same(get(at("sound")), pattern(11 * kMiB, 's')));
  EXPECT_EQ(fsck().status, 0) << "sizes and names are as they should be";
  const Finished scrubbed = fsck({"--scrub", "--encrypt-objects", keyfile_});
  EXPECT_EQ(scrubbed.status, 4);
  EXPECT_EQ(std::ranges::count(scrubbed.out, '\n'), 4) << scrubbed.out;
  EXPECT_EQ(fsck({"--scrub"}).status, 8) << "no key";
}

TEST_F(EncryptedMountTest, a_backup_is_encrypted_too) {
  const std::string bytes(12 * kMiB, 'p'), backups = temp_.path() / "backups";
  put_and_settle("file", bytes);
  run_ok({TUSKFS_BINARY, "backup", "--data-dir", mount_->data_dir().string(), backups});
  for (const auto& entry : fs::recursive_directory_iterator(backups)) {
    if (!entry.is_regular_file() || entry.file_size() < kMiB) continue;
    EXPECT_EQ(get(entry.path()).find(std::string(16, 'p')), std::string::npos) << entry.path();
  }
  EXPECT_EQ(tuskfs({"backup", "--verify", backups}).status, 1);
  run_ok({TUSKFS_BINARY, "backup", "--verify", "--encrypt-objects", keyfile_, backups});
  const fs::path data = temp_.path() / "data";
  run_ok({TUSKFS_BINARY, "restore-backup", backups, "--data-dir", data.string()});
  Mount restored({.args = with_key(), .data_dir = data});
  EXPECT_TRUE(same(get(restored.path() / "file"), bytes));
  expect_sound(restored);
}

}  // namespace
}  // namespace tusk::test
