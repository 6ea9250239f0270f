// What lies beside the keys of cache/: when they end, what they take, what may be, and commands.
#include <sys/stat.h>

#include "support/keyed_fixture.h"

namespace tusk::test {
namespace {

using Strings = std::vector<std::string>;

class KeyedCache : public KeyedTest {
 protected:
  std::string stat_line(const std::string& name) const {
    for (const std::string& line : lines_of(read("cache/.stats")))
      if (line.starts_with(name + " ")) return line;
    return "none";
  }
};

TEST_F(KeyedCache, ttl_is_read_and_set) {
  put(at("cache/k"), "x");
  EXPECT_EQ(read("cache/.ttl/k"), "3600\n");
  EXPECT_EQ(stat_of(at("cache/.ttl/k")).st_size, 5);
  EXPECT_EQ(permissions_of(at("cache/.ttl/k")), 0644u);
  EXPECT_EQ(write("cache/.ttl/k", "60"), 0);
  EXPECT_EQ(read("cache/.ttl/k"), "60\n");
  EXPECT_EQ(sql("select tusk_cache.ttl('k')"), "60");
  EXPECT_EQ(read("cache/k"), "x");
  EXPECT_EQ(write("cache/.ttl/k", "-1\n"), 0);
  EXPECT_EQ(read("cache/.ttl/k"), "-1\n");
  EXPECT_EQ(sql("select tusk_cache.ttl('k')"), "-1");
  for (const char* wrong : {"", "\n", "soon", "1.5", "-2", "60 s", "6\n0", "0x10"})
    EXPECT_EQ(write("cache/.ttl/k", wrong), *wrong == 0 ? 0 : EINVAL) << wrong;
  EXPECT_EQ(write("cache/.ttl/k", "99999999999"), ERANGE);
  EXPECT_EQ(write("cache/.ttl/k", "9223372036854775808"), EINVAL);
  EXPECT_EQ(write("cache/.ttl/k", std::string(5000, '1').c_str()), EFBIG);
  EXPECT_EQ(read("cache/.ttl/k"), "-1\n");
  EXPECT_EQ(write("cache/.ttl/k", "0"), 0);
  EXPECT_EQ(open_errno("cache/k"), ENOENT);
  EXPECT_EQ(open_errno("cache/.ttl/k"), ENOENT);
}

TEST_F(KeyedCache, ttl_is_for_what_is_there) {
  EXPECT_EQ(open_errno("cache/.ttl/none"), ENOENT);
  EXPECT_EQ(open_errno("cache/.ttl/none", O_WRONLY | O_CREAT), EPERM);
  sql("select tusk_cache.set('old', '1', '1 millisecond')");
  ::usleep(5000);
  EXPECT_EQ(open_errno("cache/.ttl/old"), ENOENT);
  const Strings keys = {"a/b", "100%", ".hidden", "new\nline", "\xc3\xa4", "'; drop table x; --"};
  for (const std::string& key : keys) sql("select tusk_cache.set($1, '1', '77 s')", {key});
  EXPECT_EQ(names_in(at("cache/.ttl")), names_in(at("cache")));
  EXPECT_EQ(names_in(at("cache/.ttl")).size(), keys.size());
  for (const std::string& name : names_in(at("cache/.ttl"))) {
    const int left = std::stoi(read("cache/.ttl/" + name));
    EXPECT_TRUE(left > 17 && left <= 77) << name << " " << left;
    EXPECT_EQ(stat_of(at("cache/.ttl/" + name)).st_size, 3) << name;
    EXPECT_EQ(write("cache/.ttl/" + name, "-1"), 0) << name;
    EXPECT_EQ(read("cache/.ttl/" + name), "-1\n") << name;
  }
  EXPECT_EQ(remove(at("cache/.ttl/100%25")), EPERM);
  EXPECT_EQ(open_errno("cache/.ttl/100%"), ENOENT);
}

TEST_F(KeyedCache, stats_tell_of_use) {
  for (int i = 0; i < 3; i++) put(at("cache/k" + std::to_string(i)), "12345");
  for (int i = 0; i < 2; i++) EXPECT_EQ(read("cache/k1"), "12345");
  EXPECT_EQ(open_errno("cache/none"), ENOENT);
  EXPECT_EQ(stat_line("hits"), "hits 2");
  EXPECT_EQ(stat_line("misses"), "misses 1");
  EXPECT_EQ(stat_line("keys"), "keys 3");
  EXPECT_EQ(stat_line("bytes"), "bytes 15");
  EXPECT_EQ(stat_line("evicted"), "evicted 0");
  EXPECT_EQ(open_errno("cache/.stats", O_WRONLY), EACCES);
}

TEST_F(KeyedCache, config_is_read_and_written_as_a_whole) {
  EXPECT_EQ(read("cache/.config"), "default_ttl 3600\nmax_value 8388608\nmax_bytes 268435456\n");
  EXPECT_EQ(write("cache/.config", "default_ttl 60\nmax_bytes 1000\n"), 0);
  EXPECT_EQ(read("cache/.config"), "default_ttl 60\nmax_value 8388608\nmax_bytes 1000\n");
  for (const char* wrong : {"default_ttl", "default_ttl 0", "default_ttl x", "max_value -1",
                            "max_value 1.5", "max_value 5\nmax_bytes x", "other 1", "\n"})
    EXPECT_EQ(write("cache/.config", wrong), EINVAL) << wrong;
  EXPECT_EQ(read("cache/.config"), "default_ttl 60\nmax_value 8388608\nmax_bytes 1000\n");
  EXPECT_EQ(write("cache/.config", "default_ttl 0.5 max_value 100"), 0);
  EXPECT_EQ(read("cache/.config"), "default_ttl 0.5\nmax_value 100\nmax_bytes 1000\n");
  EXPECT_EQ(write("cache/.config", "default_ttl 7200"), 0);
  EXPECT_EQ(read("cache/.config"), sql("select format(E'default_ttl %s\nmax_value %s\nmax_bytes "
                                       "%s\n', 7200, max_value, max_bytes) "
                                       "from tusk_cache.settings"));
  put(at("cache/k"), "x");
  EXPECT_EQ(read("cache/.ttl/k"), "7200\n");
  EXPECT_EQ(write("cache/k", {zeros(101)}), EFBIG);
}

TEST_F(KeyedCache, commands) {
  const auto fill = [&] {
    for (const char* key : {"user:1", "user:2", "page:1"})
      put(at(std::string("cache/") + key), "x");
    for (const char* key : {"user:1", "user:2", "page:1"}) read(std::string("cache/") + key);
  };
  fill();
  EXPECT_EQ(write("cache/.control", "flush user:*\n"), 0);
  EXPECT_EQ(open_errno("cache/user:1"), ENOENT);
  EXPECT_EQ(names_in(at("cache")), Strings{"page:1"});
  fill();
  EXPECT_EQ(write("cache/.control", {"flush\n", "sweep\n"}), 0);  // each write is one
  EXPECT_EQ(names_in(at("cache")), Strings{});
  EXPECT_EQ(open_errno("cache/page:1"), ENOENT);
  sql("select tusk_cache.set('old', '1', '1 microsecond')");
  EXPECT_EQ(write("cache/.control", "sweep"), 0);
  EXPECT_EQ(sql("select count(*) from tusk_cache.cache"), "0");
  fill();
  for (const char* wrong :
       {"\n", "flush ", "flush user:1", "flushuser*", "FLUSH", "sweep now", "flush\nsweep"})
    EXPECT_EQ(write("cache/.control", wrong), std::string(wrong) == "flush " ? 0 : EINVAL) << wrong;
  EXPECT_EQ(open_errno("cache/.control"), EACCES);
  EXPECT_EQ(permissions_of(at("cache/.control")), 0200u);
}

TEST_F(KeyedCache, they_are_no_keys) {
  put(at("cache/%2Estats"), "a key");
  EXPECT_EQ(names_in(at("cache")), Strings{"%2Estats"});
  EXPECT_EQ(read("cache/%2Estats"), "a key");
  EXPECT_EQ(names_in(at("flags")), Strings{});
  for (const char* name : {"cache/.stats", "cache/.config", "cache/.control"}) {
    EXPECT_EQ(remove(at(name)), EPERM);
    EXPECT_EQ(errno_of(::rename(at(name).c_str(), at("cache/x").c_str())), EPERM);
    EXPECT_EQ(errno_of(::rename(at("cache/%2Estats").c_str(), at(name).c_str())), EINVAL);
    EXPECT_EQ(errno_of(::chmod(at(name).c_str(), 0777)), EPERM);
    EXPECT_EQ(make(name), EEXIST);
  }
  EXPECT_EQ(remove_folder("cache/.ttl"), EPERM);
  EXPECT_EQ(open_errno("cache/.other", O_WRONLY | O_CREAT), EINVAL);
}

}  // namespace
}  // namespace tusk::test
