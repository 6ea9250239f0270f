#include "tuskfs/store/collector.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "alert_keeper.h"
#include "connection.h"
#include "pooling.h"
#include "sqlstate.h"
#include "statements.h"
#include "stats_report.h"
#include "stats_texts.h"
#include "tuskfs/base/log.h"
#include "tuskfs/store/migrate.h"
#include "worker.h"

namespace tusk::store {
namespace {

// What can be read.
struct Sources {
  bool statements = false, thresholds = false, trees = false, cache = false;
};

// What the texts select from, besides the catalogs.
std::string with_sources(std::string_view text, const Sources& has) {
  return fmt::format(
      "with default_thresholds as (\n{}\n), thresholds as (\n{}\n), statements as (\n{}\n), "
      "health_components as (\n{}\n), tree_usage as (\n{}\n), cache_usage as (\n{}\n)\n"
      "select * from (\n{}\n) as statistic",
      stats_source("thresholds"),
      has.thresholds ? stats_source("thresholds_set") : "select * from default_thresholds",
      stats_source(has.statements ? "statements" : "statements_none"),
      stats_text("health_components"), stats_source(has.trees ? "tree_usage" : "usage_none"),
      stats_source(has.cache ? "cache_usage" : "usage_none"), text);
}

Error error_of(const PgFailure& failure) {
  int code = EIO;
  if (failure.lost) code = ENOTCONN;
  if (failure.sqlstate == "42501") code = EACCES;
  if (failure.sqlstate == "57014" || failure.sqlstate == "55P03") code = ETIMEDOUT;
  return {code, failure.message, {}};
}

bool is_number(Oid type) {
  constexpr Oid kNumbers[] = {20,  21,  23,  26,
                              700, 701, 1700};  // int8 … oid, float4, float8, numeric
  return std::ranges::find(kNumbers, type) != std::end(kNumbers);
}

StatTable table_of(const PgResult& result) {
  StatTable table;
  const PGresult* raw = result.get();
  const int columns = PQnfields(raw);
  for (int i = 0; i < columns; i++)
    table.columns.push_back({PQfname(raw, i), is_number(PQftype(raw, i))});
  for (int row = 0; row < result.rows(); row++) {
    auto& cells = table.rows.emplace_back();
    for (int i = 0; i < columns; i++) {
      cells.push_back(PQgetisnull(raw, row, i)
                          ? std::nullopt
                          : std::optional<std::string>(PQgetvalue(raw, row, i)));
    }
  }
  return table;
}

// The one connection; used by the collecting thread.
class Session {
 public:
  explicit Session(ConnectionContext& context) : context_(context) {}

  Result<StatTable> collect(const std::string& statistic, WallTime now) {
    TRY(connect());
    TRY_ASSIGN(StatTable table, ask(stats_text(statistic)));
    table.measured_at = now;
    table.has_statements = statements_;
    return table;
  }

  Result<void> set_threshold(const Threshold& threshold) {
    TRY(migrate_up(context_.conninfo, -1, Schema::stats));
    const auto writer = Connection::open(context_);
    if (!writer) return std::unexpected(error_of(writer.error()));
    const auto set = (*writer)->run("set_threshold", Params()
                                                         .add(std::string_view(threshold.name))
                                                         .add(std::string_view(threshold.good))
                                                         .add(std::string_view(threshold.warn))
                                                         .add(std::string_view(threshold.crit)));
    if (!set) return std::unexpected(error_of(set.error()));
    return {};
  }

  Result<Alerts> check_alerts(std::chrono::milliseconds spacing) {
    TRY(connect());
    TRY_ASSIGN(const Sources has, sources());
    auto alerts = alerts_.check(*connection_, spacing, [&](const AlertSources& of_alerts) {
      return with_sources(alerts_next_text(of_alerts), has);
    });
    if (!alerts) return std::unexpected(error_of(alerts.error()));
    return std::move(*alerts);
  }

  Result<Alerts> command_alert(const AlertCommand& command) {
    TRY(connect());
    auto alerts = alerts_.command(*connection_, command);
    if (!alerts) return std::unexpected(error_of(alerts.error()));
    if (!*alerts) return fail(ENOENT, "no such alert");
    return std::move(**alerts);
  }

  Result<ServerFacts> facts() {
    TRY(connect());
    return facts_;
  }

  Result<Report> report(const std::string& week) {
    TRY_ASSIGN(const Kept kept, kept_here());
    if (!kept.readable) {
      if (!week.empty()) return fail(ENOENT, "no reports are kept here");
      TRY_ASSIGN(const StatTable made, ask(report_without_schema()));
      const auto& row = made.rows.at(0);
      return Report{row[0].value_or(""), row[1].value_or(""), row[2].value_or("")};
    }
    TRY_ASSIGN(const PgResult made, run("weekly_files", Params().add(std::string_view(week))));
    if (made.row(0).is_null(0)) return fail(ENOENT, "nothing is known of that week");
    return Report{std::string(made.row(0).text(0)), std::string(made.row(0).text(1)),
                  std::string(made.row(0).text(2))};
  }

  Result<std::vector<std::string>> weeks() {
    std::vector<std::string> all;
    TRY_ASSIGN(const Kept kept, kept_here());
    if (!kept.readable) return all;
    TRY_ASSIGN(const PgResult rows, run("archived_weeks"));
    for (int i = 0; i < rows.rows(); i++) all.emplace_back(rows.row(i).text(0));
    return all;
  }

  Result<std::string> trend() {
    TRY_ASSIGN(const Kept kept, kept_here());
    if (!kept.readable) return std::string("[]");
    TRY_ASSIGN(const PgResult rows, run("stats_trend"));
    return std::string(rows.row(0).text(0));
  }

  Result<bool> capture() {
    TRY_ASSIGN(const Kept kept, kept_here());
    if (!kept.readable || !kept.writable) return false;
    TRY_ASSIGN(const PgResult due, run("capture_is_due"));
    if (!due.row(0).boolean(0)) return false;
    const auto writer = Connection::open(context_);
    if (!writer) return std::unexpected(error_of(writer.error()));
    for (const char* step : {"writer_settings", "capture"})
      if (const auto done = (*writer)->run(step); !done)
        return std::unexpected(error_of(done.error()));
    return true;
  }

 private:
  Result<Sources> sources() {
    auto has = connection_->run_script(statement("collector_sources").text);
    if (!has) return std::unexpected(error_of(has.error()));
    const auto row = table_of(*has).rows[0];
    return Sources{statements_, row[0] == "t", row[1] == "t", row[2] == "t"};
  }

  struct Kept {
    bool readable = false;
    bool writable = false;
  };
  // Whether captures are kept here.
  Result<Kept> kept_here() {
    TRY(connect());
    TRY_ASSIGN(const PgResult kept, run("collector_reports"));
    return Kept{kept.row(0).boolean(0), kept.row(0).boolean(1)};
  }

  Result<PgResult> run(std::string_view name, const Params& params = {}) {
    auto result = connection_->run(name, params);
    if (!result) return std::unexpected(error_of(result.error()));
    return std::move(*result);
  }

  // A text, with what it selects from.
  Result<StatTable> ask(std::string_view text) {
    TRY_ASSIGN(const Sources has, sources());
    auto result = connection_->run_script(with_sources(text, has));
    if (!result) return std::unexpected(error_of(result.error()));
    return table_of(*result);
  }

  Result<void> connect() {
    if (connection_ && connection_->alive()) return {};
    connection_.reset();
    if (context_.before_reconnect) context_.before_reconnect();
    auto opened = Connection::open(context_);
    if (!opened) return std::unexpected(error_of(opened.error()));
    // Of psql's kind, as all that is asked here.
    auto set = (*opened)->run_script(statement("collector_settings").text);
    if (!set) return std::unexpected(error_of(set.error()));
    auto asked = (*opened)->run_script(statement("collector_facts").text);
    if (!asked) return std::unexpected(error_of(asked.error()));
    const StatTable row = table_of(*asked);
    facts_ = {row.rows[0][0].value_or(""), row.rows[0][1].value_or("")};
    statements_ = row.rows[0][2] == "t";
    connection_ = std::move(*opened);
    return {};
  }

  ConnectionContext& context_;
  std::unique_ptr<Connection> connection_;
  AlertKeeper alerts_;
  ServerFacts facts_;
  bool statements_ = false;
};

class CollectorImpl final : public Collector {
 public:
  CollectorImpl(Executor& executor, const std::string& conninfo,
                std::function<void()> before_connect)
      : executor_(executor) {
    context_.conninfo = conninfo;
    context_.before_reconnect = std::move(before_connect);
    context_.writes = false;
    queue_.start("tusk-stats", [this] { return std::make_unique<Session>(context_); });
  }
  ~CollectorImpl() override { queue_.close(); }

  void collect(const std::string& statistic, Callback<Result<StatTable>> callback) override {
    ask<StatTable>([statistic, now = executor_.wall_now()](
                       Session& session) { return session.collect(statistic, now); },
                   std::move(callback));
  }
  void set_threshold(const Threshold& threshold, Callback<Result<void>> callback) override {
    ask<void>([threshold](Session& session) { return session.set_threshold(threshold); },
              std::move(callback));
  }
  void check_alerts(std::chrono::milliseconds spacing, Callback<Result<Alerts>> callback) override {
    ask<Alerts>([spacing](Session& session) { return session.check_alerts(spacing); },
                std::move(callback));
  }
  void command_alert(const AlertCommand& command, Callback<Result<Alerts>> callback) override {
    ask<Alerts>([command](Session& session) { return session.command_alert(command); },
                std::move(callback));
  }
  void report(const std::string& week, Callback<Result<Report>> callback) override {
    ask<Report>([week](Session& session) { return session.report(week); }, std::move(callback));
  }
  void weeks(Callback<Result<std::vector<std::string>>> callback) override {
    ask<std::vector<std::string>>([](Session& session) { return session.weeks(); },
                                  std::move(callback));
  }
  void trend(Callback<Result<std::string>> callback) override {
    ask<std::string>([](Session& session) { return session.trend(); }, std::move(callback));
  }
  void capture(Callback<Result<bool>> callback) override {
    ask<bool>([](Session& session) { return session.capture(); }, std::move(callback));
  }
  void facts(Callback<Result<ServerFacts>> callback) override {
    ask<ServerFacts>([](Session& session) { return session.facts(); }, std::move(callback));
  }

 private:
  template <class T>
  void ask(std::function<Result<T>(Session&)> call, Callback<Result<T>> callback) {
    auto answer = std::make_shared<Callback<Result<T>>>(std::move(callback));
    const auto reply = [this, answer](Result<T> value) {
      executor_.post([answer, value = std::move(value)]() mutable { (*answer)(std::move(value)); });
    };
    if (!queue_.push([call, reply](Session& session) { reply(call(session)); }))
      reply(fail(EAGAIN, "too many wait for statistics"));
  }

  static constexpr std::size_t kMostWaiting = 1000;

  Executor& executor_;
  ConnectionContext context_;
  WorkQueue<Session> queue_{kMostWaiting};
};

}  // namespace

Result<ServerFacts> ask_server(const std::string& conninfo) {
  ConnectionContext context;
  context.conninfo = conninfo;
  context.writes = false;
  const auto connection = Connection::open(context);
  if (!connection) return std::unexpected(setup_error(connection.error()));
  TRY(refuse_transaction_pooling(context, **connection));
  return Session(context).facts();
}

std::optional<std::size_t> StatTable::column(std::string_view name) const {
  const auto found = std::ranges::find(columns, name, &Column::name);
  if (found == columns.end()) return std::nullopt;
  return static_cast<std::size_t>(found - columns.begin());
}

std::unique_ptr<Collector> Collector::start(Executor& executor, const std::string& conninfo,
                                            std::function<void()> before_connect) {
  return std::make_unique<CollectorImpl>(executor, conninfo, std::move(before_connect));
}

}  // namespace tusk::store
