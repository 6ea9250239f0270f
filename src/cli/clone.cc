// A copy within a tree, by cp(1): it asks the mount to copy whole files, which shares what can be
// shared. Under a hidden name first, so that what bears the name is whole.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "cli/report.h"
#include "cli/verbs.h"

extern char** environ;

namespace tusk::cli {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> failed(const std::string& what, const fs::path& path) {
  return fail(errno, fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno)));
}

Result<void> check(const fs::path& source, const fs::path& target) {
  struct stat from, folder, there;
  if (::lstat(source.c_str(), &from) != 0) return failed("look at", source);
  if (::lstat(target.c_str(), &there) == 0)
    return fail(EEXIST, fmt::format("{} exists", target.string()), "name a place that is free");
  if (::stat(target.parent_path().c_str(), &folder) != 0)
    return failed("look at", target.parent_path());
  if (from.st_dev != folder.st_dev)
    return fail(EXDEV, "the two are not in the same mounted tree", "use cp");
  const fs::path above = fs::weakly_canonical(source), below = fs::weakly_canonical(target);
  const auto relative = below.lexically_relative(above);
  if (!relative.empty() && *relative.begin() != "..")
    return fail(EINVAL, fmt::format("{} is within {}", target.string(), source.string()));
  return {};
}

Result<void> run_cp(const fs::path& source, const fs::path& target) {
  std::string words[] = {"cp", "-a", "-T", "--reflink=auto", "--", source, target};
  char* argv[std::size(words) + 1] = {};
  for (std::size_t i = 0; i < std::size(words); i++) argv[i] = words[i].data();
  pid_t pid = 0;
  errno = ::posix_spawnp(&pid, "cp", nullptr, nullptr, argv, environ);
  if (errno != 0) return failed("run", "cp");
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (status == 0) return {};
  return fail(EIO, fmt::format("{} is not copied", source.string()), "cp says why");
}

Result<void> perform(const CloneRequest& request) {
  const fs::path source = fs::absolute(request.source).lexically_normal();
  fs::path target = fs::absolute(request.target).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();
  TRY(check(source, target));
  const fs::path hidden = target.parent_path() / fmt::format(".clone-{}", ::getpid());
  std::error_code ignored;
  auto copied = run_cp(source, hidden);
  if (copied && ::renameat2(AT_FDCWD, hidden.c_str(), AT_FDCWD, target.c_str(),
                            RENAME_NOREPLACE) != 0)
    copied = failed("rename the copy to", target);
  if (!copied) fs::remove_all(hidden, ignored);
  return copied;
}

}  // namespace

int clone(const CloneRequest& request) {
  const auto done = perform(request);
  return done ? kDone : report(done.error());
}

}  // namespace tusk::cli
