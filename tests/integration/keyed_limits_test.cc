// ratelimit/: read a key's file to look, write to it to take.
#include <sys/stat.h>

#include <atomic>
#include <regex>
#include <thread>

#include "support/keyed_fixture.h"

namespace tusk::test {
namespace {

using Strings = std::vector<std::string>;

class KeyedLimits : public KeyedTest {
 protected:
  void bucket(const std::string& config) {
    ASSERT_EQ(make("ratelimit/b"), 0);
    ASSERT_EQ(write("ratelimit/b/config", config.c_str()), 0);
  }
  // The number after a name.
  static int number_of(const std::string& text, const std::string& name) {
    std::smatch found;
    return std::regex_search(text, found, std::regex("(^|\n)" + name + " (-?\\d+)\n"))
               ? std::stoi(found[2])
               : -99;
  }
  int remaining(const std::string& key) const {
    return number_of(read("ratelimit/b/" + key), "remaining");
  }
};

TEST_F(KeyedLimits, a_bucket_is_a_folder) {
  ASSERT_EQ(make("ratelimit/login"), 0);
  EXPECT_EQ(make("ratelimit/login"), EEXIST);
  EXPECT_EQ(read("ratelimit/login/config"), "burst 15\ncount 30\nperiod 60\nalgorithm gcra\n");
  EXPECT_EQ(read("ratelimit/login/ann"),
            "allowed 1\nlimit 16\nremaining 16\nretry_after -1\nreset_after 0\n");
  EXPECT_EQ(permissions_of(at("ratelimit/login/ann")), 0666u);
  EXPECT_EQ(names_in(at("ratelimit/login")), Strings{"config"});
  EXPECT_EQ(write("ratelimit/login/ann", "1"), 0);
  EXPECT_EQ(read("ratelimit/login/ann"),
            "allowed 1\nlimit 16\nremaining 15\nretry_after -1\nreset_after 2\n");
  EXPECT_EQ(names_in(at("ratelimit/login")), (Strings{"ann", "config"}));
  EXPECT_EQ(sql("select remaining from tusk_cache.rate_peek('login', 'ann')"), "15");
  EXPECT_EQ(remove_folder("ratelimit/login"), 0);
  EXPECT_EQ(remove_folder("ratelimit/login"), ENOENT);
  EXPECT_EQ(open_errno("ratelimit/login/ann"), ENOENT);
  EXPECT_EQ(sql("select count(*) from tusk_cache.rate_limits"), "0");
}

TEST_F(KeyedLimits, config_is_whole_or_not_at_all) {
  bucket("burst 2\ncount 10 period 1.5\nalgorithm sliding\n");
  EXPECT_EQ(read("ratelimit/b/config"), "burst 2\ncount 10\nperiod 1.5\nalgorithm sliding\n");
  for (const char* wrong :
       {"burst -1", "count 0", "count x", "period 0", "period -1", "algorithm", "algorithm fast",
        "count 7 algorithm fast", "count 7 other 1", "\n", "9"})
    EXPECT_EQ(write("ratelimit/b/config", wrong), EINVAL) << wrong;
  EXPECT_EQ(write("ratelimit/b/config", "count 99999999999"), ERANGE);
  EXPECT_EQ(read("ratelimit/b/config"), "burst 2\ncount 10\nperiod 1.5\nalgorithm sliding\n");
  EXPECT_EQ(write("ratelimit/b/config", "algorithm gcra"), 0);
  EXPECT_EQ(read("ratelimit/b/config"), "burst 2\ncount 10\nperiod 1.5\nalgorithm gcra\n");
  EXPECT_EQ(remove(at("ratelimit/b/config")), EPERM);
  EXPECT_EQ(make("ratelimit/b/key"), EEXIST);  // every key has a file
}

TEST_F(KeyedLimits, a_write_takes_and_the_decision_is_read_from_the_same_file) {
  bucket("burst 2 count 1 period 3600");
  for (int i = 1; i <= 3; i++) {
    const Fd fd = open_file(at("ratelimit/b/ann"), O_RDWR);
    append_to(fd.get(), "1\n");
    char text[200];
    const ssize_t size = ::read(fd.get(), text, sizeof text);  // where the write ended
    ASSERT_GT(size, 0);
    const std::string seen(text, static_cast<std::size_t>(size));
    EXPECT_EQ(::read(fd.get(), text, sizeof text), 0);
    EXPECT_EQ(number_of(seen, "allowed"), 1);
    EXPECT_EQ(number_of(seen, "limit"), 3);
    EXPECT_EQ(number_of(seen, "remaining"), 3 - i);
  }
  const Fd fd = open_file(at("ratelimit/b/ann"), O_RDWR);
  EXPECT_EQ(errno_of(::write(fd.get(), "1\n", 2)), EDQUOT);
  const std::string seen = read_at(fd.get(), 0, 200);
  EXPECT_EQ(number_of(seen, "allowed"), 0);
  EXPECT_EQ(number_of(seen, "remaining"), 0);
  EXPECT_TRUE(number_of(seen, "retry_after") > 3500) << seen;
  EXPECT_EQ(read("ratelimit/b/ann"), seen);  // looking tells the same
  EXPECT_EQ(remaining("bob"), 3);
  EXPECT_EQ(remove(at("ratelimit/b/ann")), 0);
  EXPECT_EQ(remaining("ann"), 3);
  EXPECT_EQ(write("ratelimit/b/ann", "3"), 0);  // several at once
  EXPECT_EQ(write("ratelimit/b/bob", "4"), EDQUOT);
  EXPECT_EQ(remaining("bob"), 3);
  EXPECT_EQ(run_ok({"bash", "-c",
                    "exec 3<>" + at("ratelimit/b/carl").string() + "; echo 2 >&3; head -1 <&3"}),
            "allowed 1\n");
}

TEST_F(KeyedLimits, what_is_no_number_takes_nothing) {
  bucket("burst 2 count 1 period 3600");
  for (const char* wrong : {"0", "-1", "x", "1.5", "\n", "1 1"})
    EXPECT_EQ(write("ratelimit/b/ann", wrong), EINVAL) << wrong;
  EXPECT_EQ(write("ratelimit/b/ann", "99999999999"), ERANGE);
  EXPECT_EQ(remaining("ann"), 3);
  EXPECT_EQ(remove(at("ratelimit/b/ann")), 0);
}

TEST_F(KeyedLimits, no_more_than_the_limit_whoever_asks) {
  bucket("burst 49 count 1 period 36000");
  std::atomic<int> granted = 0, denied = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; i++)
      threads.emplace_back([&] {
        for (int n = 0; n < 40; n++) {
          const int code = write("ratelimit/b/all", "1\n");
          if (code == 0) granted++;
          if (code == EDQUOT) denied++;
        }
      });
  }
  EXPECT_EQ(granted, 50);
  EXPECT_EQ(denied, 110);
}

TEST_F(KeyedLimits, what_a_role_may_not_do_is_denied) {
  bucket("burst 9 count 1 period 3600");
  ASSERT_EQ(make("flags/f"), 0);
  sql_->run("drop role if exists keyed_writer; create role keyed_writer login in role tusk_writer");
  std::string as_writer = database_;
  as_writer.replace(as_writer.find("user=postgres"), 13, "user=keyed_writer");
  const SidecarMount other(as_writer);
  put(other.path() / "ratelimit/b/ann", "1");
  EXPECT_EQ(remaining("ann"), 9);
  EXPECT_EQ(get(other.path() / "flags/f/enabled"), "0\n");
  const Fd fd = open_file(other.path() / "flags/f/enabled", O_WRONLY);
  EXPECT_EQ(errno_of(::write(fd.get(), "1", 1)), EACCES);
  EXPECT_EQ(errno_of(::mkdir((other.path() / "ratelimit/c").c_str(), 0755)), EACCES);
  EXPECT_EQ(errno_of(::rmdir((other.path() / "flags/f").c_str())), EACCES);
  EXPECT_EQ(names_in(other.path() / "sessions"), Strings{});
}

TEST_F(KeyedLimits, windows) {
  bucket("count 2 period 86400 algorithm fixed");
  EXPECT_EQ(write("ratelimit/b/ann", "2"), 0);
  EXPECT_EQ(write("ratelimit/b/ann", "1"), EDQUOT);
  EXPECT_EQ(number_of(read("ratelimit/b/ann"), "allowed"), 0);
  EXPECT_EQ(number_of(read("ratelimit/b/ann"), "limit"), 2);
  const int wait = number_of(read("ratelimit/b/ann"), "retry_after");
  EXPECT_TRUE(wait > 0 && wait <= 86400) << wait;
}

TEST_F(KeyedLimits, any_key_but_the_name_of_the_config) {
  bucket("burst 9 count 1 period 3600");
  for (const char* key : {"10.0.0.7", "a%2Fb", "%2Edot", "%63onfig", "new\nline"})
    EXPECT_EQ(write(std::string("ratelimit/b/") + key, "1"), 0) << key;
  EXPECT_EQ(sql("select string_agg(key, '|' order by key collate \"C\") "
                "from tusk_cache.rate_limits"),
            ".dot|10.0.0.7|a/b|config|new\nline");
  EXPECT_EQ(names_in(at("ratelimit/b")),
            (Strings{"%2Edot", "%63onfig", "10.0.0.7", "a%2Fb", "config", "new\nline"}));
  for (const char* key : {"10.0.0.7", "a%2Fb", "%2Edot", "%63onfig", "new\nline"})
    EXPECT_EQ(remaining(key), 9) << key;
  EXPECT_EQ(open_errno("ratelimit/b/.dot"), ENOENT);
}

}  // namespace
}  // namespace tusk::test
