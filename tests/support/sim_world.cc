#include "support/sim_world.h"

#include <algorithm>

namespace tusk::testing {

World::World(std::uint64_t seed) : seed_(seed), random_(seed), executor_(seed), store_(executor_) {
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

void World::run() {
  for (int i = 0; i < kSteps && !::testing::Test::HasFatalFailure(); i++) step();
  if (!::testing::Test::HasFatalFailure()) crash();
}

int World::pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

std::string World::name() { return std::string(1, static_cast<char>('a' + pick(5))); }

namespace {

// Schedules with and without history, and with contents that follow each other fast.
store::PolicySettings policy_of(std::uint64_t seed) {
  switch (seed % 4) {
    case 0:
      return {{"inline_below", 3000}, {"external_above", 70'000}, {"versions", 0}, {"trash", 0}};
    case 1:
      return {{"inline_below", 3000}, {"external_above", 70'000}, {"version_interval", 0}};
    case 2:
      return {{"inline_below", 3000}, {"external_above", 70'000}, {"version_interval", 1}};
    default:
      return {{"inline_below", 3000}, {"external_above", 70'000}};
  }
}

}  // namespace

void World::mount() {
  store::Attached attached = store_.attach();
  attached.root.policy = policy_of(seed_);
  attached.has_objects = has_objects();
  ASSERT_EQ(store_.check(), "") << "seed " << seed_;
  fs_ = core::make_filesystem(executor_, store_, attached, options_);
  inos_ = {{0, kRootIno}};
  past_.clear();
  past_.push_back({model_.published(), model_});
  forgotten_ = 0;
  changed_.clear();
}

void World::turn() {
  switch (pick(4)) {
    case 0:
      if (executor_.run_one()) return;
      break;
    case 1:
      if (store_.pending_loads() > 0) {
        return store_.step_load(
            static_cast<std::size_t>(pick(static_cast<int>(store_.pending_loads()))),
            pick(10) != 0);
      }
      break;
    case 2:
      if (store_.pending_commit()) return store_.step_commit(verdict());
      break;
    default:
      others();
      break;
  }
  if (!executor_.run_one()) executor_.advance(std::chrono::milliseconds(20));
}

void World::others() {
  const auto some = [this] {
    std::vector<Uuid> ids;
    for (const auto& [id, row] : store_.files())
      if (pick(3) == 0) ids.push_back(id.uuid);
    for (const auto& [id, row] : store_.folders())
      if (pick(3) == 0) ids.push_back(id.uuid);
    return ids;
  };
  switch (store_.delegation()) {
    case MemStore::Delegation::held: {
      // What is open would be published: only where the model has nothing of the kind.
      const bool all_published = std::ranges::all_of(model_.nodes(), [](const auto& node) {
        return node.second.folder || *node.second.current == *node.second.published;
      });
      if (all_published && pick(30) == 0) store_.recall();
      return;
    }
    case MemStore::Delegation::recalled:
      return;
    case MemStore::Delegation::lent:
      if (pick(6) == 0) store_.tell_changed(some());
      return;
    case MemStore::Delegation::wanted:
      if (pick(3) == 0) store_.return_delegation(some());
      return;
  }
}

Verdict World::verdict() {
  switch (pick(12)) {
    case 0:
      return Verdict::commit_but_unknown;
    case 1:
      return Verdict::lose_and_unknown;
    case 2:
      return Verdict::retry;
    case 3:
      return Verdict::disk_full;
    default:
      return Verdict::commit;
  }
}

Ino World::ino(int node) {
  if (const auto it = inos_.find(node); it != inos_.end()) return it->second;
  for (const auto& [id, parent] : model_.nodes()) {
    for (const auto& [entry, child] : parent.entries) {
      if (child == node) return inos_[node] = lookup(ino(id), entry);
    }
  }
  ADD_FAILURE() << "no name for node " << node << ", seed " << seed_;
  return {};
}

Ino World::lookup(Ino parent, const std::string& entry) {
  std::optional<vfs::Outcome<vfs::Entry>> out;
  fs_->lookup({}, parent, entry, into(out));
  settle(out);
  if (!out || !*out) return {};
  return (*out)->attr.ino;
}

void World::remember(const std::vector<int>& nodes) {
  std::string now = model_.published();
  if (now == past_.back().published) return;
  past_.push_back({std::move(now), model_});
  for (const int node : nodes) changed_[node] = forgotten_ + past_.size() - 1;
}

void World::remember(int node) { remember(std::vector<int>{node}); }

void World::forget_before(std::size_t number) {
  for (; forgotten_ < number; forgotten_++) past_.pop_front();
}

void World::check_content(Ino file, const std::string& want) {
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

void World::check_tree(int folder) {
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

void World::crash() {
  if (store_.pending_commit() && pick(2)) store_.step_commit(Verdict::commit);
  fs_.reset();
  store_.forget_pending();
  executor_.clear();
  open_.clear();
  if (pick(2))
    store_.lose_undurable(
        static_cast<std::size_t>(pick(static_cast<int>(store_.undurable_groups()) + 1)));
  const std::string left = published(store_);
  const auto found = std::ranges::find(past_, left, &Past::published);
  if (found == past_.end()) {
    std::string allowed;
    for (const Past& past : past_) allowed += "--\n" + past.published;
    FAIL() << "the store holds no state the tree has been in since the last sync, seed " << seed_
           << "\n"
           << left << "allowed:\n"
           << allowed;
  }
  model_ = found->model;
  model_.restart();
  mount();
  check_tree(0);
}

}  // namespace tusk::testing
