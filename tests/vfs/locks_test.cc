// Locks between the programs of one mount, and with an arbiter.
#include "tuskfs/vfs/locks.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace tusk::test {
namespace {

using vfs::Lock;
using vfs::LockType;
using vfs::Outcome;

constexpr Ino kFile{7}, kOther{8};
constexpr auto kShared = LockType::shared, kExclusive = LockType::exclusive, kNone = LockType::none;

Lock range(std::uint64_t owner, LockType type, std::uint64_t first = 0,
           std::uint64_t last = INT64_MAX) {
  return {.owner = {true, owner},
          .type = type,
          .first = first,
          .last = last,
          .pid = static_cast<pid_t>(owner),
          .via = Handle{owner}};
}
Lock whole(std::uint64_t owner, LockType type) { return {.owner = {false, owner}, .type = type}; }

// -1: it waits.
struct Answer {
  int code = -1;
};

class LocksTest : public ::testing::Test {
 protected:
  int set(const Lock& wanted, Ino ino = kFile) {
    int code = -1;
    locks_.set(ino, wanted, false, 0,
               [&](Outcome<void> done) { code = done ? 0 : done.error().value; });
    return code;
  }
  std::shared_ptr<Answer> wait_for(const Lock& wanted, Ino ino = kFile, std::uint64_t token = 0) {
    auto answer = std::make_shared<Answer>();
    locks_.set(ino, wanted, true, token,
               [answer](Outcome<void> done) { answer->code = done ? 0 : done.error().value; });
    return answer;
  }
  Lock found(const Lock& wanted) {
    Lock lock;
    locks_.find(kFile, wanted, [&](Outcome<Lock> answer) { lock = *answer; });
    return lock;
  }

  vfs::Locks locks_;
};

TEST_F(LocksTest, exclusive_is_alone_and_shared_is_shared) {
  for (const bool ranged : {true, false}) {
    const auto lock = [&](std::uint64_t owner, LockType type) {
      return ranged ? range(owner, type) : whole(owner, type);
    };
    EXPECT_EQ(set(lock(1, kShared)), 0);
    EXPECT_EQ(set(lock(2, kShared)), 0);
    EXPECT_EQ(set(lock(3, kExclusive)), EAGAIN);
    EXPECT_EQ(set(lock(1, kExclusive)), EAGAIN);
    EXPECT_EQ(set(lock(2, kNone)), 0);
    EXPECT_EQ(set(lock(1, kExclusive)), 0);
    EXPECT_EQ(set(lock(2, kShared)), EAGAIN);
    EXPECT_EQ(set(lock(2, kShared), kOther), 0);
    EXPECT_EQ(set(lock(1, kNone)), 0);
    EXPECT_EQ(set(lock(2, kNone), kOther), 0);
    EXPECT_TRUE(locks_.empty());
  }
}

TEST_F(LocksTest, the_two_kinds_do_not_know_of_each_other) {
  EXPECT_EQ(set(range(1, kExclusive)), 0);
  EXPECT_EQ(set(whole(2, kExclusive)), 0);
}

TEST_F(LocksTest, ranges_are_split_joined_and_changed) {
  EXPECT_EQ(set(range(1, kExclusive, 0, 99)), 0);
  EXPECT_EQ(set(range(1, kNone, 40, 59)), 0);
  EXPECT_EQ(set(range(2, kExclusive, 40, 59)), 0);
  EXPECT_EQ(set(range(2, kExclusive, 39, 39)), EAGAIN);
  EXPECT_EQ(set(range(2, kExclusive, 60, 60)), EAGAIN);
  EXPECT_EQ(set(range(1, kShared, 90, 200)), 0);
  EXPECT_EQ(set(range(2, kShared, 90, 300)), 0);
  const Lock blocker = found(range(3, kExclusive, 70, 300));
  EXPECT_EQ(blocker.pid, 1);
  EXPECT_EQ(blocker.first, 60u);
  EXPECT_EQ(blocker.last, 89u);
  EXPECT_EQ(blocker.type, kExclusive);
  EXPECT_EQ(found(range(3, kShared, 100, 300)).type, kNone);
  EXPECT_EQ(set(range(1, kNone)), 0);
  EXPECT_EQ(set(range(2, kNone)), 0);
  EXPECT_TRUE(locks_.empty());
}

TEST_F(LocksTest, who_waits_gets_it_once_nobody_is_in_the_way) {
  EXPECT_EQ(set(range(1, kExclusive, 0, 9)), 0);
  EXPECT_EQ(set(range(1, kExclusive, 20, 29)), 0);
  const auto second = wait_for(range(2, kExclusive, 0, 29));
  const auto third = wait_for(range(3, kExclusive, 5, 5));
  EXPECT_EQ(set(range(1, kNone, 20, 29)), 0);
  EXPECT_EQ(second->code, -1);
  EXPECT_EQ(set(range(1, kNone)), 0);
  EXPECT_EQ(second->code, 0);
  EXPECT_EQ(third->code, -1);
  EXPECT_EQ(set(range(2, kShared)), 0);
  EXPECT_EQ(third->code, -1);
  EXPECT_EQ(set(range(2, kNone)), 0);
  EXPECT_EQ(third->code, 0);
}

TEST_F(LocksTest, a_lock_made_weaker_lets_in_who_waits) {
  EXPECT_EQ(set(whole(1, kExclusive)), 0);
  const auto second = wait_for(whole(2, kShared));
  EXPECT_EQ(second->code, -1);
  EXPECT_EQ(set(whole(1, kShared)), 0);
  EXPECT_EQ(second->code, 0);
}

TEST_F(LocksTest, a_call_that_gives_up_is_eintr_and_gets_nothing) {
  EXPECT_EQ(set(range(1, kExclusive)), 0);
  const auto second = wait_for(range(2, kExclusive), kFile, 5);
  EXPECT_FALSE(locks_.interrupt(6));
  EXPECT_TRUE(locks_.interrupt(5));
  EXPECT_EQ(second->code, EINTR);
  EXPECT_EQ(set(range(1, kNone)), 0);
  EXPECT_TRUE(locks_.empty());
}

TEST_F(LocksTest, a_ring_of_waits_is_edeadlk_also_over_files) {
  EXPECT_EQ(set(range(1, kExclusive, 0, 0)), 0);
  EXPECT_EQ(set(range(2, kExclusive, 1, 1)), 0);
  EXPECT_EQ(set(range(3, kExclusive), kOther), 0);
  const auto first = wait_for(range(1, kExclusive, 1, 1));
  const auto second = wait_for(range(2, kExclusive), kOther);
  EXPECT_EQ(wait_for(range(3, kExclusive, 0, 0))->code, EDEADLK);
  EXPECT_EQ(first->code, -1);
  EXPECT_EQ(set(range(3, kNone), kOther), 0);
  EXPECT_EQ(second->code, 0);
}

TEST_F(LocksTest, ranges_end_with_the_file_they_were_locked_through) {
  EXPECT_EQ(set(range(1, kExclusive)), 0);
  const auto second = wait_for(range(2, kExclusive));
  locks_.closed(kFile, Handle{9});
  EXPECT_EQ(second->code, -1);
  locks_.closed(kFile, Handle{1});
  EXPECT_EQ(second->code, 0);
}

// Other mounts, as a test wants them.
class FakeArbiter final : public vfs::LockArbiter {
 public:
  bool is_needed() const override { return needed; }
  void ask(Question question, vfs::Reply<bool> reply) override {
    asked.push_back(std::move(question));
    replies.push_back(std::move(reply));
  }
  void find(Ino, const Lock&, vfs::Reply<std::optional<Lock>> reply) override {
    reply(range(99, kExclusive));
  }
  void answer(bool given) {
    auto reply = std::move(replies.front());
    replies.erase(replies.begin());
    reply(given);
  }

  bool needed = true;
  std::vector<Question> asked;
  std::vector<vfs::Reply<bool>> replies;
};

class SharedLocksTest : public LocksTest {
 protected:
  std::shared_ptr<Answer> ask(const Lock& wanted, bool waits, std::uint64_t token = 0) {
    auto answer = std::make_shared<Answer>();
    shared_.set(kFile, wanted, waits, token,
                [answer](Outcome<void> done) { answer->code = done ? 0 : done.error().value; });
    return answer;
  }

  FakeArbiter arbiter_;
  vfs::Locks shared_{&arbiter_};
};

TEST_F(SharedLocksTest, others_are_asked_for_one_owner_at_a_time) {
  const auto first = ask(range(1, kExclusive, 0, 9), false);
  const auto second = ask(range(2, kExclusive, 5, 20), true);
  ASSERT_EQ(arbiter_.asked.size(), 1u);
  EXPECT_EQ(first->code, -1);
  arbiter_.answer(true);
  EXPECT_EQ(first->code, 0);
  EXPECT_EQ(arbiter_.asked.size(), 1u) << "one of this mount is in the way";
  const auto unlocked = ask(range(1, kNone), false);
  ASSERT_EQ(arbiter_.asked.size(), 2u);
  EXPECT_TRUE(arbiter_.asked[1].then.empty());
  EXPECT_EQ(unlocked->code, -1) << "others must know of it first";
  arbiter_.answer(true);
  EXPECT_EQ(unlocked->code, 0);
  ASSERT_EQ(arbiter_.asked.size(), 3u);
  EXPECT_TRUE(arbiter_.asked[2].waits);
  EXPECT_EQ(arbiter_.asked[2].then.size(), 1u);
  arbiter_.answer(false);
  EXPECT_EQ(second->code, -1);
  EXPECT_TRUE(shared_.is_refused_elsewhere());
  shared_.freed_elsewhere(kFile);
  ASSERT_EQ(arbiter_.asked.size(), 4u);
  arbiter_.answer(true);
  EXPECT_EQ(second->code, 0);
}

TEST_F(SharedLocksTest, refused_by_others_is_eagain_and_nothing_is_held) {
  const auto first = ask(range(1, kExclusive), false);
  arbiter_.answer(false);
  EXPECT_EQ(first->code, EAGAIN);
  EXPECT_TRUE(shared_.empty());
  Lock lock;
  shared_.find(kFile, range(1, kExclusive), [&](Outcome<Lock> answer) { lock = *answer; });
  EXPECT_EQ(lock.owner.id, 99u);
}

TEST_F(SharedLocksTest, a_call_may_give_up_while_others_are_asked) {
  const auto first = ask(range(1, kExclusive), true, 5);
  EXPECT_TRUE(shared_.interrupt(5));
  EXPECT_EQ(first->code, -1);
  arbiter_.answer(false);
  EXPECT_EQ(first->code, EINTR);
  EXPECT_TRUE(shared_.empty());
}

TEST_F(SharedLocksTest, what_others_took_meanwhile_is_lost) {
  arbiter_.needed = false;
  EXPECT_EQ(ask(range(1, kExclusive, 0, 9), false)->code, 0);
  EXPECT_EQ(ask(range(1, kShared, 20, 29), false)->code, 0);
  EXPECT_EQ(ask(whole(2, kShared), false)->code, 0);
  arbiter_.needed = true;
  std::vector<Lock> lost;
  bool done = false;
  shared_.restate([&](Ino, const Lock& lock) { lost.push_back(lock); }, [&] { done = true; });
  for (int i = 0; i < 3; i++) {
    EXPECT_FALSE(done);
    ASSERT_EQ(arbiter_.replies.size(), 1u);
    const Lock wanted = arbiter_.asked.back().wanted;
    EXPECT_NE(wanted.type, kNone);
    arbiter_.answer(wanted.first != 20);
  }
  EXPECT_TRUE(done);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].first, 20u);
  arbiter_.needed = false;
  EXPECT_EQ(ask(range(3, kExclusive, 20, 29), false)->code, 0);
  EXPECT_EQ(ask(range(3, kExclusive, 5, 5), false)->code, EAGAIN);
}

TEST_F(SharedLocksTest, nothing_is_told_twice_when_nothing_is_held) {
  bool done = false;
  shared_.restate([](Ino, const Lock&) {}, [&] { done = true; });
  EXPECT_TRUE(done);
  EXPECT_TRUE(arbiter_.asked.empty());
}

}  // namespace
}  // namespace tusk::test
