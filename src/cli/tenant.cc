// The trees of a database.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/database.h"
#include "cli/report.h"
#include "cli/verbs.h"
#include "tuskfs/store/tenants.h"

namespace tusk::cli {
namespace {

std::string text_of(const std::optional<std::int64_t>& limit) {
  return limit ? fmt::format("{}", *limit) : "-";
}

nlohmann::ordered_json json_of(const std::optional<std::int64_t>& limit) {
  return limit ? nlohmann::ordered_json(*limit) : nlohmann::ordered_json();
}

void print(const std::vector<store::TenantFacts>& all) {
  std::size_t width = 6;
  for (const auto& tenant : all) width = std::max(width, tenant.name.size());
  constexpr const char* kLine = "{:<{}}  {:>10}  {:>10}  {:>11}  {:>15}  {:>15}  {:<20}  {}\n";
  fmt::print(kLine, "TENANT", width, "FILES", "FOLDERS", "FILES QUOTA", "BYTES", "BYTES QUOTA",
             "CREATED", "MOUNTED");
  for (const auto& tenant : all)
    fmt::print(kLine, tenant.name, width, tenant.usage.files, tenant.usage.folders,
               text_of(tenant.quota.files), tenant.usage.bytes, text_of(tenant.quota.bytes),
               tenant.created_at, tenant.mounted_by.empty() ? "-" : tenant.mounted_by);
}

void print_json(const std::vector<store::TenantFacts>& all) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const auto& tenant : all)
    out.push_back({{"name", tenant.name},
                   {"files", tenant.usage.files},
                   {"folders", tenant.usage.folders},
                   {"bytes", tenant.usage.bytes},
                   {"quota_files", json_of(tenant.quota.files)},
                   {"quota_bytes", json_of(tenant.quota.bytes)},
                   {"created_at", tenant.created_at},
                   {"mounted_by", tenant.mounted_by}});
  fmt::print("{}\n", out.dump(2));
}

// Sets it when the request has something to set, and shows it.
Result<std::vector<store::TenantFacts>> quota(store::Tenants& tenants,
                                              const TenantRequest& request) {
  const auto facts = [&]() -> Result<std::vector<store::TenantFacts>> {
    TRY_ASSIGN(auto all, tenants.list());
    std::erase_if(all, [&](const auto& tenant) { return tenant.name != request.name; });
    if (!all.empty()) return all;
    return fail(ENOENT, fmt::format("there is no tenant '{}' in the database", request.name),
                "see tuskfs tenant list");
  };
  TRY_ASSIGN(const auto before, facts());
  if (!request.bytes && !request.files && !request.no_quota) return before;
  store::Quota quota = request.no_quota ? store::Quota{} : before[0].quota;
  if (request.bytes) quota.bytes = request.bytes;
  if (request.files) quota.files = request.files;
  TRY(tenants.set_quota(request.name, quota));
  return facts();
}

void show(const TenantRequest& request, const std::vector<store::TenantFacts>& tenants) {
  request.json ? print_json(tenants) : print(tenants);
}

Result<void> run(const TenantRequest& request) {
  TRY_ASSIGN(const Database database, open_tree(request.source));
  TRY_ASSIGN(const auto tenants, store::Tenants::open(database.conninfo));
  switch (request.action) {
    case TenantAction::create:
      return tenants->create(request.name);
    case TenantAction::rename:
      return tenants->rename(request.name, request.to);
    case TenantAction::remove:
      return tenants->remove(request.name, request.purge);
    case TenantAction::quota: {
      TRY_ASSIGN(const auto one, quota(*tenants, request));
      show(request, one);
      return {};
    }
    case TenantAction::list:
      break;
  }
  TRY_ASSIGN(const auto all, tenants->list());
  show(request, all);
  return {};
}

}  // namespace

int tenant(const TenantRequest& request) {
  const auto done = run(request);
  return done ? kDone : report(done.error());
}

}  // namespace tusk::cli
