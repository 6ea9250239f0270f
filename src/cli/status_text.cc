#include "cli/status_text.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>

namespace tusk::cli {
namespace {

const char* name_of(core::Durability durability) {
  switch (durability) {
    case core::Durability::fsync:
      return "fsync";
    case core::Durability::close:
      return "close";
    case core::Durability::none:
      return "none";
  }
  return "";
}

nlohmann::ordered_json others_of(const store::PostgresStore::State& store) {
  auto others = nlohmann::ordered_json::array();
  for (const store::OtherMount& mount : store.others)
    others.push_back({{"host", mount.host},
                      {"pid", mount.pid},
                      {"mountpoint", mount.mountpoint},
                      {"since", mount.since},
                      {"connected", mount.is_alive}});
  return others;
}

// Why the delegation was given up last.
nlohmann::ordered_json lent_to(const store::PostgresStore::State& store) {
  if (store.lent_at.ns == 0) return nullptr;
  const store::Writer& writer = store.lent_to;
  return {{"at", iso_time(store.lent_at)},
          {"who", writer.mount.empty() ? "SQL client" : "mount " + writer.mount},
          {"backend", writer.pid},
          {"user", writer.user},
          {"application", writer.application}};
}

double in_ms(std::chrono::nanoseconds time) {
  return static_cast<double>(time.count() / 1000) / 1000;
}

}  // namespace

MountFacts facts_of(const MountRequest& request) {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return {.pid = ::getpid(),
          .host = host.data(),
          .mountpoint = request.mountpoint,
          .data_dir = request.source.embedded() ? request.source.data_dir : "",
          .tenant = request.tenant,
          .durability = name_of(request.durability),
          .read_only = request.read_only || request.read_only_standby || !request.at.empty(),
          .at = request.at};
}

std::string iso_time(WallTime time) {
  if (time.ns == 0) return {};
  const std::time_t seconds = time.ns / 1'000'000'000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds),
                     time.ns / 1'000'000 % 1000);
}

std::string status_text(const MountFacts& facts, const core::Status& core,
                        const store::PostgresStore::State& store) {
  nlohmann::ordered_json status = {
      {"mountpoint", facts.mountpoint},
      {"pid", facts.pid},
      {"host", facts.host},
      {"program_version", TUSKFS_VERSION},
      {"database", store.database},
      {"data_dir", facts.data_dir},
      {"connected", store.connected},
      {"schema_version", store.schema_version},
      {"tenant", facts.tenant},
      {"durability", facts.durability},
      {"read_only", facts.read_only},
      {"dirty_bytes", core.dirty_bytes},
      {"dirty_inodes", core.dirty_inodes},
      {"cached_inodes", core.cached_inodes},
      {"cached_bytes", core.cached_bytes},
      {"group_committed", core.group_committed},
      {"group_durable", core.group_durable},
      {"delegation", core.has_delegation ? "exclusive" : "lent"},
      {"delegations_lent", core.delegations_lent},
      {"lent_to", lent_to(store)},
      {"presence", core.presence},
      {"others", others_of(store)},
      {"last_commit", iso_time(core.last_commit)},
      {"last_error", core.last_error},
      {"groups", core.groups},
      {"inodes_committed", core.inodes_committed},
      {"commit_p50_ms", in_ms(core.commit_p50)},
      {"commit_p99_ms", in_ms(core.commit_p99)},
      {"commit_max_ms", in_ms(core.commit_most)},
      {"lag_ms", in_ms(core.lag)},
      {"statements", store.statements},
      {"group_statements", store.group_statements},
      {"wal_bytes", store.wal_bytes},
  };
  if (!facts.at.empty()) status["at"] = facts.at;
  // Names of files may be in an error's text; they are UTF-8, but errors of a server need not be.
  return status.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace tusk::cli
