// What people do with a filesystem, with the programs they do it with.
#include <unistd.h>

#include "support/fs_fixture.h"
#include "support/fs_snapshot.h"

namespace tusk::test {
namespace {

class RealInputTest : public FsTest {
 protected:
  std::string sh(const std::string& script, const Path& where) {
    return run_ok({"sh", "-ec", script}, {.env = {{"GIT_CONFIG_GLOBAL", "/dev/null"},
                                                  {"GIT_AUTHOR_NAME", "Test"},
                                                  {"GIT_AUTHOR_EMAIL", "test@example.org"},
                                                  {"GIT_COMMITTER_NAME", "Test"},
                                                  {"GIT_COMMITTER_EMAIL", "test@example.org"}},
                                          .cwd = where,
                                          .timeout = std::chrono::minutes(3)});
  }
  std::string sh(const std::string& script) { return sh(script, dir()); }
};

TEST_F(RealInputTest, usr_include_copied_is_usr_include) {
  sh("cp -a /usr/include . && diff -r --no-dereference /usr/include include");
  const SnapshotOptions compared{.xattrs = false};
  for (const std::string& line :
       differences(snapshot_of("/usr/include", compared), snapshot_of(at("include"), compared)))
    ADD_FAILURE() << line;
}

TEST_F(RealInputTest, rsync_finds_nothing_to_do_the_second_time) {
  sh("rsync -a --checksum /usr/include/ mirror/");
  EXPECT_EQ(sh("rsync -a --checksum --itemize-changes /usr/include/ mirror/"), "");
  EXPECT_EQ(sh("rsync -a --delete --itemize-changes mirror/ /usr/include/ --dry-run"), "");
}

TEST_F(RealInputTest, tar_gives_back_what_it_was_given) {
  sh("mkdir tree && cp -r /usr/include/linux tree/ && ln tree/linux/fs.h tree/hard && "
     "ln -s linux tree/soft && mkfifo tree/fifo && truncate -s 5M tree/hole && "
     "tar --format=posix -cf tree.tar tree && mkdir out && tar -xpf tree.tar -C out");
  for (const std::string& line : differences(snapshot_of(at("tree")), snapshot_of(at("out/tree"))))
    ADD_FAILURE() << line;
}

TEST_F(RealInputTest, a_git_clone_has_a_sound_history_and_can_go_on) {
  const TempFolder source;
  sh("git init -q -b main origin && cd origin && cp -r /usr/include/linux . && git add -A && "
     "git commit -q -m first && "
     "for i in 1 2 3 4 5 6 7 8 9 10; do echo $i >> linux/fs.h; git commit -q -a -m $i; done",
     source.path());
  sh("git clone -q 'file://" + source.path().string() + "/origin' clone");
  EXPECT_EQ(sh("cd clone && git fsck --full --strict --no-dangling 2>&1"), "");
  EXPECT_EQ(sh("cd clone && git status --porcelain"), "");
  sh("cd clone && git checkout -q -b work && git mv linux moved && git commit -q -m moved && "
     "git gc -q && git checkout -q main && git merge -q work");
  EXPECT_EQ(sh("cd clone && git fsck --full --no-dangling 2>&1 && git status --porcelain"), "");
  EXPECT_EQ(sh("cd clone && git rev-list --count HEAD"), "12\n");
}

TEST_F(RealInputTest, a_c_project_is_built_by_make) {
  std::string objects, calls, declarations;
  for (int i = 0; i < 20; i++) {
    const std::string n = std::to_string(i);
    put(at("part" + n + ".c"),
        "#include \"all.h\"\nint part" + n + "(void) { return " + n + "; }\n");
    objects += " part" + n + ".o";
    declarations += "int part" + n + "(void);\n";
    calls += " + part" + n + "()";
  }
  put(at("all.h"), declarations);
  put(at("main.c"), "#include <stdio.h>\n#include \"all.h\"\nint main(void) { printf(\"%d\\n\", 0" +
                        calls + "); return 0; }\n");
  put(at("Makefile"),
      "program: main.o" + objects + "\n\tcc -o $@ $^\n%.o: %.c all.h\n\tcc -c $<\n");
  sh("make -j2");
  EXPECT_EQ(sh("./program"), "190\n");
  EXPECT_NE(sh("make").find("up to date"), std::string::npos);
  sh("touch part3.c");
  const std::string again = sh("make");
  EXPECT_NE(again.find("part3"), std::string::npos);
  EXPECT_EQ(again.find("-c part4"), std::string::npos);
}

TEST_F(RealInputTest, sqlite_is_whole_after_concurrent_writers) {
  for (const std::string& mode : {std::string("delete"), std::string("wal")}) {
    const std::string database = mode + ".db";
    sh("sqlite3 " + database + " 'pragma journal_mode = " + mode +
       "; create table t (writer int, n int, filler text);'");
    std::vector<Child> writers;
    for (int w = 0; w < 3; w++) {
      writers.emplace_back(std::vector<std::string>{
          "sh", "-ec",
          "cd '" + dir().string() +
              "'; i=0; while [ $i -lt 40 ]; do sqlite3 -cmd '.timeout 60000' " + database +
              " \"insert into t values (" + std::to_string(w) +
              ", $i, hex(randomblob(500)))\"; i=$((i+1)); done"});
    }
    for (Child& writer : writers) {
      const Finished finished = writer.wait(std::chrono::seconds(120));
      EXPECT_TRUE(finished.ok()) << finished.err;
    }
    EXPECT_EQ(sh("sqlite3 " + database + " 'pragma integrity_check'"), "ok\n");
    EXPECT_EQ(sh("sqlite3 " + database + " 'select count(distinct writer || n), count(*) from t'"),
              "120|120\n");
  }
}

TEST_F(RealInputTest, editors_way_of_saving_keeps_the_last_text) {
  put(at("text"), "first");
  for (int i = 0; i < 50; i++) {
    put(at("text~new"), "version " + std::to_string(i));
    ASSERT_EQ(::fsync(open_file(at("text~new"), O_RDONLY).get()), 0);
    ASSERT_EQ(::rename(at("text~new").c_str(), at("text").c_str()), 0);
    ASSERT_EQ(get(at("text")), "version " + std::to_string(i));
  }
  EXPECT_EQ(names_in(dir()), std::vector<std::string>{"text"});
}

TEST_F(RealInputTest, dd_with_fsync_and_seek_writes_what_it_should) {
  sh("dd if=/usr/bin/git of=copy bs=7777 conv=fsync status=none && cmp /usr/bin/git copy && "
     "dd if=/usr/bin/git of=copy bs=4096 seek=100 skip=100 count=10 conv=notrunc status=none && "
     "cmp /usr/bin/git copy");
}

}  // namespace
}  // namespace tusk::test
