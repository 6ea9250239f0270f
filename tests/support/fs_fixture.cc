#include "support/fs_fixture.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <sstream>

#include "support/fs_sql.h"

namespace tusk::test {

std::string plain_folder() {
  const char* folder = std::getenv("TUSKFS_TEST_PLAIN");
  return folder == nullptr ? "" : folder;
}

std::vector<std::string> undeclared_complaints(const std::string& log, std::size_t offset,
                                               const std::vector<std::string>& declared) {
  std::vector<std::string> complaints;
  std::istringstream lines(log.size() > offset ? log.substr(offset) : "");
  for (std::string line; std::getline(lines, line);) {
    const bool complains = line.find("Z warning ") != std::string::npos ||
                           line.find("Z error ") != std::string::npos ||
                           line.find("Z critical ") != std::string::npos;
    bool known = !complains;
    for (const std::string& text : declared) known |= line.find(text) != std::string::npos;
    if (!known) complaints.push_back(line);
  }
  return complaints;
}

void expect_sound(Mount& mount, const std::vector<std::string>& declared) {
  if (is_mounted(mount.path())) {
    const Finished finished = mount.unmount();
    EXPECT_EQ(finished.status, 0) << "the driver's end: " << finished.err;
  }
  for (const std::string& finding : broken_invariants(mount.dsn())) ADD_FAILURE() << finding;
  for (const std::string& line : undeclared_complaints(mount.log(), 0, declared))
    ADD_FAILURE() << "undeclared: " << line;
}

MountSetup open_to_all() {
  MountSetup setup;
  setup.args = {"-o", "allow_other,suid,dev"};
  return setup;
}

Watchdog::Watchdog(pid_t driver, std::chrono::seconds limit)
    : thread_([driver, limit](const std::stop_token& stop) {
        std::mutex mutex;
        std::condition_variable_any ended;
        std::unique_lock lock(mutex);
        ended.wait_for(lock, stop, limit, [] { return false; });
        if (!stop.stop_requested()) ::kill(driver, SIGKILL);
      }) {}

namespace {

// The mount that the tests of a suite share, and how far its log has been judged.
struct Shared {
  std::unique_ptr<Mount> mount;
  std::size_t judged = 0;
};

Shared& shared() {
  static Shared instance;
  return instance;
}

bool answers(const Mount& mount) {
  struct stat ignored {};
  return is_mounted(mount.path()) && ::stat(mount.path().c_str(), &ignored) == 0;
}

void judge_log(const std::vector<std::string>& declared) {
  const std::string log = shared().mount->log();
  for (const std::string& line : undeclared_complaints(log, shared().judged, declared))
    ADD_FAILURE() << "undeclared: " << line;
  shared().judged = log.size();
}

}  // namespace

Mount& FsTest::shared_mount() {
  std::unique_ptr<Mount>& mount = shared().mount;
  if (!mount) mount = std::make_unique<Mount>(open_to_all());
  if (is_mounted(mount->path()) && !answers(*mount)) mount->kill9();
  if (!is_mounted(mount->path())) mount->mount();
  return *mount;
}

Mount& FsTest::mount_as_it_is() { return *shared().mount; }

void FsTest::SetUp() {
  ::umask(022);
  if (!plain_folder().empty()) {
    ::setenv("TMPDIR", plain_folder().c_str(), 1);
    plain_ = std::make_unique<TempFolder>();
    dir_ = plain_->path();
    return;
  }
  Mount& mount = shared_mount();
  shared().judged = mount.log().size();
  watchdog_ = std::make_unique<Watchdog>(mount.driver(), std::chrono::minutes(4));
  const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
  dir_ = mount.path() / (std::string(info->test_suite_name()) + "-" + info->name());
  make_folder(dir_);
}

void FsTest::TearDown() {
  if (dir_.empty() || plain_) return;
  std::error_code failed;
  std::filesystem::remove_all(dir_, failed);
  EXPECT_FALSE(failed) << "clearing away: " << failed.message();
  EXPECT_TRUE(answers(*shared().mount)) << "the driver died or hung";
  judge_log(declared_);
}

void FsTest::TearDownTestSuite() {
  std::unique_ptr<Mount>& mount = shared().mount;
  if (!mount || !answers(*mount)) return;
  const Finished finished = mount->unmount();
  EXPECT_EQ(finished.status, 0) << "the driver's end: " << finished.err;
  for (const std::string& finding : broken_invariants(mount->dsn())) ADD_FAILURE() << finding;
  judge_log({});
}

void MountTest::SetUp() {
  if (!plain_folder().empty()) GTEST_SKIP() << "needs a TuskFS mount";
  FsTest::SetUp();
}

std::string MountTest::tree_path(const std::string& name) const {
  const std::string folder = "/" + dir().filename().string();
  return name.empty() ? folder : folder + "/" + name;
}

void OwnMountTest::SetUp() {
  ::umask(022);
  if (!plain_folder().empty()) GTEST_SKIP() << "needs a TuskFS mount";
}

void let_everybody_mount() {
  // Distributions leave it open to all (0666); bare containers do not.
  if (::geteuid() == 0 && ::chmod("/dev/fuse", 0666) != 0) throw_errno("chmod /dev/fuse");
}

}  // namespace tusk::test
