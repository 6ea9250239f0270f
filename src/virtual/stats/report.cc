#include "virtual/stats/report.h"

#include <array>
#include <cerrno>
#include <map>
#include <utility>

#include "tuskfs/base/times.h"
#include "virtual/stats/made_file.h"
#include "virtual/stats/pages.h"

namespace tusk::virt {
namespace {

using vfs::Reply;
using SharedReport = std::shared_ptr<const Result<store::Report>>;

constexpr std::array kForms = {"html", "json", "md", "txt"};
constexpr auto kFreshFor = std::chrono::seconds(60);
constexpr std::size_t kMostKept = 8;

WallTime measured_at(const Result<store::Report>& report, WallTime otherwise) {
  if (!report) return otherwise;
  const Json document = Json::parse(report->document, nullptr, false);
  if (!document.is_object()) return otherwise;
  return parse_time(document.value("measured_at", "")).value_or(otherwise);
}

// What was asked last of each week, so that all forms of it show the same.
class Reports {
 public:
  using Done = std::move_only_function<void(const SharedReport&, WallTime)>;
  explicit Reports(Statistics& statistics) : statistics_(statistics) {}

  // `week`: empty for the running one.
  void get(const std::string& week, Done done) {
    forget_others();
    Kept& kept = kept_[week];
    // An error is not kept: what is put right shows at once.
    const bool is_good = kept.report && kept.report->has_value();
    if (is_good && statistics_.elapsed() - kept.asked_at < kFreshFor)
      return done(kept.report, kept.made_at);
    kept.waiters.push_back(std::move(done));
    if (kept.waiters.size() > 1) return;
    statistics_.collector().report(week, [this, week](Result<store::Report> report) {
      Kept& asked = kept_[week];
      asked.report = std::make_shared<const Result<store::Report>>(std::move(report));
      asked.made_at = measured_at(*asked.report, statistics_.now());
      asked.asked_at = statistics_.elapsed();
      const auto [answer, at] = std::pair(asked.report, asked.made_at);
      for (auto& waiter : std::exchange(asked.waiters, {})) waiter(answer, at);
    });
  }
  Statistics& statistics() { return statistics_; }

 private:
  struct Kept {
    SharedReport report;
    WallTime made_at{};
    MonotonicTime asked_at{};
    std::vector<Done> waiters;
  };

  // A walk through the archive leaves nothing behind.
  void forget_others() {
    if (kept_.size() >= kMostKept)
      std::erase_if(kept_, [](const auto& each) { return each.second.waiters.empty(); });
  }

  Statistics& statistics_;
  std::map<std::string, Kept> kept_;
};

// What the page and programs are given when there is nothing.
Json without_figures(const std::string& week, const Error& error, WallTime now) {
  const std::string problem = problem_of(error);
  return {
      {"schema_version", kSchemaVersion},
      {"week", week.empty() ? Json(nullptr) : Json(week)},
      {"measured_at", time_text(now)},
      {"database", nullptr},
      {"server", nullptr},
      {"notice", problem},
      {"error", problem},
      {"health",
       {{"score", 0}, {"status", "critical"}, {"reason", problem}, {"components", Json::array()}}}};
}

std::string form_of(const store::Report& report, std::string_view form) {
  if (form == "txt") return report.text;
  if (form == "md") return report.markdown;
  const Json document = Json::parse(report.document, nullptr, false);
  if (form == "html") return page("weekly_report", document);
  return pretty(document);
}

std::string form_of(const std::string& week, const Error& error, WallTime now,
                    std::string_view form) {
  if (form == "txt" || form == "md") return problem_of(error) + "\n";
  const Json document = without_figures(week, error, now);
  return form == "html" ? page("weekly_report", document) : pretty(document);
}

class ReportFile final : public LiveFile {
 public:
  ReportFile(std::shared_ptr<Reports> reports, std::string week, std::string form)
      : reports_(std::move(reports)), week_(std::move(week)), form_(std::move(form)) {}

  // It shows texts of queries.
  mode_t permissions() const override { return 0440; }

  void render(Reply<Rendered> done) override {
    reports_->get(week_, [week = week_, form = form_, done = std::move(done)](
                             const SharedReport& report, WallTime at) mutable {
      std::string text =
          *report ? form_of(**report, form) : form_of(week, report->error(), at, form);
      done(Rendered{std::make_shared<const std::string>(std::move(text)), at});
    });
  }

 private:
  const std::shared_ptr<Reports> reports_;
  const std::string week_, form_;
};

class Archive final : public LiveFolder {
 public:
  explicit Archive(std::shared_ptr<Reports> reports) : reports_(std::move(reports)) {}

  void list(Reply<std::vector<std::string>> done) override {
    reports_->statistics().collector().weeks(
        [done = std::move(done)](Result<std::vector<std::string>> weeks) mutable {
          if (!weeks) return done(vfs::error(EIO));
          std::vector<std::string> names;
          for (const std::string& week : *weeks)
            for (const char* form : kForms) names.push_back(week + "." + form);
          done(std::move(names));
        });
  }
  std::unique_ptr<LiveFile> file(const std::string& name) override {
    const std::size_t dot = name.find('.');
    return std::make_unique<ReportFile>(reports_, name.substr(0, dot), name.substr(dot + 1));
  }

 private:
  const std::shared_ptr<Reports> reports_;
};

}  // namespace

std::vector<LiveEntry> report_entries(Statistics& statistics) {
  const auto reports = std::make_shared<Reports>(statistics);
  std::vector<LiveEntry> entries;
  for (const std::string form : kForms)
    entries.push_back(
        live_file("weekly_report." + form, std::make_unique<ReportFile>(reports, "", form)));
  entries.push_back({.name = "reports", .folder = std::make_unique<Archive>(reports)});
  return entries;
}

}  // namespace tusk::virt
