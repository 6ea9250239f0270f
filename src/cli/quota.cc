// tuskfs quota check: what trees hold against what their counters say.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/database.h"
#include "cli/past.h"
#include "cli/report.h"
#include "cli/secrets.h"
#include "cli/verbs.h"
#include "tuskfs/store/tenants.h"

namespace tusk::cli {
namespace {

using Json = nlohmann::ordered_json;
using Counts = std::vector<store::CountedTenant>;

bool agrees(const store::CountedTenant& tenant) { return tenant.counted == tenant.found; }

Result<Counts> count(QuotaRequest request) {
  if (!request.path.empty()) {
    TRY_ASSIGN(const MountedPath mounted, mounted_path(request.path, request.source.database));
    request.source = mounted.source;
    request.tenant = mounted.tenant;
  }
  TRY_ASSIGN(const Database database, open_tree(request.source));
  TRY_ASSIGN(const auto tenants, store::Tenants::open(database.conninfo));
  return tenants->count(request.tenant, request.repair);
}

Json json_of(const store::Usage& usage) {
  return {{"files", usage.files}, {"folders", usage.folders}, {"bytes", usage.bytes}};
}

void print_json(const Counts& all, bool repaired) {
  Json out = Json::array();
  for (const auto& tenant : all)
    out.push_back({{"name", tenant.name},
                   {"counted", json_of(tenant.counted)},
                   {"found", json_of(tenant.found)},
                   {"agrees", agrees(tenant)},
                   {"repaired", repaired && !agrees(tenant)}});
  fmt::print("{}\n", out.dump(2));
}

void print(const Counts& all, bool repaired) {
  for (const auto& [name, counted, found] : all) {
    fmt::print("{}: {} files, {} folders, {} bytes", name, found.files, found.folders, found.bytes);
    if (counted != found)
      fmt::print("; the counters say {}, {}, {}{}", counted.files, counted.folders, counted.bytes,
                 repaired ? ": repaired" : "");
    fmt::print("\n");
  }
}

}  // namespace

int quota_check(const QuotaRequest& request) {
  const auto all = count(request);
  if (!all) {
    report(without_password(all.error(), request.source.database));
    return kFsckFailed;
  }
  request.json ? print_json(*all, request.repair) : print(*all, request.repair);
  if (std::ranges::all_of(*all, agrees)) return kDone;
  return request.repair ? kRepaired : kErrorsLeft;
}

}  // namespace tusk::cli
