#include "tuskfs/store/fsck.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/database.h"
#include "cli/past.h"
#include "cli/report.h"
#include "cli/secrets.h"
#include "cli/verbs.h"

namespace tusk::cli {
namespace {

using Json = nlohmann::ordered_json;

// Names are any bytes that are UTF-8: those that a terminal would act on come escaped.
std::string text_of(const store::Finding& finding) {
  std::string text = finding.check + ":";
  if (!finding.tree.empty()) text += " tree=" + Json(finding.tree).dump();
  const Json row = Json::parse(finding.row, nullptr, false);
  for (const auto& [key, value] : row.items())
    if (key != "tenant_id" && !value.is_null()) text += fmt::format(" {}={}", key, value.dump());
  return text + "; " + (finding.remedy.empty() ? "no repair" : "repair: " + finding.remedy);
}

Json json_of(const store::Finding& finding) {
  Json out = {{"check", finding.check}};
  if (!finding.tree.empty()) out["tree"] = finding.tree;
  out["row"] = Json::parse(finding.row, nullptr, false);
  if (!finding.remedy.empty()) out["repair"] = finding.remedy;
  return out;
}

void show_progress(std::int64_t bytes) {
  fmt::print(stderr, "\r{} MB verified", bytes / 1'000'000);
}

std::string summary(const FsckRequest& request, const store::FsckOutcome& outcome) {
  std::string text = outcome.repaired + outcome.left == 0 ? "clean" : "";
  if (outcome.repaired > 0) text = fmt::format("{} repaired", outcome.repaired);
  if (outcome.left > 0)
    text += fmt::format("{}{} errors {}", text.empty() ? "" : ", ", outcome.left,
                        request.repair ? "left" : "found");
  if (request.scrub)
    text += fmt::format(", {} MB of contents verified", outcome.scrubbed_bytes / 1'000'000);
  return text;
}

// A path in a mount means that mount's tree.
Result<FsckRequest> resolved(const FsckRequest& request) {
  if (request.path.empty()) return request;
  TRY_ASSIGN(const MountedPath mounted, mounted_path(request.path, request.source.database));
  FsckRequest meant = request;
  meant.source = mounted.source;
  meant.tenant = mounted.tenant;
  return meant;
}

Result<store::FsckOutcome> perform(const FsckRequest& request, Json& findings) {
  TRY_ASSIGN(const FsckRequest meant, resolved(request));
  TRY_ASSIGN(const Database database, open_tree(meant.source));
  const bool on_terminal = ::isatty(STDERR_FILENO) != 0;
  store::FsckWatcher watcher;
  watcher.found = [&](const store::Finding& finding) {
    if (request.json)
      findings.push_back(json_of(finding));
    else
      fmt::print("{}\n", text_of(finding));
  };
  if (on_terminal) watcher.scrubbed = show_progress;
  auto outcome = store::fsck(
      {database.conninfo, meant.tenant, request.repair, request.scrub, request.objects}, watcher);
  if (on_terminal && request.scrub) fmt::print(stderr, "\r\033[K");
  return outcome;
}

}  // namespace

int fsck(const FsckRequest& request) {
  Json findings = Json::array();
  const auto outcome = perform(request, findings);
  if (!outcome) {
    report(without_password(outcome.error(), request.source.database));
    return kFsckFailed;
  }
  if (request.json) {
    fmt::print("{}\n", Json({{"findings", findings},
                             {"repaired", outcome->repaired},
                             {"left", outcome->left},
                             {"scrubbed_bytes", outcome->scrubbed_bytes}})
                           .dump(2));
  } else {
    fmt::print("{}\n", summary(request, *outcome));
  }
  return outcome->left > 0 ? kErrorsLeft : outcome->repaired > 0 ? kRepaired : kDone;
}

}  // namespace tusk::cli
