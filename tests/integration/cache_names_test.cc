// Keys of cache/ that are too long for the name of a file: shown as a hash, and all else as others.
#include <sys/stat.h>
#include <sys/xattr.h>

#include <chrono>
#include <thread>

#include "support/keyed_fixture.h"
#include "tuskfs/base/sha256.h"

namespace tusk::test {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

std::string repeated(const std::string& text, int count) {
  std::string out;
  for (int i = 0; i < count; i++) out += text;
  return out;
}

class CacheNames : public KeyedTest {
 protected:
  static std::string hashed(const std::string& key) { return "%@sha256-" + sha256_of(key); }
  void set(const std::string& key, const std::string& json) {
    sql("select tusk_cache.set($1, $2::jsonb)", {key, json});
  }
  std::string stored(const std::string& key) {
    return sql("select convert_from(tusk_cache.get_bytes($1), 'UTF8')", {key});
  }
  int sync(const std::string& name) const {
    return errno_of(::fsync(open_file(at(name), O_WRONLY).get()));
  }
  // Once it is so, or after long enough.
  template <class Condition>
  static bool soon(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!condition() && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(1ms);
    return condition();
  }
};

TEST_F(CacheNames, a_long_key_is_a_file_named_by_its_hash) {
  const Strings keys = {std::string(256, 'x'),       std::string(1024, 'k'),
                        std::string(86, '/'),        std::string(86, '%'),
                        "." + std::string(254, 'd'), repeated("\xc3\xa4", 200),
                        repeated("\\x", 200),        repeated("a/b%", 100)};
  Strings names;
  for (const std::string& key : keys) {
    set(key, "{\"n\": 1}");
    names.push_back(hashed(key));
  }
  std::ranges::sort(names);
  EXPECT_EQ(names_in(at("cache")), names);
  EXPECT_EQ(names_in(at("cache/.ttl")), names);
  for (const std::string& key : keys) {
    const std::string name = "cache/" + hashed(key), ttl = "cache/.ttl/" + hashed(key);
    EXPECT_EQ(read(name), "{\"n\": 1}") << key;
    EXPECT_EQ(stat_of(at(name)).st_size, 8) << key;
    EXPECT_EQ(::setxattr(at(name).c_str(), "user.tusk.ttl", "900", 3, 0), 0) << key;
    EXPECT_EQ(sql("select tusk_cache.ttl($1)", {key}), "900") << key;
    EXPECT_EQ(read(ttl), "900\n") << key;
    EXPECT_EQ(stat_of(at(ttl)).st_size, 4) << key;
    EXPECT_EQ(write(ttl, "60"), 0) << key;
    EXPECT_EQ(sql("select tusk_cache.ttl($1)", {key}), "60") << key;
    EXPECT_EQ(remove(at(name)), 0) << key;
    EXPECT_EQ(open_errno(name), ENOENT) << key;
    EXPECT_EQ(open_errno(ttl), ENOENT) << key;
  }
  EXPECT_EQ(sql("select count(*) from tusk_cache.cache"), "0");
}

TEST_F(CacheNames, what_fits_has_its_own_name_alone) {
  const Strings keys = {std::string(255, 'x'), std::string(85, '/'), "." + std::string(252, 'd'),
                        "short", hashed("x")};
  for (const std::string& key : keys) set(key, "1");
  EXPECT_EQ(read("cache/" + std::string(255, 'x')), "1");
  EXPECT_EQ(read("cache/" + repeated("%2F", 85)), "1");
  EXPECT_EQ(read("cache/%2E" + std::string(252, 'd')), "1");
  EXPECT_EQ(read("cache/%25@sha256-" + sha256_of("x")), "1");
  EXPECT_EQ(names_in(at("cache")).size(), keys.size());
  for (const std::string& key : keys) {
    EXPECT_EQ(open_errno("cache/" + hashed(key)), ENOENT) << key;
    EXPECT_EQ(open_errno("cache/.ttl/" + hashed(key)), ENOENT) << key;
    EXPECT_EQ(remove(at("cache/" + hashed(key))), ENOENT) << key;
  }
}

TEST_F(CacheNames, a_name_that_is_a_hash_cannot_be_made) {
  const std::string none = "cache/" + hashed("none"), key(300, 'x'), name = "cache/" + hashed(key);
  EXPECT_EQ(open_errno(none), ENOENT);
  EXPECT_EQ(open_errno(none, O_WRONLY | O_CREAT), EPERM);
  EXPECT_EQ(open_errno(none, O_WRONLY | O_CREAT | O_EXCL), EPERM);
  EXPECT_EQ(make(none), EPERM);
  put(at("cache/plain"), "x");
  EXPECT_EQ(errno_of(::rename(at("cache/plain").c_str(), at(none).c_str())), EPERM);
  set(key, "1");
  EXPECT_EQ(errno_of(::rename(at("cache/plain").c_str(), at(name).c_str())), EPERM);
  EXPECT_EQ(open_errno(name, O_WRONLY | O_CREAT | O_EXCL), EEXIST);
  // No hash, so no name of a key.
  for (const std::string& wrong : {std::string("%@sha256-"), "%@sha256-" + std::string(64, 'A'),
                                   "%@sha256-" + std::string(63, 'a'), std::string("%@md5-00")}) {
    EXPECT_EQ(open_errno("cache/" + wrong), ENOENT) << wrong;
    EXPECT_EQ(open_errno("cache/" + wrong, O_WRONLY | O_CREAT), EINVAL) << wrong;
  }
  EXPECT_EQ(sql("select count(*) from tusk_cache.cache"), "2");
}

TEST_F(CacheNames, a_long_key_that_is_there_is_written_and_renamed) {
  const std::string key(1024, 'k'), name = "cache/" + hashed(key);
  set(key, "1");
  put(at(name), "two");
  EXPECT_EQ(read(name), "two");
  ASSERT_EQ(sync(name), 0);
  EXPECT_EQ(stored(key), "two");
  append_to(open_file(at(name), O_WRONLY | O_APPEND).get(), " three");
  EXPECT_EQ(stored(key), "two three");
  EXPECT_EQ(read(name), "two three");
  ASSERT_EQ(errno_of(::rename(at(name).c_str(), at("cache/short").c_str())), 0);
  EXPECT_EQ(read("cache/short"), "two three");
  EXPECT_EQ(open_errno(name), ENOENT);
  EXPECT_EQ(names_in(at("cache")), Strings{"short"});
}

TEST_F(CacheNames, a_long_key_that_sql_changes_is_seen) {
  const std::string key = repeated("a/b%", 200), name = "cache/" + hashed(key);
  EXPECT_EQ(open_errno(name), ENOENT);
  for (int i = 0; i < 20; i++) {
    set(key, std::to_string(i));
    EXPECT_TRUE(soon([&] { return present(at(name)) && read(name) == std::to_string(i); })) << i;
  }
  sql("select tusk_cache.del($1)", {key});
  EXPECT_TRUE(soon([&] { return !present(at(name)); }));
}

// A thousand of them, and each is found by the index and not by looking through all keys.
TEST_F(CacheNames, many_long_keys_are_found_by_an_index) {
  sql("select tusk_cache.mset((select jsonb_object_agg(repeat('x', 300) || i, i) "
      "from generate_series(1, 1000) i))");
  sql("select tusk_cache.mset((select jsonb_object_agg('k' || i, i) "
      "from generate_series(1, 20000) i))");
  sql_->run("analyze tusk_cache.cache");
  const auto scans = [this](const std::string& column, const std::string& view) {
    sql("select count(pg_terminate_backend(pid)) from pg_stat_activity "
        "where application_name = 'tusk-cache' and datname = current_database()");
    std::this_thread::sleep_for(300ms);
    return std::stoll(sql("select " + column + " from " + view));
  };
  const std::string of_index = "pg_stat_user_indexes where indexrelname = 'cache_long_keys'",
                    of_table = "pg_stat_user_tables where relid = 'tusk_cache.cache'::regclass";
  const auto found = scans("idx_scan", of_index), walked = scans("seq_scan", of_table);
  for (int i = 1; i <= 1000; i++)
    ASSERT_TRUE(present(at("cache/" + hashed(std::string(300, 'x') + std::to_string(i))))) << i;
  EXPECT_GE(scans("idx_scan", of_index) - found, 1000);
  EXPECT_LT(scans("seq_scan", of_table) - walked, 100) << "the sweep's, and of what is terminated";
}

}  // namespace
}  // namespace tusk::test
