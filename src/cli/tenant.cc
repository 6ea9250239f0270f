// The trees of a database.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/database.h"
#include "cli/report.h"
#include "cli/verbs.h"
#include "tuskfs/store/tenants.h"

namespace tusk::cli {
namespace {

void print(const std::vector<store::TenantFacts>& all) {
  std::size_t width = 6;
  for (const auto& tenant : all) width = std::max(width, tenant.name.size());
  fmt::print("{:<{}}  {:>10}  {:>10}  {:>15}  {:<20}  {}\n", "TENANT", width, "FILES", "FOLDERS",
             "BYTES", "CREATED", "MOUNTED");
  for (const auto& tenant : all)
    fmt::print("{:<{}}  {:>10}  {:>10}  {:>15}  {:<20}  {}\n", tenant.name, width,
               tenant.usage.files, tenant.usage.folders, tenant.usage.bytes, tenant.created_at,
               tenant.mounted_by.empty() ? "-" : tenant.mounted_by);
}

void print_json(const std::vector<store::TenantFacts>& all) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const auto& tenant : all)
    out.push_back({{"name", tenant.name},
                   {"files", tenant.usage.files},
                   {"folders", tenant.usage.folders},
                   {"bytes", tenant.usage.bytes},
                   {"created_at", tenant.created_at},
                   {"mounted_by", tenant.mounted_by}});
  fmt::print("{}\n", out.dump(2));
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
    case TenantAction::list:
      break;
  }
  TRY_ASSIGN(const auto all, tenants->list());
  request.json ? print_json(all) : print(all);
  return {};
}

}  // namespace

int tenant(const TenantRequest& request) {
  const auto done = run(request);
  return done ? kDone : report(done.error());
}

}  // namespace tusk::cli
