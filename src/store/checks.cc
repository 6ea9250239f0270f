#include "checks.h"

#include <vector>

#include "sql_file.h"

namespace tusk::store {
namespace {

constexpr SqlFile kChecks[] = {
#include <tuskfs/checks.inc>
};
constexpr SqlFile kRepairs[] = {
#include <tuskfs/repairs.inc>
};

constexpr std::string_view kComment = "-- ";

Check check_of(const SqlFile& file) {
  Check check;
  check.name = file.name.substr(0, file.name.rfind('.'));
  check.query = file.text;
  for (const SqlFile& repair : kRepairs) {
    if (repair.name != file.name) continue;
    check.repair = repair.text;
    check.remedy = repair.text.substr(kComment.size(), repair.text.find('\n') - kComment.size());
  }
  return check;
}

}  // namespace

std::span<const Check> all_checks() {
  static const std::vector<Check> checks = [] {
    std::vector<Check> out;
    for (const SqlFile& file : kChecks) out.push_back(check_of(file));
    return out;
  }();
  return checks;
}

}  // namespace tusk::store
