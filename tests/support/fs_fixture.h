// The fixtures of tests through a real mount.
//
// 1. The tests of a suite share one mount, each in a folder of its own; every suite ends unmounted,
//    with the invariants of sql/checks holding and nothing but expected lines in the driver's log.
// 2. With $TUSKFS_TEST_PLAIN set to a folder, FsTest runs there instead: what a test demands of a
//    mount must hold on the machine's own filesystem too, or the test is wrong.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/fs_calls.h"
#include "support/mount.h"

namespace tusk::test {

// Empty unless tests run on a plain folder.
std::string plain_folder();

// Warnings and errors in a log from `offset` on that no declared text occurs in.
std::vector<std::string> undeclared_complaints(const std::string& log, std::size_t offset,
                                               const std::vector<std::string>& declared);

// Unmounts, then fails the test when that fails, an invariant does not hold or the log complains.
void expect_sound(Mount& mount, const std::vector<std::string>& declared = {});

// What a mount gets so that other users may come in, and set-id bits and devices work.
MountSetup open_to_all();

// Kills a driver that has not let its test come to an end in time, so that the test fails instead
// of hanging, and the next one finds a new driver.
class Watchdog {
 public:
  Watchdog(pid_t driver, std::chrono::seconds limit);

 private:
  std::jthread thread_;
};

class FsTest : public ::testing::Test {
 protected:
  static void TearDownTestSuite();
  void SetUp() override;
  void TearDown() override;

  // The test's own folder, empty at its start.
  const Path& dir() const { return dir_; }
  Path at(const std::string& name) const { return dir_ / name; }
  // A line of the driver's log that holds this text is no complaint.
  void declare(const std::string& text) { declared_.push_back(text); }

  // The suite's mount, brought up if it is not.
  static Mount& shared_mount();
  // The same as it is: a test may have unmounted it.
  static Mount& mount_as_it_is();

 private:
  Path dir_;
  std::unique_ptr<TempFolder> plain_;
  std::vector<std::string> declared_;
  std::unique_ptr<Watchdog> watchdog_;
};

// For what only a TuskFS mount has; skipped on a plain folder.
class MountTest : public FsTest {
 protected:
  void SetUp() override;
  Mount& mount() { return mount_as_it_is(); }
  // Path of the test's folder within the tree, as tusk.resolve takes it.
  std::string tree_path(const std::string& name = {}) const;
};

// For tests that do to a mount what the next test would feel: they make their own Mounts.
class OwnMountTest : public ::testing::Test {
 protected:
  void SetUp() override;
};

// Ordinary users mount through fusermount3, which opens /dev/fuse as them.
void let_everybody_mount();

}  // namespace tusk::test
