// The driver dies at each step of writing, publishing and removing an object. Whatever it was, a
// file holds what it held before or after, no row lacks its object, and no object is forgotten.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "support/fs_fixture.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMiB = 1 << 20;

struct Step {
  const char* name;
  const char* call;  // of the driver; it dies as it enters this
  int when;          // the how manieth
};

// In the order of the protocol. Only objects are written, sized and synced by these calls.
constexpr Step kWriting[] = {
    {"before the first chunk", "pwrite64", 1},
    {"among the chunks", "pwrite64", 40},
    {"before the base is copied", "copy_file_range", 1},
    {"while it is written back", "sync_file_range", 1},
    {"before it gets its size", "ftruncate", 1},
    {"before it is on the disk", "fsync", 1},
    {"before it is protected", "fchmod", 1},
    {"before its name is on the disk", "fsync", 2},
    {"before its folder's name is", "fsync", 3},
    {"at the next object", "ftruncate", 2},
    {"when the next one is on the disk", "fsync", 6},
};
constexpr Step kRemoving[] = {
    {"before the first object goes", "unlink", 1},
    {"before the second", "unlink", 2},
    {"before the last", "unlink", 4},
};

class ObjectStepsTest : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    if (IsSkipped()) return;
    if (run({"strace", "-qq", "-o", "/dev/null", "true"}).status != 0)
      GTEST_SKIP() << "processes cannot be traced here";
    mount_ = std::make_unique<Mount>();
    run_ok({TUSKFS_BINARY, "policy", "set", mount_->path().string(), "versions=0", "trash=0"});
  }
  void TearDown() override {
    if (mount_) expect_sound(*mount_, tolerated_);
  }
  Path at(const std::string& name) const { return mount_->path() / name; }

  // The driver dies when it comes to the step; what the tracer is while it lives.
  std::unique_ptr<Child> die_at(const Step& step) {
    const std::string inject =
        std::string("inject=") + step.call + ":signal=SIGKILL:when=" + std::to_string(step.when);
    auto tracer = std::make_unique<Child>(std::vector<std::string>{
        "strace", "-f", "-o", "/dev/null", "-p", std::to_string(mount_->driver()), "-e",
        std::string("trace=") + step.call, "-e", inject});
    for (int i = 0; i < 500 && tracer->err_so_far().find("attached") == std::string::npos; i++)
      ::usleep(10'000);
    return tracer;
  }
  // The work ends with the driver, at the latest when it is taken away.
  void await_death(Child& tracer, const Step& step) {
    const Finished ended = tracer.wait(std::chrono::seconds(20));
    EXPECT_FALSE(ended.timed_out) << step.name << ": the driver never came to it";
    const std::string status = get("/proc/" + std::to_string(mount_->driver()) + "/status");
    EXPECT_NE(status.find("State:\tZ"), std::string::npos) << step.name << ": it lives";
    mount_->kill9();
    mount_->mount();
  }
  // Writes as far as there is a filesystem to write to.
  static void write_all(const Path& path, const std::string& bytes, off_t offset = 0) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return;
    const Fd owner(fd);
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t n = ::pwrite(fd, bytes.data() + done, std::min(kMiB, bytes.size() - done),
                                 offset + static_cast<off_t>(done));
      if (n <= 0) return;
      done += static_cast<std::size_t>(n);
    }
    (void)::fsync(fd);
  }
  void expect_whole(const Step& step) {
    const Finished found =
        run({TUSKFS_BINARY, "fsck", "--scrub", "--data-dir", mount_->data_dir().string()});
    EXPECT_EQ(found.status, 0) << step.name << ": " << found.out << found.err;
    run_ok({TUSKFS_BINARY, "gc", "--object-grace", "0", mount_->path().string()});
    Sql sql(mount_->dsn());
    const std::string referred = sql.value(
        "select count(distinct external_url)::text from tusk.files where external_url is not null");
    EXPECT_EQ(sql.value("select count(*)::text from tusk.objects"), referred) << step.name;
    EXPECT_EQ(std::to_string(objects()), referred) << step.name << ": objects are forgotten";
  }
  std::size_t objects() const {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(mount_->data_dir() / "objects"))
      count += entry.is_regular_file() && entry.path().filename() != "tuskfs-objects";
    return count;
  }

  std::unique_ptr<Mount> mount_;
  std::vector<std::string> tolerated_;
};

TEST_F(ObjectStepsTest, of_writing_leave_one_content_and_nothing_else) {
  const std::string old = pattern(12 * kMiB + 17), more = pattern(30 * kMiB + 1);
  std::string edited = old;
  edited.replace(5 * kMiB, kMiB, std::string(kMiB, 'e'));
  for (const Step& step : kWriting) {
    put(at("file"), old);
    ASSERT_EQ(::fsync(open_file(at("file"), O_RDONLY).get()), 0);
    const auto tracer = die_at(step);
    write_all(at("file"), std::string(kMiB, 'e'), 5 * kMiB);
    write_all(at("new"), more);
    await_death(*tracer, step);
    const std::string now = get(at("file"));
    EXPECT_TRUE(now == old || now == edited) << step.name;
    if (present(at("new"))) {
      const std::string got = get(at("new"));
      EXPECT_TRUE(more.starts_with(got)) << step.name << ": " << got.size() << " bytes";
      fs::remove(at("new"));
    }
    fs::remove(at("file"));
    ASSERT_EQ(::fsync(open_file(mount_->path(), O_RDONLY).get()), 0);
    expect_whole(step);
  }
}

// A disk that failed once is not asked again until it says yes.
TEST_F(ObjectStepsTest, of_a_failing_disk_is_no_success) {
  mount_->unmount();
  mount_->mount({"--db-timeout", "3"});
  put(at("old"), "committed");
  ASSERT_EQ(::fsync(open_file(at("old"), O_RDONLY).get()), 0);
  Child tracer({"strace", "-f", "-o", "/dev/null", "-p", std::to_string(mount_->driver()), "-e",
                "trace=fsync", "-e", "inject=fsync:error=EIO:when=1"});
  for (int i = 0; i < 500 && tracer.err_so_far().find("attached") == std::string::npos; i++)
    ::usleep(10'000);
  {
    const Fd fd = open_file(at("file"), O_WRONLY | O_CREAT, 0644);
    const std::string bytes = pattern(12 * kMiB);
    ASSERT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    EXPECT_EQ(::fsync(fd.get()), -1);
    EXPECT_EQ(errno, EIO);
    EXPECT_EQ(::fsync(fd.get()), -1) << "a second time the kernel knows of no error";
  }
  put(at("other"), "not held up");
  EXPECT_EQ(::fsync(open_file(at("other"), O_RDONLY).get()), 0);
  EXPECT_NE(mount_->log().find("cannot be made durable"), std::string::npos);
  mount_->kill9();
  mount_->mount();
  EXPECT_EQ(get(at("old")), "committed");
  EXPECT_EQ(get(at("other")), "not held up");
  EXPECT_TRUE(!present(at("file")) || get(at("file")).empty());
  expect_whole({"a failing disk", "", 0});
  tolerated_ = {"is not committed", "cannot be", "operations waited"};
}

TEST_F(ObjectStepsTest, of_removing_forget_no_object) {
  for (const Step& step : kRemoving) {
    for (const char* name : {"a", "b", "c", "d"}) put(at(name), pattern(11 * kMiB));
    ASSERT_EQ(::fsync(open_file(mount_->path(), O_RDONLY).get()), 0);
    for (const char* name : {"a", "b", "c", "d"}) fs::remove(at(name));
    ASSERT_EQ(::fsync(open_file(mount_->path(), O_RDONLY).get()), 0);
    // The collector of the command line goes the same way as the mount's own.
    const Finished died =
        run({"strace", "-f", "-qq", "-o", "/dev/null", "-e", std::string("trace=") + step.call,
             "-e", std::string("inject=unlink:signal=SIGKILL:when=") + std::to_string(step.when),
             TUSKFS_BINARY, "gc", "--object-grace", "0", mount_->path().string()});
    EXPECT_NE(died.status, 0) << step.name;
    EXPECT_GT(objects(), 0u) << step.name;
    expect_whole(step);
    EXPECT_EQ(objects(), 0u);
  }
}

}  // namespace
}  // namespace tusk::test
