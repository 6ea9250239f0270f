#include <fmt/format.h>

#include "cli/database.h"
#include "cli/report.h"
#include "cli/secrets.h"
#include "cli/verbs.h"
#include "tuskfs/store/collector.h"

namespace tusk::cli {
namespace {

Result<int> perform(const Source& source) {
  TRY_ASSIGN(const Database database, open_database(source));
  TRY(store::migrate_up(database.conninfo, -1, store::Schema::cache));
  return store::install_views(database.conninfo);
}

}  // namespace

int install_sidecar(const Source& source) {
  const auto views = perform(source);
  if (!views) return report(without_password(views.error(), source.database));
  fmt::print("{} views in schema tusk_stats, and the schema tusk_cache\n", *views);
  return kDone;
}

}  // namespace tusk::cli
