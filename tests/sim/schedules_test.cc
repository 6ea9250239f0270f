// The core under tens of thousands of seeded schedules: loads and commits answer when they like, fail,
// or commit and say that they do not know; the driver and the server die. After each crash the store
// must hold exactly one of the states the tree has been in, no older than what was synced (P1–P3).
//
// TUSKFS_SEED=n replays one schedule; TUSKFS_SCHEDULES=n runs so many.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#include <cstdlib>
#include <deque>
#include <random>

#include "support/mem_store.h"
#include "support/sim_executor.h"
#include "support/sim_model.h"
#include "tuskfs/base/log.h"
#include "tuskfs/core/filesystem.h"

namespace tusk::testing {
namespace {

constexpr int kSteps = 120;
constexpr int kPatience = 20'000;  // turns an operation may take before it counts as stuck

struct Open {
  int node = 0;
  Ino ino{};
  Handle handle{};
};

struct Past {
  std::string published;
  Model model;
};

class World {
 public:
  explicit World(std::uint64_t seed) : seed_(seed), random_(seed), executor_(seed), store_(executor_) {
    options_.inline_limit = 3000;
    options_.edit_in_place_limit = 1000;
    options_.stage_limit = 64 << 10;
    options_.publish_interval = std::chrono::hours(1000);
    options_.db_timeout = std::chrono::hours(1000);
    // Room for what one operation needs at once, and little more.
    options_.cache_limit = pick(2) ? 1 << 20 : 200'000;
    options_.dirty_nodes_limit = pick(4) ? 1000 : 6;
    options_.nodes_limit = pick(3) ? 1000 : 4;
    mount();
  }

  void run() {
    for (int i = 0; i < kSteps && !::testing::Test::HasFatalFailure(); i++) step();
    if (!::testing::Test::HasFatalFailure()) crash();
  }

 private:
  int pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  std::string name() { return std::string(1, static_cast<char>('a' + pick(5))); }
  template <class T>
  const T& any(const std::vector<T>& of) {
    return of[static_cast<std::size_t>(pick(static_cast<int>(of.size())))];
  }

  void mount() {
    const store::Attached attached = store_.attach();
    ASSERT_EQ(store_.check(), "") << "seed " << seed_;
    fs_ = core::make_filesystem(executor_, store_, attached, options_);
    inos_ = {{0, kRootIno}};
    past_.clear();
    past_.push_back({model_.published(), model_});
    forgotten_ = 0;
    changed_.clear();
  }

  // One thing that is not an operation happens.
  void turn() {
    switch (pick(4)) {
      case 0:
        if (executor_.run_one()) return;
        break;
      case 1:
        if (store_.pending_loads() > 0) {
          return store_.step_load(static_cast<std::size_t>(pick(static_cast<int>(store_.pending_loads()))),
                                  pick(10) != 0);
        }
        break;
      case 2:
        if (store_.pending_commit()) return store_.step_commit(verdict());
        break;
      default: break;
    }
    if (!executor_.run_one()) executor_.advance(std::chrono::milliseconds(20));
  }

  Verdict verdict() {
    switch (pick(12)) {
      case 0: return Verdict::commit_but_unknown;
      case 1: return Verdict::lose_and_unknown;
      case 2: return Verdict::retry;
      case 3: return Verdict::disk_full;
      default: return Verdict::commit;
    }
  }

  template <class T>
  vfs::Reply<T> into(std::optional<vfs::Outcome<T>>& slot) {
    return [&slot](vfs::Outcome<T> outcome) { slot = std::move(outcome); };
  }
  // Turns until the operation has answered.
  template <class T>
  void settle(std::optional<vfs::Outcome<T>>& slot) {
    for (int i = 0; !slot; i++) {
      ASSERT_LT(i, kPatience) << "an operation is stuck, seed " << seed_;
      turn();
    }
  }

  // The number of a node that has a name, by looking it up as the kernel does.
  Ino ino(int node) {
    if (const auto it = inos_.find(node); it != inos_.end()) return it->second;
    for (const auto& [id, parent] : model_.nodes()) {
      for (const auto& [entry, child] : parent.entries) {
        if (child == node) return inos_[node] = lookup(ino(id), entry);
      }
    }
    ADD_FAILURE() << "no name for node " << node << ", seed " << seed_;
    return {};
  }

  Ino lookup(Ino parent, const std::string& entry) {
    std::optional<vfs::Outcome<vfs::Entry>> out;
    fs_->lookup({}, parent, entry, into(out));
    settle(out);
    if (!out || !*out) return {};
    return (*out)->attr.ino;
  }

  // TUSKFS_TRACE=1 tells a schedule's operations as they end.
  template <class T>
  void trace(const std::string& what, const vfs::Outcome<T>& outcome) {
    static const bool kTrace = std::getenv("TUSKFS_TRACE");
    if (!kTrace) return;
    std::fprintf(stderr, "%s: %d (state %zu)\n", what.c_str(), outcome ? 0 : outcome.error().value,
                 forgotten_ + past_.size() - 1);
  }

  template <class T>
  void expect(const std::optional<vfs::Outcome<T>>& out, int code, const std::string& what) {
    if (out) trace(what, *out);
    ASSERT_TRUE(out) << what << ", seed " << seed_;
    ASSERT_EQ(*out ? 0 : out->error().value, code) << what << ", seed " << seed_;
  }

  // The tree may have changed, and `nodes` with it.
  void remember(const std::vector<int>& nodes) {
    std::string now = model_.published();
    if (now == past_.back().published) return;
    past_.push_back({std::move(now), model_});
    for (const int node : nodes) changed_[node] = forgotten_ + past_.size() - 1;
  }
  void remember(int node = 0) { remember(std::vector<int>{node}); }
  // Nothing before the state of this number may come back.
  void forget_before(std::size_t number) {
    for (; forgotten_ < number; forgotten_++) past_.pop_front();
  }

  void step() {
    for (int i = pick(4); i > 0; i--) turn();
    switch (pick(17)) {
      case 0:
      case 1:
      case 2: return do_create();
      case 3:
      case 4:
      case 5: return do_write();
      case 6: return do_close();
      case 7: return do_fsync();
      case 8: return do_mkdir();
      case 9: return do_unlink();
      case 10: return do_rename();
      case 11: return do_link();
      case 12: return do_truncate();
      case 13: return do_read();
      case 14: return do_chmod();
      case 15: return do_zero();
      default: return pick(8) == 0 ? crash() : pick(2) ? do_rmdir() : do_copy();
    }
  }

  void do_create() {
    const int folder = any(model_.folders());
    const std::string entry = name();
    std::optional<vfs::Outcome<vfs::Created>> out;
    fs_->create({}, ino(folder), entry, 0644, O_RDWR, into(out));
    settle(out);
    const int code = model_.create(folder, entry, 0644);
    expect(out, code, "create " + entry);
    if (code == 0 && out && *out) {
      const int node = model_.find(folder, entry);
      inos_[node] = (*out)->entry.attr.ino;
      open_.push_back({node, inos_[node], (*out)->handle});
      remember(node);
    }
  }

  std::string text() {
    const std::size_t sizes[] = {1, 50, 900, 2500, 4000, 70'000, 140'000};
    std::string out(sizes[pick(pick(4) ? 5 : 7)], static_cast<char>('A' + pick(26)));
    const std::string stamp = std::to_string(++stamp_);
    out.replace(0, std::min(stamp.size(), out.size()), stamp.substr(0, out.size()));
    return out;
  }

  void do_write() {
    if (open_.empty()) return;
    const Open file = any(open_);
    const std::string data = text();
    const std::size_t size = model_.at(file.node).current->size();
    const std::size_t places[] = {size, size, 0, size / 2, size + 10, 65'536, 65'530};
    const std::size_t offset = size < 200'000 ? places[pick(7)] : size / 3;
    std::optional<vfs::Outcome<std::size_t>> out;
    const ByteSpan bytes(reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
    fs_->write({}, file.ino, file.handle, offset, bytes, into(out));
    settle(out);
    expect(out, 0, "write " + std::to_string(data.size()) + " at " + std::to_string(offset) + " of " + std::to_string(size) + " node " + std::to_string(file.node));
    model_.write(file.node, offset, data);
  }

  void close(std::size_t i) {
    const Open file = open_[i];
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(i));
    fs_->release(file.ino, file.handle);
    model_.publish(file.node);
    remember(file.node);
    trace<void>("close node " + std::to_string(file.node), {});
  }
  void do_close() {
    if (!open_.empty()) close(static_cast<std::size_t>(pick(static_cast<int>(open_.size()))));
  }

  void do_fsync() {
    if (open_.empty()) return;
    const Open file = any(open_);
    std::optional<vfs::Outcome<void>> out;
    // fsync of a file keeps its last change and all before it; of a folder, everything.
    const bool everything = pick(3) == 0;
    // One state for all that is published at one moment, each file changed by it.
    std::vector<int> published;
    for (const Open& open : open_) {
      const ModelNode& node = model_.at(open.node);
      if ((everything || open.node == file.node) && *node.published != *node.current) published.push_back(open.node);
    }
    for (const int node : published) model_.publish(node);
    remember(published);
    const std::size_t synced = everything ? forgotten_ + past_.size() - 1 : changed_[file.node];
    if (everything) {
      fs_->fsyncdir({}, kRootIno, into(out));
    } else {
      fs_->fsync({}, file.ino, file.handle, into(out));
    }
    settle(out);
    ASSERT_TRUE(out);
    trace((everything ? "fsync all" : "fsync node " + std::to_string(file.node)) + " up to " + std::to_string(synced), *out);
    if (!*out) {
      ASSERT_EQ(out->error().value, ENOSPC) << "seed " << seed_;
      return;
    }
    forget_before(synced);
  }

  void do_mkdir() {
    const auto folders = model_.folders();
    if (folders.size() > 6) return;
    const int folder = any(folders);
    const std::string entry = name();
    std::optional<vfs::Outcome<vfs::Entry>> out;
    fs_->mkdir({}, ino(folder), entry, 0755, into(out));
    settle(out);
    expect(out, model_.mkdir(folder, entry, 0755), "mkdir");
    remember();
  }

  void do_unlink() {
    const int folder = any(model_.folders());
    const std::string entry = name();
    std::optional<vfs::Outcome<void>> out;
    fs_->unlink({}, ino(folder), entry, into(out));
    settle(out);
    const int node = model_.find(folder, entry);
    expect(out, model_.unlink(folder, entry), "unlink");
    remember(node);
  }

  void do_rmdir() {
    const int folder = any(model_.folders());
    const std::string entry = name();
    const int node = model_.find(folder, entry);
    std::optional<vfs::Outcome<void>> out;
    fs_->rmdir({}, ino(folder), entry, into(out));
    settle(out);
    const int code = model_.rmdir(folder, entry);
    expect(out, code, "rmdir");
    if (code == 0) inos_.erase(node);
    remember();
  }

  void do_rename() {
    const int folder = any(model_.folders()), to = any(model_.folders());
    const std::string entry = name(), new_entry = name();
    const bool exchange = pick(4) == 0;
    std::optional<vfs::Outcome<void>> out;
    const Ino from_ino = ino(folder), to_ino = ino(to);
    fs_->rename({}, from_ino, entry, to_ino, new_entry, exchange ? 2u : 0u, into(out));
    settle(out);
    const int node = model_.find(folder, entry);
    expect(out, model_.rename(folder, entry, to, new_entry, exchange), "rename");
    remember(node);
  }

  std::optional<int> some_file() {
    std::vector<int> files;
    for (const auto& [id, node] : model_.nodes()) {
      if (!node.folder && node.names > 0) files.push_back(id);
    }
    if (files.empty()) return std::nullopt;
    return any(files);
  }

  void do_link() {
    const auto node = some_file();
    if (!node) return;
    const int folder = any(model_.folders());
    const std::string entry = name();
    std::optional<vfs::Outcome<vfs::Entry>> out;
    const Ino file_ino = ino(*node), folder_ino = ino(folder);
    fs_->link({}, file_ino, folder_ino, entry, into(out));
    settle(out);
    expect(out, model_.link(*node, folder, entry), "link");
    remember(*node);
  }

  void do_truncate() {
    if (open_.empty()) return;
    const Open file = any(open_);
    const std::size_t sizes[] = {0, 10, 1500, 65'536, 66'000, 200'000};
    const std::size_t size = sizes[pick(6)];
    std::optional<vfs::Outcome<vfs::Attr>> out;
    vfs::AttrChange change;
    change.size = size;
    fs_->setattr({}, file.ino, change, into(out));
    settle(out);
    expect(out, 0, "truncate node " + std::to_string(file.node) + " to " + std::to_string(size));
    model_.truncate(file.node, size);
  }

  void do_zero() {
    if (open_.empty()) return;
    const Open file = any(open_);
    const std::size_t size = model_.at(file.node).current->size();
    const std::size_t places[] = {0, 100, 65'530, 65'536};
    const std::size_t lengths[] = {10, 3000, 65'536, 140'000};
    const std::size_t offset = places[pick(4)], length = lengths[pick(4)];
    const int mode = pick(2) ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : FALLOC_FL_ZERO_RANGE;
    std::optional<vfs::Outcome<void>> out;
    fs_->fallocate({}, file.ino, file.handle, mode, offset, length, into(out));
    settle(out);
    expect(out, 0, "zero " + std::to_string(length) + " at " + std::to_string(offset));
    const bool grows = mode == FALLOC_FL_ZERO_RANGE && offset + length > size;
    if (offset < size) model_.write(file.node, offset, std::string(std::min(length, size - offset), '\0'));
    if (grows) model_.truncate(file.node, offset + length);
  }

  void do_chmod() {
    const auto node = some_file();
    if (!node) return;
    const unsigned mode = pick(2) ? 0600 : 0640;
    std::optional<vfs::Outcome<vfs::Attr>> out;
    vfs::AttrChange change;
    change.mode = mode;
    fs_->setattr({}, ino(*node), change, into(out));
    settle(out);
    expect(out, 0, "chmod");
    model_.chmod(*node, mode);
    remember(*node);
  }

  // Copies from the start of one open file to the start of another; what came across is published.
  void do_copy() {
    if (open_.size() < 2) return;
    const Open from = any(open_), to = any(open_);
    if (from.node == to.node) return;
    std::optional<vfs::Outcome<std::size_t>> out;
    fs_->copy_file_range({}, {from.ino, 0, to.ino, to.handle, 0, 1 << 20}, into(out));
    settle(out);
    expect(out, 0, "copy_file_range");
    if (!out || !*out || **out == 0) return;
    model_.write(to.node, 0, model_.at(from.node).current->substr(0, **out));
    // Sharing publishes the source, then the target; closing them in that order makes it certain.
    for (const int node : {from.node, to.node}) {
      for (std::size_t i = open_.size(); i-- > 0;) {
        if (open_[i].node != node) continue;
        const Open file = open_[i];
        open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(i));
        fs_->release(file.ino, file.handle);
      }
    }
    model_.publish(from.node);
    remember(from.node);
    model_.publish(to.node);
    remember(to.node);
  }

  void check_content(Ino file, const std::string& want) {
    std::string got;
    while (got.size() < want.size() + 1) {
      bool end = false, answered = false;
      fs_->read({}, file, {}, got.size(), 100'000, [&](vfs::Outcome<vfs::Content> out) {
        answered = true;
        if (!out) {
          ADD_FAILURE() << "read: errno " << out.error().value << ", seed " << seed_;
          end = true;
          return;
        }
        for (const ByteSpan piece : out->pieces) got.append(piece.begin(), piece.end());
        end = out->size == 0;
      });
      for (int i = 0; !answered; i++) {
        ASSERT_LT(i, kPatience) << "a read is stuck, seed " << seed_;
        turn();
      }
      if (end) break;
    }
    ASSERT_EQ(got.size(), want.size()) << "seed " << seed_;
    ASSERT_TRUE(got == want) << "content differs, seed " << seed_;
  }

  void do_read() {
    if (!open_.empty() && pick(2)) {
      const Open file = any(open_);
      return check_content(file.ino, *model_.at(file.node).current);
    }
    if (const auto node = some_file()) check_content(ino(*node), *model_.at(*node).current);
  }

  void check_tree(int folder) {
    for (const auto& [entry, node] : model_.at(folder).entries) {
      const Ino found = lookup(ino(folder), entry);
      ASSERT_NE(found, Ino{}) << "lost " << entry << ", seed " << seed_;
      inos_[node] = found;
      if (model_.at(node).folder) {
        check_tree(node);
      } else {
        check_content(found, *model_.at(node).current);
      }
      if (::testing::Test::HasFatalFailure()) return;
    }
  }

  // The driver dies, perhaps in the middle of a commit, perhaps with the server.
  void crash() {
    if (store_.pending_commit() && pick(2)) store_.step_commit(Verdict::commit);
    fs_.reset();
    store_.forget_pending();
    executor_.clear();
    open_.clear();
    if (pick(2)) store_.lose_undurable(static_cast<std::size_t>(pick(static_cast<int>(store_.undurable_groups()) + 1)));
    const std::string left = published(store_);
    const auto found = std::ranges::find(past_, left, &Past::published);
    if (found == past_.end()) {
      std::string allowed;
      for (const Past& past : past_) allowed += "--\n" + past.published;
      FAIL() << "the store holds no state the tree has been in since the last sync, seed " << seed_ << "\n"
             << left << "allowed:\n" << allowed;
    }
    model_ = found->model;
    model_.restart();
    mount();
    check_tree(0);
  }

  std::uint64_t seed_;
  std::mt19937_64 random_;
  SimExecutor executor_;
  MemStore store_;
  core::Options options_;
  std::unique_ptr<core::Filesystem> fs_;
  Model model_;
  std::map<int, Ino> inos_;
  std::vector<Open> open_;
  std::deque<Past> past_;      // states that a crash may bring back
  std::size_t forgotten_ = 0;  // how many states were before those
  std::map<int, std::size_t> changed_;  // node: number of the state that its last change made
  int stamp_ = 0;
};

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(Schedules, every_crash_leaves_one_state_no_older_than_the_last_sync) {
  log::configure({.file = "/dev/null"}).value();
  const std::uint64_t first = number_from("TUSKFS_SEED", 1);
  const std::uint64_t count = number_from("TUSKFS_SCHEDULES", std::getenv("TUSKFS_SEED") ? 1 : 10'000);
  for (std::uint64_t seed = first; seed < first + count; seed++) {
    World(seed).run();
    if (HasFatalFailure() || HasNonfatalFailure()) FAIL() << "replay with TUSKFS_SEED=" << seed;
  }
}

}  // namespace
}  // namespace tusk::testing
