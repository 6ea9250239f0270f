// A crash of the server empties the cache; files, sessions and flags survive.
#include <chrono>
#include <thread>

#include "support/fs_fixture.h"
#include "support/fs_server.h"
#include "support/fs_sql.h"

namespace tusk::test {
namespace {

using namespace std::chrono_literals;

class CacheCrash : public OwnMountTest {};

TEST_F(CacheCrash, empties_the_cache_and_nothing_else) {
  Server server;
  MountSetup setup;
  setup.database = server.conninfo();
  Mount mount(setup);
  const Path top = mount.path() / ".tusk", key = top / "cache/k";
  const auto sync = [](const Path& path) {
    return errno_of(::fsync(open_file(path, O_WRONLY).get()));
  };
  put(mount.path() / "file", "kept");
  ASSERT_EQ(sync(mount.path() / "file"), 0);
  put(key, "gone");
  ASSERT_EQ(sync(key), 0);
  make_folder(top / "flags/search");
  put(top / "flags/search/enabled", "1");
  make_folder(top / "ratelimit/login");
  put(top / "ratelimit/login/10.0.0.7", "3");
  const std::string token =
      Sql(server.conninfo()).value("select tusk_cache.session_create('ann', '{\"n\": 1}')");
  server.crash();
  server.start();
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (errno_of_open(key, O_RDONLY) != ENOENT && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(1ms);
  EXPECT_EQ(errno_of_open(key, O_RDONLY), ENOENT);
  EXPECT_EQ(names_in(top / "cache"), std::vector<std::string>{});
  EXPECT_EQ(get(mount.path() / "file"), "kept");
  EXPECT_EQ(get(top / "flags/search/enabled"), "1\n");
  EXPECT_EQ(get(top / "flags/search/check/ann"), "1\n");
  EXPECT_EQ(get(top / "sessions" / token), "{\"n\": 1}\n");
  // The limit is still the same, and nobody used any of it.
  EXPECT_NE(get(top / "ratelimit/login/10.0.0.7").find("remaining 16\n"), std::string::npos);
  put(key, "after");
  ASSERT_EQ(sync(key), 0);
  Sql sql(server.conninfo());
  EXPECT_EQ(sql.value("select convert_from(tusk_cache.get_bytes('k'), 'UTF8')"), "after");
  EXPECT_EQ(sql.value("select string_agg(relname, ' ' order by relname) from pg_class where "
                      "relnamespace = 'tusk_cache'::regnamespace and relkind = 'r' and "
                      "relpersistence = 'u'"),
            "cache counters rate_limits");
  expect_sound(mount, {"connect", "server", "terminat", "not stored", "cannot be asked for"});
}

}  // namespace
}  // namespace tusk::test
