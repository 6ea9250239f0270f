// cache/: programs that set a value again and again are given a place to write to that stays
// theirs. Whatever they do next, they see what all others see.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "support/cache_fixture.h"

namespace tusk::test {
namespace {

class CacheRewrites : public CacheFiles {
 protected:
  // The third of a program, and those after it, go to its place.
  void rewrite(const std::string& name = "k") {
    for (const char* value : {"1", "22", "333", "4444", "55555"}) put(key(name), value);
  }
  // What another process sees of a key; "none" when there is none.
  std::string seen_by_another(const std::string& name = "k") const {
    std::string seen;
    std::jthread([&] { seen = content(key(name)); }).join();  // of another thread: another number
    return seen;
  }
  off_t size_of(const std::string& name = "k") const { return stat_of(key(name)).st_size; }
};

TEST_F(CacheRewrites, each_value_is_seen_at_once) {
  for (int i = 1; i < 50; i++) {
    const std::string value(static_cast<std::size_t>(i), 'x');
    put(key("k"), value);
    EXPECT_EQ(size_of(), i);
    EXPECT_EQ(seen_by_another(), value);
  }
  rewrite();
  EXPECT_EQ(get(key("k")), "55555");
  put(key("k"), "one more");
  EXPECT_EQ(get(key("k")), "one more");
  EXPECT_EQ(sync(key("k")), 0);
  EXPECT_EQ(stored("k"), "one more");
}

TEST_F(CacheRewrites, what_is_open_stays_as_it_was_opened) {
  rewrite();
  const Fd reader = open_file(key("k"), O_RDONLY);
  put(key("k"), "other");
  put(key("k"), "yet another");
  EXPECT_EQ(read_at(reader.get(), 0, 100), "55555");
  rewrite();
  const Fd writer = open_file(key("k"), O_WRONLY | O_TRUNC);
  append_to(writer.get(), "half");
  EXPECT_EQ(stat_of(writer.get()).st_size, 4);
  EXPECT_EQ(seen_by_another(), "55555");
  append_to(writer.get(), " and half");
  EXPECT_EQ(stat_of(writer.get()).st_size, 13);
}

TEST_F(CacheRewrites, edits_begin_with_the_value) {
  rewrite();
  append_to(open_file(key("k"), O_WRONLY | O_APPEND).get(), "+");
  EXPECT_EQ(seen_by_another(), "55555+");
  rewrite();
  write_at(open_file(key("k"), O_WRONLY).get(), "x", 1);
  EXPECT_EQ(seen_by_another(), "5x555");
  rewrite();
  {
    const Fd both = open_file(key("k"), O_RDWR);
    EXPECT_EQ(read_at(both.get(), 0, 100), "55555");
    write_at(both.get(), "y", 4);
  }
  EXPECT_EQ(seen_by_another(), "5555y");
  rewrite();
  ASSERT_EQ(::truncate(key("k").c_str(), 2), 0);
  EXPECT_EQ(size_of(), 2);
  EXPECT_EQ(seen_by_another(), "55");
}

TEST_F(CacheRewrites, its_end_is_the_value_s) {
  rewrite();
  EXPECT_EQ(set_xattr(key("k"), "user.tusk.ttl", "900"), 0);
  EXPECT_EQ(xattr(key("k"), "user.tusk.ttl"), "900");
  append_to(open_file(key("k"), O_WRONLY | O_APPEND).get(), "+");
  EXPECT_EQ(xattr(key("k"), "user.tusk.ttl"), "900");
  rewrite();
  EXPECT_EQ(xattr(key("k"), "user.tusk.ttl"), "3600");
}

TEST_F(CacheRewrites, what_is_gone_is_gone) {
  rewrite();
  ASSERT_EQ(::unlink(key("k").c_str()), 0);
  EXPECT_FALSE(present(key("k")));
  EXPECT_EQ(errno_of_open(key("k"), O_WRONLY | O_TRUNC), ENOENT);
  rewrite();
  ASSERT_EQ(::rename(key("k").c_str(), key("other").c_str()), 0);
  EXPECT_FALSE(present(key("k")));
  EXPECT_EQ(size_of("other"), 5);
  put(key("other"), "new");
  EXPECT_EQ(seen_by_another("other"), "new");
  EXPECT_FALSE(present(key("k")));
}

TEST_F(CacheRewrites, what_sql_clients_set_is_seen) {
  rewrite();
  ASSERT_EQ(sync(key("k")), 0);
  set("k", "1234567");
  EXPECT_TRUE(eventually([&] { return size_of() == 7; }));
  EXPECT_EQ(get(key("k")), "1234567");
  rewrite();
  ASSERT_EQ(sync(key("k")), 0);
  sql_->rows("select tusk_cache.del('k')");
  EXPECT_TRUE(eventually([&] { return !present(key("k")); }));
  put(key("k"), "again");
  EXPECT_EQ(seen_by_another(), "again");
}

// SQL clients see all of it, in the order of the closes.
TEST_F(CacheRewrites, what_is_stored_last_is_what_was_closed_last) {
  for (int i = 0; i < 3'000; i++) put(key("k" + std::to_string(i % 7)), std::to_string(i));
  for (int i = 2'993; i < 3'000; i++) {
    const std::string name = "k" + std::to_string(i % 7);
    ASSERT_EQ(sync(key(name)), 0);
    EXPECT_EQ(stored(name), std::to_string(i));
    EXPECT_EQ(get(key(name)), std::to_string(i));
  }
}

}  // namespace
}  // namespace tusk::test
