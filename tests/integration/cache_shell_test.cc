// Values of cache/ as shells and programs with children write them: whole, and at once.
#include <atomic>
#include <set>
#include <thread>

#include "support/keyed_fixture.h"

namespace tusk::test {
namespace {

class CacheShell : public KeyedTest {
 protected:
  void shell(const std::string& script) const {
    run_ok({"bash", "-c", "cd \"$0\" && " + script, at("cache")});
  }
  // What readers see while a script runs again and again.
  std::set<std::string> seen_during(const std::string& script) const {
    std::set<std::string> seen;
    std::jthread reader([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) seen.insert(read("cache/k"));
    });
    shell("for i in {1..150}; do " + script + "; done");
    reader.request_stop();
    reader.join();
    return seen;
  }
};

TEST_F(CacheShell, a_redirected_echo_is_seen_whole) {
  put(at("cache/k"), "old\n");
  const std::set<std::string> seen = seen_during("echo new > k");
  for (const std::string& value : seen) EXPECT_TRUE(value == "old\n" || value == "new\n") << value;
}

TEST_F(CacheShell, what_several_programs_write_to_one_file_is_seen_whole) {
  put(at("cache/k"), "old\n");
  const std::set<std::string> seen = seen_during("{ /bin/echo a; echo b; /bin/echo c; } > k");
  for (const std::string& value : seen)
    EXPECT_TRUE(value == "old\n" || value == "a\nb\nc\n") << value;
}

TEST_F(CacheShell, what_is_emptied_or_made_without_a_word_is_empty) {
  put(at("cache/k"), "old");
  shell(": > k; touch new; cat k new > both; truncate -s 0 both");
  EXPECT_EQ(read("cache/k"), "");
  EXPECT_EQ(read("cache/new"), "");
  EXPECT_EQ(read("cache/both"), "");
  EXPECT_EQ(names_in(at("cache")), (std::vector<std::string>{"both", "k", "new"}));
  EXPECT_EQ(sql("select sum(bytes) from tusk_cache.cache"), "0");
}

TEST_F(CacheShell, a_value_that_a_child_finishes_is_stored) {
  // The parent lets go at once; the child is the last to close.
  shell("exec 3> k; (sleep 0.2; echo child >&3) & exec 3>&-; wait");
  EXPECT_EQ(read("cache/k"), "child\n");
  EXPECT_EQ(names_in(at("cache")), std::vector<std::string>{"k"});
  EXPECT_EQ(sql("select tusk_cache.get('k')"), "\"child\\n\"");
}

TEST_F(CacheShell, another_thread_that_closes_stores_the_value) {
  for (int i = 0; i < 50; i++) {
    const std::string value = std::to_string(i);
    Fd fd = open_file(at("cache/k"), O_WRONLY | O_CREAT | O_TRUNC);
    int closed = -1;
    std::jthread([&] {
      append_to(fd.get(), value);
      closed = errno_of(::close(fd.release()));
    }).join();
    EXPECT_EQ(closed, 0);
    EXPECT_EQ(read("cache/k"), value);
  }
}

}  // namespace
}  // namespace tusk::test
