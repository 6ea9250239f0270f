// SQL clients and two mounts at random on the same names and files, the clients in transactions of
// one to four changes, some of them rolled back: every outcome equals a serial one, what was rolled
// back never was, and nobody is told of a deadlock. $TUSKFS_SEED repeats the choices,
// $TUSKFS_STRESS_SECONDS sets how long they work.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "support/fs_fixture.h"
#include "support/fs_server.h"
#include "support/fs_snapshot.h"
#include "support/fs_sql.h"
#include "support/stress_worker.h"

namespace tusk::test {
namespace {

using namespace std::chrono_literals;

// Those that are written in place keep their file: who has it open writes to what others read.
const std::vector<Cell> kCells = {{"cell0", Cell::Way::in_place},
                                  {"cell1", Cell::Way::in_place},
                                  {"swap0", Cell::Way::swapped},
                                  {"swap1", Cell::Way::swapped}};
const NameSpace kNames = {{{"f/a"}, {"f/b"}, {"f/c"}}};

constexpr Moment kAMoment = 1'000'000'000;  // README: mounts show what SQL commits within a second

constexpr int kMoney = 1000;

std::string hex(const std::string& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "\\x";
  for (const char c : bytes) {
    text += kDigits[static_cast<unsigned char>(c) >> 4];
    text += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}
std::string path_of(const std::string& name) { return "/stress/" + name; }

// Things of which each can be had once: tokens appended to the log, names taken by one alone.
class Claims {
 public:
  void appended(const std::string& token) {
    const std::lock_guard lock(mutex_);
    tokens_.insert(token);
  }
  void took(int name, const std::string& by) {
    const std::lock_guard lock(mutex_);
    takers_[name].push_back(by);
  }
  int some_name(std::uint64_t choice) {
    if (choice % 8 == 0) newest_++;
    return std::max(0, newest_ - static_cast<int>(choice / 8 % 6));
  }

  std::set<std::string> tokens_;
  std::map<int, std::vector<std::string>> takers_;

 private:
  std::mutex mutex_;
  std::atomic<int> newest_ = 0;
};

class SqlWriter {
 public:
  SqlWriter(Histories& histories, Claims& claims, const std::string& conninfo, std::string by,
            std::uint64_t seed)
      : histories_(histories),
        claims_(claims),
        sql_(conninfo),
        by_(by),
        chance_(histories, by, seed) {}

  void step() {
    switch (chance_.below(6)) {
      case 0:
        return read_cell();
      case 1:
        return count_money();
      case 2:
        return change_name();
      default:
        return transact();
    }
  }
  std::size_t commits() const { return commits_; }
  std::size_t rollbacks() const { return rollbacks_; }

 private:
  // Part of a transaction; what it means is noted once that has committed.
  struct Part {
    std::string path;
    std::function<void()> run;
    std::function<void(Span)> note;
  };

  // Of clients that lock the same things in different orders PostgreSQL ends one, as anywhere;
  // these go folder by folder, either by functions, which lock a folder first, or by rows alone.
  void transact() {
    std::vector<Part> parts;
    const bool by_rows = chance_.below(2) == 0;
    for (std::uint64_t n = 1 + chance_.below(4); n > 0; n--) parts.push_back(some_part(by_rows));
    std::ranges::stable_sort(parts, {}, [](const Part& part) {
      const std::size_t slash = part.path.rfind('/');
      return std::pair(part.path.substr(0, slash), part.path.substr(slash));
    });
    const bool commit = chance_.below(5) != 0;
    Span span{.begun = moment_now()};
    const bool done = in_transaction(commit, [&] {
      for (const Part& part : parts) part.run();
    });
    span.ended = moment_now();
    if (!done) return;
    for (const Part& part : parts) part.note(span);
  }

  template <class Fn>
  bool in_transaction(bool commit, Fn body) {
    try {
      sql_.run("begin");
      body();
      sql_.run(commit ? "commit" : "rollback");
      (commit ? commits_ : rollbacks_)++;
      return commit;
    } catch (const SqlError& error) {
      refused(error);
      sql_.run("rollback");
      rollbacks_++;
      return false;
    }
  }
  // That a name is taken, or nothing is there, are answers; others are not.
  void refused(const SqlError& error) {
    static const std::set<std::string> kAnswers = {"42710", "23505", "58P01"};
    if (!kAnswers.contains(error.state))
      histories_.surprise(by_ + ": " + error.state + " " + error.what());
  }

  Part some_part(bool by_rows) {
    switch (chance_.below(4)) {
      case 0:
        return claim(by_rows);
      case 1:
        return by_rows ? move_money() : append();
      default:
        return write_cell(by_rows);
    }
  }

  Part write_cell(bool by_rows) {
    const Cell& cell = chance_.some_cell();
    const std::string value = chance_.new_value(), body = hex(body_of(cell, value));
    const std::string path = path_of(cell.name);
    Part part{path, {}, [this, &cell, value](Span span) {
                histories_.add(
                    cell,
                    RegisterWrite{.value = value, .span = span, .shown = span.ended + kAMoment});
              }};
    if (by_rows) {
      // A file that is being replaced may have lost its name by the time that its row is had.
      part.run = [this, path, body] {
        const auto found =
            sql_.rows("update tusk.files set data = $2 where id = tusk.resolve($1) returning id",
                      {path, body});
        if (found.size() != 1 || sql_.value("select tusk.resolve($1)", {path}) != found[0][0])
          throw SqlError(path + " is another file by now", "58P01");
      };
    } else if (cell.way == Cell::Way::swapped && chance_.below(2) == 0) {
      part.run = [this, path, body, value] {
        sql_.rows("select tusk.write_file($1, $2)", {path + "." + value, body});
        sql_.rows("select tusk.move($1, $2, overwrite => true)", {path + "." + value, path});
      };
    } else {
      part.run = [this, path, body] { sql_.rows("select tusk.write_file($1, $2)", {path, body}); };
    }
    return part;
  }

  Part append() {
    const std::string token = chance_.new_value();
    return {path_of("log"),
            [this, token] {
              sql_.rows("select tusk.append_file($1, $2)", {path_of("log"), hex(token + "\n")});
            },
            [this, token](Span) { claims_.appended(token); }};
  }

  Part claim(bool by_rows) {
    const int name = claims_.some_name(chance_.below(1000));
    const std::string path = path_of("once/n" + std::to_string(name));
    const std::uint64_t way = chance_.below(2) + (by_rows ? 2 : 0);
    return {path,
            [this, path, way, name] {
              if (way == 0)
                sql_.rows("select tusk.make_folder($1, parents => false)", {path});
              else if (way == 1)
                sql_.rows("select tusk.copy('/stress/source', $1)", {path});
              else if (way == 2)
                sql_.rows(
                    "insert into tusk.files (tenant_id, folder_id, filename, data) "
                    "select d.tenant_id, d.id, $1, '' from tusk.folders d "
                    "where d.id = tusk.resolve('/stress/once')",
                    {"n" + std::to_string(name)});
              else
                sql_.rows(
                    "insert into tusk.folders (tenant_id, parent_id, name) "
                    "select d.tenant_id, d.id, $1 from tusk.folders d "
                    "where d.id = tusk.resolve('/stress/once')",
                    {"n" + std::to_string(name)});
            },
            [this, name](Span) { claims_.took(name, by_); }};
  }

  Part move_money() {
    const int amount = static_cast<int>(chance_.below(100)) - 50;
    return {path_of("money"),
            [this, amount] {
              for (const auto& [name, sum] :
                   {std::pair{"money0", amount}, std::pair{"money1", -amount}})
                sql_.rows(
                    "update tusk.files set data = convert_to((convert_from(data, 'UTF8')::int + "
                    "$2::int)::text, 'UTF8') where id = tusk.resolve($1)",
                    {path_of(name), std::to_string(sum)});
            },
            [](Span) {}};
  }
  void count_money() {
    const std::string sum = sql_.value(
        "select sum(convert_from(f.data, 'UTF8')::int) from tusk.files f "
        "where f.id in (tusk.resolve($1), tusk.resolve($2))",
        {path_of("money0"), path_of("money1")});
    if (sum != std::to_string(kMoney)) histories_.surprise(by_ + ": the money is " + sum);
  }

  // Half of them after the mounts have committed what they have.
  void read_cell() {
    const Cell& cell = chance_.some_cell();
    RegisterRead read{.span = {.begun = moment_now()}, .by = by_};
    const bool done = in_transaction(true, [&] {
      if (chance_.below(2) == 0) sql_.rows("select tusk.begin_write()");
      read.value = sql_.value("select encode(tusk.read_file($1), 'hex')", {path_of(cell.name)});
    });
    read.span.ended = moment_now();
    if (!done) return histories_.surprise(by_ + " cannot read " + cell.name);
    read.value = value_of(cell, from_hex(read.value));
    histories_.add(cell, read);
  }
  static std::string from_hex(const std::string& text) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
      bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
    return bytes;
  }

  // One change alone, as a step of the names' history.
  void change_name() {
    using Kind = NameStep::Kind;
    static constexpr Kind kKinds[] = {Kind::create, Kind::unlink, Kind::rename,
                                      Kind::rename_noreplace};
    const int count = static_cast<int>(kNames.names.size());
    NameStep step{.kind = kKinds[chance_.below(std::size(kKinds))],
                  .name = static_cast<int>(chance_.below(kNames.names.size())),
                  .by = by_};
    const auto path = [](int name) {
      return path_of(kNames.names[static_cast<std::size_t>(name)].path);
    };
    const bool moves = step.kind == Kind::rename || step.kind == Kind::rename_noreplace;
    if (moves) step.other = (step.name + 1 + static_cast<int>(chance_.below(2))) % count;
    step.span.begun = moment_now();
    try {
      if (step.kind == Kind::create)
        sql_.rows(
            "insert into tusk.files (tenant_id, folder_id, filename, data) "
            "select d.tenant_id, d.id, $1, '' from tusk.folders d "
            "where d.id = tusk.resolve('/stress/f')",
            {path(step.name).substr(path_of("f/").size())});
      else if (step.kind == Kind::unlink)
        sql_.rows("select tusk.delete($1)", {path(step.name)});
      else
        sql_.rows("select tusk.move($1, $2, overwrite => $3)",
                  {path(step.name), path(step.other), step.kind == Kind::rename ? "t" : "f"});
    } catch (const SqlError& error) {
      refused(error);
      step.outcome = error.state == "58P01" ? ENOENT : EEXIST;
    }
    step.span.ended = moment_now();
    histories_.add(step);
  }

  Histories& histories_;
  Claims& claims_;
  Sql sql_;
  std::string by_;
  StressWorker chance_;
  std::size_t commits_ = 0, rollbacks_ = 0;
};

class SqlAndMountsTest : public OwnMountTest {
 protected:
  void SetUp() override {
    OwnMountTest::SetUp();
    if (IsSkipped()) return;
    seed_ = stress_seed();
    for (int i = 0; i < 2; i++)
      mounts_.push_back(std::make_unique<Mount>(MountSetup{.database = server_.conninfo()}));
    const Path stress = stress_at(0);
    make_folder(stress);
    make_folder(stress / "f");
    make_folder(stress / "once");
    for (const char* name : {"target", "source", "log"}) put(stress / name, "");
    put(stress / "money0", std::to_string(kMoney));
    put(stress / "money1", "0");
    for (const Cell& cell : kCells) put(stress / cell.name, body_of(cell, Histories::kFirstValue));
  }
  void TearDown() override {
    for (const auto& mount : mounts_) expect_sound(*mount);
    if (mounts_.empty()) return;
    EXPECT_NO_THROW(run_ok({TUSKFS_BINARY, "fsck", server_.conninfo()}));
    EXPECT_NO_THROW(run_ok({TUSKFS_BINARY, "quota", "check", server_.conninfo()}));
  }
  Path stress_at(std::size_t mount) const { return mounts_[mount]->path() / "stress"; }

  void work_on_mount(std::size_t mount, const std::string& by, std::uint64_t seed) {
    StressWorker self(histories_, by, seed);
    const Fd root = open_file(stress_at(mount), O_RDONLY | O_DIRECTORY);
    while (!enough_) {
      switch (self.below(8)) {
        case 0:
        case 1:
          self.write(root.get(), self.some_cell());
          break;
        case 2:
        case 3:
          self.read(root.get(), self.some_cell(), true);
          break;
        case 4:
        case 5:
          self.change_files(root.get());  // SQL has one verb to delete either kind
          break;
        case 6:
          append(self, root.get());
          break;
        default:
          claim(self, root.get(), by);
      }
    }
  }
  void append(StressWorker& self, int root) {
    const std::string token = self.new_value(), line = token + "\n";
    const Fd log(::openat(root, "log", O_WRONLY | O_APPEND | O_CLOEXEC));
    if (log && ::write(log.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()))
      claims_.appended(token);
    else
      histories_.surprise("a mount cannot append: " + std::to_string(errno));
  }
  void claim(StressWorker& self, int root, const std::string& by) {
    const int name = claims_.some_name(self.below(1000));
    const std::string path = "once/n" + std::to_string(name);
    int code = 0;
    bool links = false;
    if (self.below(3) == 0) {
      code = errno_of(::mkdirat(root, path.c_str(), 0755));
    } else if (self.below(2) == 0) {
      links = true;
      code = errno_of(::linkat(root, "target", root, path.c_str(), 0));
    } else {
      const Fd made(::openat(root, path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
      code = made ? 0 : errno;
    }
    if (code == 0) claims_.took(name, by);
    // The kernel may think that the last name of `target` is going (README, "Several mounts").
    const bool is_known = code == 0 || code == EEXIST || (links && code == ENOENT);
    if (!is_known)
      histories_.surprise(by + (links ? " links " : " makes ") + path + ": " + std::strerror(code));
  }

  void run_all(std::chrono::seconds time) {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < 4; i++)
      threads.emplace_back([this, i] { work_on_mount(i % 2, "m" + std::to_string(i), seed_ + i); });
    for (std::uint64_t i = 0; i < 4; i++)
      threads.emplace_back([this, i] {
        SqlWriter writer(histories_, claims_, server_.conninfo(), "s" + std::to_string(i),
                         seed_ + 100 + i);
        try {
          while (!enough_) writer.step();
        } catch (const std::exception& error) {
          histories_.surprise(error.what());
        }
        commits_ += writer.commits();
        rollbacks_ += writer.rollbacks();
      });
    std::this_thread::sleep_for(time);
    enough_ = true;
  }

  void expect_every_token_once() {
    std::istringstream log(get(stress_at(0) / "log"));
    std::multiset<std::string> found;
    for (std::string line; std::getline(log, line);) found.insert(line);
    EXPECT_EQ(std::multiset<std::string>(claims_.tokens_.begin(), claims_.tokens_.end()), found);
  }
  void expect_every_name_once() {
    std::set<std::string> taken;
    for (const auto& [name, by] : claims_.takers_) {
      EXPECT_EQ(by.size(), 1u) << "n" << name << ": " << ::testing::PrintToString(by);
      taken.insert("n" + std::to_string(name));
    }
    const std::vector<std::string> found = names_in(stress_at(1) / "once");
    EXPECT_EQ(taken, std::set<std::string>(found.begin(), found.end()));
  }
  void expect_agreement() {
    const auto seen_by = [&](std::size_t i) {
      return snapshot_of(stress_at(i), {.xattrs = false});
    };
    EXPECT_TRUE(eventually([&] { return differences(seen_by(0), seen_by(1)).empty(); }, 2s))
        << ::testing::PrintToString(differences(seen_by(0), seen_by(1)));
  }

  std::uint64_t seed_ = 0;
  Server server_;
  std::vector<std::unique_ptr<Mount>> mounts_;
  Histories histories_{kCells, kNames};
  Claims claims_;
  std::atomic<bool> enough_ = false;
  std::atomic<std::size_t> commits_ = 0, rollbacks_ = 0;
};

TEST_F(SqlAndMountsTest, every_outcome_is_that_of_some_serial_order) {
  run_all(stress_time(20s));
  const Histories::Counts counts = histories_.counts();
  std::cout << counts.writes << " writes, " << counts.reads << " reads, " << counts.changes
            << " changes of names, " << counts.refusals << " refusals and looks, "
            << claims_.tokens_.size() << " tokens, " << claims_.takers_.size() << " names taken, "
            << commits_ << " commits, " << rollbacks_ << " rollbacks" << std::endl;
  for (const std::string& fault : histories_.faults(Order::close_to_open, kAMoment))
    ADD_FAILURE() << fault << "\nTUSKFS_SEED=" << seed_;
  std::this_thread::sleep_for(1s);  // mounts show what SQL commits within that
  expect_every_token_once();
  expect_every_name_once();
  expect_agreement();
  // Workers that got nowhere prove nothing.
  EXPECT_GT(commits_, 10u);
  EXPECT_GT(rollbacks_, 2u);
  EXPECT_GT(counts.changes, 10u);
}

}  // namespace
}  // namespace tusk::test
