#include <fmt/format.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "cli/asking.h"
#include "cli/mount_table.h"
#include "cli/report.h"
#include "cli/verbs.h"

namespace tusk::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kAnswerWithin = std::chrono::seconds(2);

// What the driver says, or what is known without it and why it said nothing.
Json status_of(const MountEntry& mount) {
  const auto text = status_text_of(mount, kAnswerWithin);
  if (text) {
    Json status = Json::parse(*text, nullptr, false);
    if (status.is_object() && status.contains("pid")) {
      status["mountpoint"] = mount.target;  // as we see it
      return status;
    }
  }
  const int code = text ? EIO : text.error().code;
  const char* problem = code == ENOTCONN || code == ECONNABORTED ? "its driver has died"
                        : code == ETIMEDOUT                      ? "its driver does not answer"
                        : code == EACCES ? "it answers only to the user who mounted it"
                                         : "it cannot be asked";
  return {{"mountpoint", mount.target}, {"source", mount.source}, {"problem", problem}};
}

// "SQL client at 2026-07-01T12:00:00.000Z (backend 71, user anna, application 'psql')"
std::string who(const Json& writer) {
  return fmt::format("{} at {} (backend {}, user {}, application '{}')", writer.value("who", ""),
                     writer.value("at", ""), writer.value("backend", 0), writer.value("user", ""),
                     writer.value("application", ""));
}

// One after the other.
std::string mounts(const Json& others) {
  std::string text;
  for (const Json& other : others)
    text += fmt::format("{}{}:{}{}", text.empty() ? "" : ", ", other.value("host", ""),
                        other.value("mountpoint", ""),
                        other.value("connected", false) ? "" : " (not connected)");
  return text;
}

std::string text_of(const Json& value) {
  if (value.is_array()) return mounts(value);
  if (value.is_object()) return who(value);
  if (value.is_null()) return {};
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  return value.dump();
}

void print(const Json& status) {
  static constexpr std::pair<const char*, const char*> kShown[] = {
      {"problem", "problem"},
      {"database", "database"},
      {"data_dir", "data folder"},
      {"connected", "connected"},
      {"schema_version", "schema version"},
      {"tenant", "tenant"},
      {"at", "as of"},
      {"durability", "durability"},
      {"dirty_bytes", "dirty bytes"},
      {"delegation", "delegation"},
      {"lent_to", "lent last to"},
      {"presence", "presence"},
      {"others", "other mounts"},
      {"last_commit", "last commit"},
      {"last_error", "last error"},
      {"pid", "driver's pid"},
  };
  fmt::print("{}\n", text_of(status.value("mountpoint", Json())));
  for (const auto& [key, label] : kShown) {
    if (!status.contains(key)) continue;
    const std::string text = text_of(status[key]);
    fmt::print("  {:<15} {}\n", label, text.empty() ? "-" : text);
  }
}

Result<std::vector<MountEntry>> mounts_asked_for(const StatusRequest& request) {
  std::vector<MountEntry> mounts;
  if (!request.mountpoint.empty()) {
    TRY_ASSIGN(MountEntry mount, find_mount(request.mountpoint));
    mounts.push_back(std::move(mount));
    return mounts;
  }
  for (MountEntry& mount : mount_table())
    if (mount.ours()) mounts.push_back(std::move(mount));
  return mounts;
}

}  // namespace

int status(const StatusRequest& request) {
  const auto mounts = mounts_asked_for(request);
  if (!mounts) return report(mounts.error());
  Json all = Json::array();
  for (const MountEntry& mount : *mounts) all.push_back(status_of(mount));
  if (request.json) {
    fmt::print("{}\n", all.dump(2));
  } else if (all.empty()) {
    fmt::print("no TuskFS is mounted\n");
  } else {
    for (const Json& one : all) print(one);
  }
  return kDone;
}

}  // namespace tusk::cli
