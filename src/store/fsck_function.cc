#include "fsck_function.h"

#include <fmt/format.h>

#include "checks.h"

namespace tusk::store {

std::string fsck_function_script() {
  std::string body;
  for (const Check& check : all_checks()) {
    body += fmt::format("{}select '{}', x.tenant_id, to_jsonb(x) - 'tenant_id'\nfrom (\n{}\n) x\n",
                        body.empty() ? "" : "union all\n", check.name, check.query);
  }
  return fmt::format(
      "create or replace function tusk.fsck()\n"
      "returns table (problem text, tenant_id uuid, detail jsonb)\n"
      "language sql\nstable\nas $checks$\n{}$checks$;\n"
      "comment on function tusk.fsck() is 'A row for each broken invariant of the trees: the "
      "check, "
      "the tree if known, and the row. What tuskfs fsck finds; tuskfs fsck --repair puts right "
      "what "
      "is safe to, and --scrub verifies checksums.';\n"
      "revoke all on function tusk.fsck() from public;\n",
      body);
}

}  // namespace tusk::store
