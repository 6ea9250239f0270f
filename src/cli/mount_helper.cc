#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "cli/app.h"
#include "cli/mount_options.h"

namespace tusk::cli {
namespace {

struct Words {
  std::vector<std::string> positional;
  std::vector<std::string> options;
  bool fake = false;
  bool sloppy = false;  // -s: unknown options are let pass
};

// Short flags may stand together, and a value may follow its flag at once, as for getopt(3).
Result<void> take_flags(const std::vector<std::string>& args, std::size_t& at, Words& words) {
  const std::string& arg = args[at];
  for (std::size_t i = 1; i < arg.size(); i++) {
    const char flag = arg[i];
    if (flag == 'o' || flag == 't' || flag == 'N') {
      const bool apart = i + 1 == arg.size();
      if (apart && at + 1 == args.size())
        return fail(EINVAL, fmt::format("option -{} needs a value", flag));
      const std::string value = apart ? args[++at] : arg.substr(i + 1);
      if (flag == 'o') std::ranges::copy(split_options(value), std::back_inserter(words.options));
      return {};
    }
    if (flag == 'r') words.options.emplace_back("ro");
    words.fake = words.fake || flag == 'f';
    words.sloppy = words.sloppy || flag == 's';
    if (std::string_view("sfnvrw").find(flag) == std::string_view::npos)
      return fail(EINVAL, fmt::format("unknown option -{}", flag));
  }
  return {};
}

Result<Words> take_apart(const std::vector<std::string>& args) {
  Words words;
  for (std::size_t i = 0; i < args.size(); i++) {
    if (args[i].size() > 1 && args[i][0] == '-') {
      TRY(take_flags(args, i, words));
    } else {
      words.positional.push_back(args[i]);
    }
  }
  return words;
}

bool given(const std::vector<std::string>& options, const char* either, const char* other) {
  return std::ranges::any_of(options, [&](const auto& o) { return o == either || o == other; });
}

// FUSE adds nosuid and nodev by itself; mount(8) leaves both to root, as for other filesystems.
void add_root_defaults(std::vector<std::string>& options) {
  if (::geteuid() != 0) return;
  if (!given(options, "suid", "nosuid")) options.emplace_back("suid");
  if (!given(options, "dev", "nodev")) options.emplace_back("dev");
}

}  // namespace

Result<HelperCall> parse_helper_call(const std::vector<std::string>& args) {
  TRY_ASSIGN(Words words, take_apart(args));
  if (words.positional.size() != 2) {
    return fail(EINVAL, "a source and a mount point are needed",
                "mount -t fuse.tuskfs SOURCE MOUNTPOINT, SOURCE being a conninfo or 'embedded'");
  }
  HelperCall call;
  call.fake = words.fake;
  call.request.mountpoint = words.positional[1];
  call.request.fsname = words.positional[0];  // so that mount -a finds it mounted
  if (words.positional[0] != "embedded") call.request.source.database = words.positional[0];
  add_root_defaults(words.options);
  for (const std::string& option : words.options) {
    if (auto applied = apply_option(call.request, option); !applied && !words.sloppy)
      return std::unexpected(std::move(applied).error());
  }
  if (!call.request.source.embedded() && !call.request.source.data_dir.empty())
    return fail(EINVAL, "data_dir goes with the source 'embedded' only");
  return call;
}

}  // namespace tusk::cli
