// cache/: values by key as files, the same that SQL sees.
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "support/cache_fixture.h"

namespace tusk::test {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

TEST_F(CacheFiles, what_is_written_comes_back_and_sql_sees_json) {
  const std::string json = "{\"b\": 1,   \"a\": [1, 2]}\n", bytes = pattern(300'000);
  put(key("user:123:profile"), json);
  put(key("bytes"), bytes);
  put(key("empty"), "");
  EXPECT_EQ(get(key("user:123:profile")), json);
  EXPECT_TRUE(get(key("bytes")) == bytes);
  EXPECT_EQ(get(key("empty")), "");
  EXPECT_EQ(stat_of(key("bytes")).st_size, 300'000);
  ASSERT_EQ(sync(key("bytes")), 0);
  ASSERT_EQ(sync(key("user:123:profile")), 0);
  EXPECT_EQ(sql_->value("select tusk_cache.get('user:123:profile') ->> 'a'"), "[1, 2]");
  EXPECT_EQ(stored("user:123:profile"), json);
  EXPECT_EQ(sql_->value("select octet_length(tusk_cache.get_bytes('bytes'))"), "300000");
  set("sql", "{\"x\": 1}");
  EXPECT_EQ(get(key("sql")), "{\"x\": 1}");
  EXPECT_EQ(keys(), (Strings{"bytes", "empty", "sql", "user:123:profile"}));
  ASSERT_EQ(::unlink(key("bytes").c_str()), 0);
  EXPECT_EQ(errno_of(::unlink(key("bytes").c_str())), ENOENT);
  EXPECT_EQ(keys(), (Strings{"empty", "sql", "user:123:profile"}));
}

TEST_F(CacheFiles, a_reader_sees_the_old_value_or_the_new_one) {
  const std::string small(10, 'a'), large(100'000, 'b');
  put(key("k"), small);
  const Fd reader = open_file(key("k"), O_RDONLY);
  put(key("k"), large);
  EXPECT_EQ(read_at(reader.get(), 0, 200'000), small);
  EXPECT_TRUE(get(key("k")) == large);
  std::atomic<int> wrong = 0, reads = 0;
  std::jthread watcher([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const std::string seen = get(key("k"));
      if (seen != small && seen != large) wrong++;
      reads++;
    }
  });
  for (int i = 0; i < 500; i++) put(key("k"), i % 2 == 0 ? small : large);
  // Changes by SQL as well.
  for (int i = 0; i < 50; i++)
    sql_->rows("select tusk_cache.set_bytes('k', $1::text::bytea)", {i % 2 == 0 ? small : large});
  watcher.request_stop();
  watcher.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(reads, 0);
}

TEST_F(CacheFiles, writers_and_readers_of_one_key_get_in_at_once) {
  put(key("k"), "first");
  std::atomic<int> refused = 0;
  const auto go_on = [&](int flags) {
    for (int i = 0; i < 1'000; i++) {
      const Fd fd(::open(key("k").c_str(), flags | O_CLOEXEC, 0644));
      if (!fd) refused++;
      if (fd && flags != O_RDONLY && ::write(fd.get(), "value", 5) != 5) refused++;
    }
  };
  {
    std::vector<std::jthread> clients;
    for (const int flags : {O_RDONLY, O_RDONLY, O_WRONLY | O_CREAT | O_TRUNC, O_WRONLY | O_TRUNC})
      clients.emplace_back(go_on, flags);
  }
  EXPECT_EQ(refused, 0);
}

TEST_F(CacheFiles, a_value_set_by_sql_is_seen_and_no_older_one_after_it) {
  set("n", "0");
  int newest = 0;
  for (int i = 1; i <= 200; i++) {
    set("n", std::to_string(i));
    EXPECT_EQ(content_soon(key("n"), std::to_string(i)), std::to_string(i));
    const int again = std::stoi(get(key("n")));
    EXPECT_GE(again, newest);
    newest = again;
  }
  sql_->rows("select tusk_cache.del('n')");
  EXPECT_EQ(content_soon(key("n"), "none"), "none");
  EXPECT_EQ(keys(), Strings{});
  set("n", "7");
  EXPECT_EQ(content_soon(key("n"), "7"), "7");
  sql_->run("truncate tusk_cache.cache");
  EXPECT_EQ(content_soon(key("n"), "none"), "none");
}

TEST_F(CacheFiles, writers_of_both_sides_end_with_the_same_value) {
  std::jthread other([&] {
    Sql sql(server_->conninfo());
    for (int i = 0; i < 300; i++)
      sql.rows("select tusk_cache.set_bytes($1, $2::text::bytea)",
               {"k" + std::to_string(i % 5), "sql" + std::to_string(i)});
  });
  for (int i = 0; i < 1500; i++) {
    const Path path = key("k" + std::to_string(i % 5));
    put(path, "file" + std::to_string(i));
    content(path);
  }
  other.join();
  for (int i = 0; i < 5; i++) {
    const std::string name = "k" + std::to_string(i);
    ASSERT_EQ(sync(key(name)), 0);
    EXPECT_EQ(content_soon(key(name), stored(name)), stored(name));
  }
}

TEST_F(CacheFiles, exclusive_creation_is_nx) {
  EXPECT_EQ(errno_of_open(key("lock"), O_WRONLY | O_CREAT | O_EXCL), 0);
  EXPECT_EQ(errno_of_open(key("lock"), O_WRONLY | O_CREAT | O_EXCL), EEXIST);
  ASSERT_EQ(::unlink(key("lock").c_str()), 0);
  set("lock", "1");
  EXPECT_EQ(errno_of_open(key("lock"), O_WRONLY | O_CREAT | O_EXCL), EEXIST);
  EXPECT_EQ(errno_of_open(key("missing"), O_WRONLY), ENOENT);  // XX
}

TEST_F(CacheFiles, append_edit_and_rename_keep_the_end) {
  put(key("k"), "one");
  ASSERT_EQ(set_xattr(key("k"), "user.tusk.ttl", "900"), 0);
  append_to(open_file(key("k"), O_WRONLY | O_APPEND).get(), " two");
  EXPECT_EQ(get(key("k")), "one two");
  write_at(open_file(key("k"), O_RDWR).get(), "ONE", 0);
  EXPECT_EQ(get(key("k")), "ONE two");
  ASSERT_EQ(::truncate(key("k").c_str(), 3), 0);
  EXPECT_EQ(get(key("k")), "ONE");
  ASSERT_EQ(::rename(key("k").c_str(), key("other").c_str()), 0);
  EXPECT_EQ(get(key("other")), "ONE");
  EXPECT_EQ(content(key("k")), "none");
  const int left = std::stoi(xattr(key("other"), "user.tusk.ttl"));
  EXPECT_TRUE(left > 800 && left <= 900) << left;
  put(key("other"), "anew");  // set: the default again
  EXPECT_GT(std::stoi(xattr(key("other"), "user.tusk.ttl")), 3000);
}

TEST_F(CacheFiles, a_value_ends_when_it_should) {
  put(key("k"), "x");
  EXPECT_EQ(set_xattr(key("k"), "user.tusk.ttl", "1"), 0);
  EXPECT_EQ(content_soon(key("k"), "none"), "none");
  EXPECT_FALSE(present(key("k")));
  put(key("k"), "y");
  EXPECT_EQ(set_xattr(key("k"), "user.tusk.ttl", "-1"), 0);
  EXPECT_EQ(xattr(key("k"), "user.tusk.ttl"), "-1");
  EXPECT_EQ(sql_->value("select tusk_cache.ttl('k')"), "-1");
  run_ok({"touch", "-d", "+15 minutes", key("k")});
  const int left = std::stoi(xattr(key("k"), "user.tusk.ttl"));
  EXPECT_TRUE(left > 800 && left <= 900) << left;
  EXPECT_EQ(set_xattr(key("k"), "user.tusk.ttl", "soon"), EINVAL);
  EXPECT_EQ(set_xattr(key("k"), "user.tusk.expires_at", "never"), EINVAL);
  EXPECT_EQ(set_xattr(key("k"), "user.other", "x"), ENOTSUP);
  EXPECT_EQ(set_xattr(key("k"), "user.tusk.ttl", "0"), 0);  // as expire with no time left
  EXPECT_EQ(content_soon(key("k"), "none"), "none");
}

TEST_F(CacheFiles, what_has_ended_is_swept) {
  put(key("warm"), "x");
  sql_->rows("select tusk_cache.set('k' || i, '1', '1 ms') from generate_series(1, 3000) i");
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (sql_->number("select count(*) from tusk_cache.cache") > 1 &&
         std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(200ms);
  EXPECT_EQ(sql_->number("select count(*) from tusk_cache.cache"), 1);
}

TEST_F(CacheFiles, any_key_is_a_name) {
  const Strings names = {"a/b",       "100%", ".hidden", "..",        "\xc3\xa4\xf0\x9f\x90\x98",
                         "new\nline", " ",    "-rf",     "'quoted\"", "a.b",
                         "%2F"};
  for (const std::string& name : names) sql_->rows("select tusk_cache.set($1, '1')", {name});
  EXPECT_EQ(keys().size(), names.size());
  for (const std::string& name : keys()) EXPECT_EQ(get(key(name)), "1") << name;
  EXPECT_EQ(get(key("a%2Fb")), "1");
  EXPECT_EQ(get(key("%2Ehidden")), "1");
  EXPECT_EQ(content(key("a%2fb")), "none");  // each key has one name
  EXPECT_EQ(errno_of_open(key("%zz"), O_WRONLY | O_CREAT), EINVAL);
  EXPECT_EQ(errno_of_open(key("\xff"), O_WRONLY | O_CREAT), EILSEQ);
  EXPECT_EQ(errno_of_open(key(std::string(256, 'x')), O_WRONLY | O_CREAT), ENAMETOOLONG);
  put(key("x%2Fy"), "slash");
  ASSERT_EQ(sync(key("x%2Fy")), 0);
  EXPECT_EQ(stored("x/y"), "slash");
}

TEST_F(CacheFiles, what_is_no_value_is_refused) {
  EXPECT_EQ(errno_of(::mkdir(key("folder").c_str(), 0755)), EPERM);
  EXPECT_EQ(errno_of(::symlink("x", key("link").c_str())), EPERM);
  put(key("k"), "x");
  EXPECT_EQ(errno_of(::link(key("k").c_str(), key("l").c_str())), EPERM);
  EXPECT_EQ(errno_of(::chmod(key("k").c_str(), 0600)), EPERM);
  EXPECT_EQ(errno_of(::rename(key("k").c_str(), (mount_->path() / "k").c_str())), EXDEV);
  EXPECT_EQ(errno_of(::rmdir((mount_->path() / ".tusk/cache").c_str())), EPERM);
  {
    const Fd fd = open_file(key("large"), O_WRONLY | O_CREAT | O_TRUNC);
    const std::string bytes = zeros(9 << 20);
    ssize_t written = 0;
    while (written >= 0) written = ::write(fd.get(), bytes.data(), bytes.size());
    EXPECT_EQ(errno, EFBIG);
  }
  EXPECT_EQ(content(key("large")), "none");  // no part of it
  put(key("large"), zeros(8 << 20));
  EXPECT_EQ(get(key("large")).size(), std::size_t{8 << 20});
}

// Keys that are too long for a name lie where pages of the listing end.
TEST_F(CacheFiles, long_keys_hide_no_others) {
  sql_->rows(
      "select tusk_cache.mset((select jsonb_object_agg('k' || lpad(i::text, 5, '0') || "
      "case when i between 900 and 2100 then repeat('x', 300) else '' end, i) "
      "from generate_series(1, 3000) i))");
  const Strings names = keys();
  EXPECT_EQ(names.size(), 3000u);
  EXPECT_EQ(std::ranges::count_if(names, [](const auto& n) { return n.starts_with("%@"); }), 1201);
}

TEST_F(CacheFiles, a_value_that_is_refused_takes_no_other_with_it) {
  declared_ = {"not stored"};
  sql_->run("update tusk_cache.settings set max_value = 100");
  for (int i = 0; i < 50; i++) put(key("before" + std::to_string(i)), "x");
  {
    const Fd fd = open_file(key("large"), O_WRONLY | O_CREAT | O_TRUNC);
    append_to(fd.get(), zeros(200));
    for (int i = 0; i < 50; i++) put(key("after" + std::to_string(i)), "x");
    EXPECT_EQ(errno_of(::fsync(fd.get())), EFBIG);
  }
  EXPECT_EQ(content(key("large")), "none");
  ASSERT_EQ(sync(key("after49")), 0);
  EXPECT_EQ(sql_->number("select count(*) from tusk_cache.cache"), 100);
}

TEST_F(CacheFiles, many_keys_are_listed_in_pages) {
  sql_->rows(
      "select tusk_cache.mset((select jsonb_object_agg('k' || i, i) from "
      "generate_series(1, 20000) i))");
  EXPECT_EQ(keys().size(), 20'000u);
  EXPECT_EQ(get(key("k19999")), "19999");
  EXPECT_EQ(run_ok({"sh", "-c", "ls " + (mount_->path() / ".tusk/cache").string() + " | wc -l"}),
            "20000\n");
}

TEST_F(CacheFiles, without_the_server_nothing_is_acknowledged_and_after_it_all_is_well) {
  declared_ = {"connect", "server", "terminat", "not stored"};
  put(key("k"), "before");
  ASSERT_EQ(sync(key("k")), 0);
  server_->kill9();
  // Once it is noticed; until then values are on their way, and told to be lost.
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  int closed = 0;
  while (closed == 0 && std::chrono::steady_clock::now() < deadline) {
    const int fd = ::open(key("new").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0) {
      closed = errno;
      break;
    }
    append_to(fd, "x");
    closed = errno_of(::close(fd));
  }
  EXPECT_EQ(closed, EIO);
  server_->start();
  sql_ = std::make_unique<Sql>(server_->conninfo());
  EXPECT_EQ(content_soon(key("k"), "none"), "none");  // a crash empties the cache
  put(key("k"), "after");
  ASSERT_EQ(sync(key("k")), 0);
  EXPECT_EQ(stored("k"), "after");
}

TEST_F(CacheFiles, two_mounts_see_one_cache) {
  TempFolder temp;
  const Path folder = temp.path() / "side";
  make_folder(folder);
  run_ok({TUSKFS_BINARY, "sidecar", server_->conninfo(), folder});
  put(key("k"), "one");
  EXPECT_EQ(content_soon(folder / "cache/k", "one"), "one");
  put(folder / "cache/k", "two");
  EXPECT_EQ(content_soon(key("k"), "two"), "two");
  EXPECT_EQ(names_in(folder), (Strings{"cache", "flags", "ratelimit", "sessions", "stats"}));
  run_ok({TUSKFS_BINARY, "umount", folder});
}

TEST_F(CacheFiles, the_folders_are_in_the_root_where_that_is_wished_for) {
  EXPECT_EQ(names_in(mount_->path() / ".tusk"),
            (Strings{"at", "cache", "flags", "history", "ratelimit", "sessions", "snapshots",
                     "stats", "trash"}));
  EXPECT_EQ(names_in(mount_->path()), Strings{});
  put(mount_->path() / "file", "x");
  mount_->unmount();
  mount_->mount({"--sidecar"});
  EXPECT_EQ(names_in(mount_->path()),
            (Strings{"cache", "file", "flags", "ratelimit", "sessions", "stats"}));
  put(mount_->path() / "cache/k", "v");
  EXPECT_EQ(get(mount_->path() / "cache/k"), "v");
  EXPECT_EQ(errno_of(::mkdir((mount_->path() / "stats").c_str(), 0755)), EEXIST);
  EXPECT_EQ(errno_of(::rmdir((mount_->path() / "stats").c_str())), EPERM);
  EXPECT_FALSE(get(mount_->path() / "stats/score").empty());
  mount_->unmount();
  mount_->mount({});
  make_folder(mount_->path() / "stats");
  mount_->unmount();
  try {
    mount_->mount({"--sidecar"});
    ADD_FAILURE() << "mounted over a name of the tree";
  } catch (const std::exception& e) {
    EXPECT_NE(std::string(e.what()).find("stats"), std::string::npos) << e.what();
  }
  mount_->mount({});
}

TEST_F(CacheFiles, what_is_closed_before_an_unmount_is_stored) {
  for (int i = 0; i < 300; i++) put(key("k" + std::to_string(i)), std::to_string(i));
  mount_->unmount();
  EXPECT_EQ(sql_->value("select count(*) from tusk_cache.cache"), "300");
  mount_->mount();
}

}  // namespace
}  // namespace tusk::test
