#include "support/stress_worker.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "support/fs_calls.h"

namespace tusk::test {
namespace {

// What an operation may say whose mount died, or was cut off from the database.
bool is_cut(int code) {
  return code == EIO || code == ENOTCONN || code == ECONNABORTED || code == ETIMEDOUT;
}

// The errno of writing a whole file through a new descriptor; 0 once it is closed.
int write_file(int root, const std::string& name, int flags, const std::string& body) {
  const int fd = ::openat(root, name.c_str(), O_WRONLY | O_CLOEXEC | flags, 0644);
  if (fd < 0) return errno;
  int code = 0;
  for (std::size_t done = 0; done < body.size() && code == 0;) {
    const ssize_t n = ::write(fd, body.data() + done, body.size() - done);
    if (n < 0) code = errno;
    done += static_cast<std::size_t>(std::max<ssize_t>(n, 0));
  }
  if (::close(fd) != 0 && code == 0) code = errno;
  return code;
}

int read_file(int root, const std::string& name, std::string& body) {
  const int fd = ::openat(root, name.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  char buffer[65536];
  ssize_t n = 0;
  while ((n = ::read(fd, buffer, sizeof buffer)) > 0)
    body.append(buffer, static_cast<std::size_t>(n));
  const int code = n < 0 ? errno : 0;
  ::close(fd);
  return code;
}

int replace_file(int root, const Cell& cell, const std::string& beside) {
  if (cell.way == Cell::Way::swapped_kept) {
    const std::string kept = cell.name + "~";
    if (::unlinkat(root, kept.c_str(), 0) != 0 && is_cut(errno)) return errno;
    if (::linkat(root, cell.name.c_str(), root, kept.c_str(), 0) != 0 && is_cut(errno))
      return errno;
  }
  return errno_of(::renameat(root, beside.c_str(), root, cell.name.c_str()));
}

int look_at(int root, const std::string& name) {
  const int fd = ::openat(root, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno;
  struct stat of {};
  const int code = ::fstat(fd, &of) != 0 ? errno : S_ISDIR(of.st_mode) ? EISDIR : 0;
  ::close(fd);
  return code;
}

int perform(int root, const std::string& name, const std::string& other, NameStep::Kind kind) {
  switch (kind) {
    case NameStep::Kind::create: {
      const int fd = ::openat(root, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
      if (fd < 0) return errno;
      return errno_of(::close(fd));  // by then it is stored
    }
    case NameStep::Kind::make_folder:
      return errno_of(::mkdirat(root, name.c_str(), 0755));
    case NameStep::Kind::remove_folder:
      return errno_of(::unlinkat(root, name.c_str(), AT_REMOVEDIR));
    case NameStep::Kind::unlink:
      return errno_of(::unlinkat(root, name.c_str(), 0));
    case NameStep::Kind::link:
      return errno_of(::linkat(root, "target", root, name.c_str(), 0));
    case NameStep::Kind::rename:
      return errno_of(::renameat(root, name.c_str(), root, other.c_str()));
    case NameStep::Kind::rename_noreplace:
      return errno_of(::renameat2(root, name.c_str(), root, other.c_str(), RENAME_NOREPLACE));
    case NameStep::Kind::look:
      return look_at(root, name);
  }
  return EINVAL;
}

// Refused without asking the mount. The kernel counts a file's names too, without those that others
// make just then: it does not link what seems to have none. And it does not find a folder that
// others have moved while it changes another one.
// It looks at the two names of a rename one after the other, also where they are one.
bool is_the_kernels(const NameStep& step, int outcome) {
  using Kind = NameStep::Kind;
  if (step.kind == Kind::link && outcome == ENOENT) return true;
  const bool is_itself = step.kind == Kind::rename && step.name == step.other;
  if (is_itself && (outcome == EISDIR || outcome == ENOTDIR)) return true;
  return outcome == ESTALE && step.kind != Kind::look;
}

}  // namespace

bool StressWorker::write(int root, const Cell& cell) {
  const std::string value = new_value(), body = body_of(cell, value);
  const bool in_place = cell.way == Cell::Way::in_place;
  const std::string beside = cell.name + "." + value;
  if (!in_place) {
    const int code = write_file(root, beside, O_CREAT | O_EXCL, body);
    if (code != 0 && !is_cut(code))
      histories_.surprise(by_ + " writes " + beside + ": " + ::strerror(code));
    if (code != 0) {
      histories_.cut_short(by_ + " writes " + beside);
      return false;
    }
  }
  RegisterWrite write{.value = value, .span = {.begun = moment_now()}, .empties = in_place};
  const int code =
      in_place ? write_file(root, cell.name, O_TRUNC, body) : replace_file(root, cell, beside);
  (code == 0 ? write.span.ended : write.told) = moment_now();
  histories_.add(cell, write);
  if (code == 0) return true;
  if (!is_cut(code)) histories_.surprise(by_ + " writes " + cell.name + ": " + ::strerror(code));
  histories_.cut_short(by_ + " writes " + cell.name);
  return false;
}

bool StressWorker::read(int root, const Cell& cell, bool may_lag) {
  RegisterRead read{.span = {.begun = moment_now()}, .may_lag = may_lag, .by = by_};
  std::string body;
  const int code = read_file(root, cell.name, body);
  read.span.ended = moment_now();
  if (code != 0) {
    if (!is_cut(code)) histories_.surprise(by_ + " reads " + cell.name + ": " + ::strerror(code));
    histories_.cut_short(by_ + " reads " + cell.name);
    return false;
  }
  read.value = value_of(cell, body);
  histories_.add(cell, read);
  return true;
}

bool StressWorker::change_names(int root) { return change(root, some_step()); }

bool StressWorker::change_files(int root) {
  for (;;) {
    NameStep step = some_step();
    if (step.kind == NameStep::Kind::make_folder || step.kind == NameStep::Kind::remove_folder)
      continue;
    return change(root, std::move(step));
  }
}

bool StressWorker::change(int root, NameStep step) {
  const auto path = [&](int name) {
    return name < 0 ? "" : histories_.names().names[static_cast<std::size_t>(name)].path;
  };
  step.span.begun = moment_now();
  const int outcome = perform(root, path(step.name), path(step.other), step.kind);
  if (is_the_kernels(step, outcome)) return true;
  return note(std::move(step), outcome);
}

bool StressWorker::look(int root, int name) {
  NameStep step{.kind = NameStep::Kind::look, .name = name, .by = by_};
  step.span.begun = moment_now();
  return note(step, look_at(root, histories_.names().names[static_cast<std::size_t>(name)].path));
}

bool StressWorker::note(NameStep step, int outcome) {
  step.outcome = outcome;
  step.certain = !is_cut(outcome);
  (step.certain ? step.span.ended : step.told) = moment_now();
  step.place = place_;
  const bool only_looks = step.kind == NameStep::Kind::look;
  if (!step.certain) histories_.cut_short(to_string(histories_.names(), step));
  if (step.certain || !only_looks) histories_.add(step);
  return step.certain;
}

// Folders are what others are in: they come more often than they go.
NameStep StressWorker::some_step() {
  using Kind = NameStep::Kind;
  static constexpr Kind kKinds[] = {
      Kind::create,        Kind::create, Kind::make_folder, Kind::link,
      Kind::unlink,        Kind::unlink, Kind::rename,      Kind::rename_noreplace,
      Kind::remove_folder, Kind::look,   Kind::rename};
  const auto& names = histories_.names().names;
  const int count = static_cast<int>(names.size());
  const auto is_home = [&](int name) {
    return std::ranges::any_of(names, [&](const auto& n) { return n.inside == name; });
  };
  NameStep step{.kind = kKinds[below(std::size(kKinds))],
                .name = static_cast<int>(below(static_cast<std::uint64_t>(count))),
                .by = by_};
  if (is_home(step.name)) {
    step.kind = below(4) == 0 ? Kind::remove_folder : Kind::make_folder;
  } else if (step.kind == Kind::rename || step.kind == Kind::rename_noreplace) {
    do {
      step.other = static_cast<int>(below(static_cast<std::uint64_t>(count)));
    } while (is_home(step.other));
  }
  return step;
}

}  // namespace tusk::test
