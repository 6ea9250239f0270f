// sessions/: what an application keeps of its clients, and what all keyed folders have in common.
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "support/fs_server.h"
#include "support/keyed_fixture.h"

namespace tusk::test {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;
using Json = nlohmann::json;

class KeyedSessions : public KeyedTest {
 protected:
  struct Session {
    std::string token, file;
  };
  Session begin(const std::string& data, const std::string& ttl = "1 day") {
    const std::string token =
        sql("select tusk_cache.session_create('ann', $1::jsonb, $2::interval)", {data, ttl});
    return {token, "sessions/" + sql("select encode(tusk_cache.sid_hash($1), 'hex')", {token})};
  }
};

TEST_F(KeyedSessions, they_are_listed_by_hash_and_found_by_token_too) {
  const Session one = begin("{\"cart\": [1]}"), two = begin("{}");
  Strings files = {one.file.substr(9), two.file.substr(9)};
  std::ranges::sort(files);
  EXPECT_EQ(names_in(at("sessions")), files);
  EXPECT_EQ(names_in(at("sessions/.ttl")), files);
  EXPECT_EQ(permissions_of(at("sessions")), 0700u);
  EXPECT_EQ(permissions_of(at("sessions/.ttl")), 0700u);
  EXPECT_EQ(permissions_of(at(one.file)), 0600u);
  EXPECT_EQ(read(one.file), "{\"cart\": [1]}\n");
  EXPECT_EQ(stat_of(at(one.file)).st_size, 14);
  EXPECT_EQ(read("sessions/" + one.token), "{\"cart\": [1]}\n");
  EXPECT_EQ(stat_of(at("sessions/" + one.token)).st_ino, stat_of(at(one.file)).st_ino);
  EXPECT_EQ(names_in(at("sessions")), files);  // still no token
  EXPECT_EQ(get(mount_->path().parent_path() / "log").find(one.token), std::string::npos);
  EXPECT_EQ(open_errno("sessions/" + std::string(64, 'a')), ENOENT);
  EXPECT_EQ(open_errno("sessions/new", O_WRONLY | O_CREAT), EPERM);
  EXPECT_EQ(make("sessions/new"), EPERM);
}

TEST_F(KeyedSessions, json_is_written_as_a_whole) {
  const Session session = begin("{\"cart\": [1]}");
  EXPECT_EQ(write(session.file, "{\"cart\": [1, 2]}\n"), 0);
  EXPECT_EQ(sql("select tusk_cache.session_get($1)", {session.token}), "{\"cart\": [1, 2]}");
  EXPECT_EQ(write("sessions/" + session.token, {"{\"a\"", ": ", "1}"}), 0);
  EXPECT_EQ(read(session.file), "{\"a\": 1}\n");
  for (const char* wrong : {"{", "{}}", "no", "\n", "\"\\u0000\"", "\"\xff\""})
    EXPECT_EQ(write(session.file, wrong), EINVAL) << wrong;
  EXPECT_EQ(read(session.file), "{\"a\": 1}\n");
  const std::string large = Json{{"text", std::string(5 << 20, 'x')}}.dump(1);
  put(at(session.file), large);
  EXPECT_EQ(Json::parse(read(session.file)), Json::parse(large));
  EXPECT_EQ(write(session.file, {"\"", std::string(8 << 20, 'x'), "\""}), EFBIG);
  EXPECT_EQ(Json::parse(read(session.file)), Json::parse(large));
  // A part is changed within what there is.
  put(at(session.file), "{\"n\": 1}");
  write_at(open_file(at(session.file), O_RDWR).get(), "2", 6);
  EXPECT_EQ(read(session.file), "{\"n\": 2}\n");
  EXPECT_EQ(run_ok({"sh", "-c", "echo '[3]' > " + at(session.file).string()}), "");
  EXPECT_EQ(read(session.file), "[3]\n");
  EXPECT_EQ(sql("select tusk_cache.session_user_id($1)", {session.token}), "ann");
}

TEST_F(KeyedSessions, they_end) {
  const Session session = begin("{}", "1 hour"), brief = begin("{}", "1 millisecond");
  ::usleep(5000);
  EXPECT_EQ(open_errno(brief.file), ENOENT);
  EXPECT_EQ(open_errno("sessions/" + brief.token), ENOENT);
  EXPECT_EQ(names_in(at("sessions")).size(), 1u);
  const std::string ttl = "sessions/.ttl/" + session.file.substr(9);
  EXPECT_EQ(read(ttl), "3600\n");
  EXPECT_EQ(permissions_of(at(ttl)), 0600u);
  EXPECT_EQ(write(ttl, "60\n"), 0);
  EXPECT_EQ(read(ttl), "60\n");
  EXPECT_EQ(write("sessions/.ttl/" + session.token, "-1"), 0);
  EXPECT_EQ(read(ttl), "-1\n");
  sql("select tusk_cache.sweep()");
  EXPECT_EQ(read(session.file), "{}\n");
  EXPECT_EQ(write(ttl, "-5"), EINVAL);
  EXPECT_EQ(write(ttl, "0"), 0);
  EXPECT_EQ(open_errno(session.file), ENOENT);
  EXPECT_EQ(open_errno(ttl), ENOENT);
  const Session other = begin("{}"), third = begin("{}");
  EXPECT_EQ(remove(at(other.file)), 0);
  EXPECT_EQ(sql("select tusk_cache.session_get($1) is null", {other.token}), "t");
  EXPECT_EQ(remove(at("sessions/" + third.token)), 0);
  EXPECT_EQ(names_in(at("sessions")), Strings{});
  EXPECT_EQ(remove(at(third.file)), ENOENT);
}

TEST_F(KeyedSessions, a_long_listing_does_not_ask_for_each) {
  sql_->run(
      "insert into tusk_cache.sessions (sid_hash, data, expires_at) select sha256(i::text::bytea), "
      "to_jsonb(repeat('x', i)), now() + interval '1 hour' from generate_series(1, 2500) i");
  // A connection counts what it did when it ends; the mount makes another.
  const auto transactions = [this] {
    sql("select count(pg_terminate_backend(pid)) from pg_stat_activity "
        "where application_name = 'tusk-cache' and datname = current_database()");
    std::this_thread::sleep_for(300ms);
    return std::stoll(
        sql("select xact_commit from pg_stat_database where datname = current_database()"));
  };
  const auto before = transactions();
  const std::string listed = run_ok({"ls", "-l", at("sessions")});
  EXPECT_EQ(lines_of(listed).size(), 2501u);
  EXPECT_TRUE(holds(listed, " 2503 ")) << "the longest: 2,500 in quotes, and a newline";
  // Three pages, and what the mount and this test do beside.
  const auto asked = transactions() - before;
  EXPECT_TRUE(asked >= 3 && asked < 100) << asked;
}

TEST_F(KeyedSessions, who_waits_for_the_database_holds_up_nobody) {
  ASSERT_EQ(make("flags/f"), 0);
  Sql other(database_);
  other.run("begin; lock table tusk_cache.feature_flags in access exclusive mode");
  std::atomic<bool> answered = false;
  std::jthread reader([&] {
    EXPECT_EQ(read("flags/f/enabled"), "0\n");
    answered = true;
  });
  std::this_thread::sleep_for(200ms);
  EXPECT_FALSE(read("stats/score").empty());
  EXPECT_EQ(names_in(mount_->path()).size(), 5u);
  EXPECT_FALSE(answered);
  const Child impatient({"cat", at("flags/f/enabled")});  // is killed when this ends
  std::this_thread::sleep_for(200ms);
  EXPECT_FALSE(answered);
  other.run("rollback");
  reader.join();
}

TEST(KeyedFolders, are_in_dot_tusk_too_and_a_lost_server_is_told_once) {
  Server server;
  const SidecarMount sidecar(server.conninfo());
  const Path log = sidecar.path().parent_path() / "log";
  const Path flag = sidecar.path() / "flags/f";
  make_folder(flag);
  put(flag / "enabled", "1");
  {
    MountSetup setup;
    setup.database = server.conninfo();
    Mount mount(setup);
    EXPECT_EQ(get(mount.path() / ".tusk/flags/f/enabled"), "1\n");
    put(mount.path() / ".tusk/flags/f/percentage", "5\n");
    EXPECT_EQ(get(flag / "percentage"), "5\n");
    mount.unmount();
    mount.mount({"--sidecar"});
    EXPECT_EQ(get(mount.path() / "flags/f/percentage"), "5\n");
    EXPECT_EQ(get(mount.path() / "cache/.config").substr(0, 11), "default_ttl");
    mount.unmount();
  }
  const Fd fd = open_file(flag / "enabled", O_RDWR);
  server.stop();
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(errno_of_open(flag / "enabled", O_RDONLY), EIO);
    EXPECT_EQ(errno_of(::pwrite(fd.get(), "0", 1, 0)), EIO);
    EXPECT_EQ(errno_of(::mkdir((flag.parent_path() / "g").c_str(), 0755)), EIO);
  }
  int told = 0;
  for (const std::string& line : lines_of(get(log))) told += holds(line, " error ") ? 1 : 0;
  EXPECT_EQ(told, 1) << get(log);
  server.start();
  EXPECT_EQ(get(flag / "enabled"), "1\n");
}

}  // namespace
}  // namespace tusk::test
