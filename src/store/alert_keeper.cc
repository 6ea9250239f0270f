#include "alert_keeper.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "statements.h"
#include "stats_texts.h"

namespace tusk::store {
namespace {

std::string text_at(const PgResult& result, int column) {
  return std::string(result.row(0).text(column));
}

std::string next_text(std::string_view cache, std::string_view tree) {
  return fmt::format(
      "with alert_cache as (\n{}\n), alert_tree as (\n{}\n), alert_samples as (\n{}\n)\n"
      "select * from (\n{}\n) as step",
      cache, tree, stats_source("alert_samples"), stats_source("alerts_next"));
}

std::string with_mark(std::string_view source, std::string_view mark, std::string_view text) {
  std::string out(stats_source(source));
  return out.replace(out.find(mark), mark.size(), text);
}

// How full the disk is, for the setting tusk.disk; empty: not known.
std::string disk_of(const std::string& folder) {
  struct statvfs disk {};
  if (folder.empty() || ::statvfs(folder.c_str(), &disk) != 0 || disk.f_blocks == 0) return {};
  // As df(1): what only root may use is not free.
  const auto used = static_cast<double>(disk.f_blocks - disk.f_bfree);
  const double percent = 100 * used / (used + static_cast<double>(disk.f_bavail));
  return nlohmann::json({{"path", folder},
                         {"percent", std::round(10 * percent) / 10},
                         {"free", disk.f_bavail * disk.f_frsize}})
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string alerts_next_text(const AlertSources& sources) {
  return next_text(stats_source(sources.cache ? "alert_cache" : "alert_cache_none"),
                   stats_source(sources.tree ? "alert_tree" : "alert_tree_none"));
}

std::string alerts_check_script() {
  return with_mark("alert_tree_function", "/*TREE*/", stats_source("alert_tree")) +
         with_mark("alerts_check", "/*NEXT*/",
                   next_text(stats_source("alert_cache"), "select * from tusk_stats.alert_tree()"));
}

PgExpected<AlertKeeper::Places> AlertKeeper::places(Connection& connection) {
  const auto asked = connection.run("alerts_places");
  if (!asked) return std::unexpected(asked.error());
  const Row row = asked->row(0);
  return Places{.tables = row.boolean(0),
                .sources = {.cache = row.boolean(1), .tree = row.boolean(2)},
                .data_directory = row.is_null(3) ? "" : text_at(*asked, 3)};
}

template <class T>
PgExpected<T> AlertKeeper::together(Connection& connection,
                                    const std::function<PgExpected<T>(const Places&)>& work) {
  const auto where = places(connection);
  if (!where) return std::unexpected(where.error());
  if (!where->tables) return work(*where);
  const auto begun = connection.run_script(statement("alerts_begin").text);
  if (!begun) return std::unexpected(begun.error());
  PgExpected<T> done = work(*where);
  const char* const end = done ? "alerts_commit" : "alerts_rollback";
  const auto ended = connection.run_script(statement(end).text);
  if (done && !ended) return std::unexpected(ended.error());
  return done;
}

PgExpected<AlertKeeper::Loaded> AlertKeeper::load(Connection& connection, const Places& where,
                                                  std::chrono::milliseconds spacing) {
  if (!where.tables) return Loaded{.state = memory_.state};
  const auto locked = connection.run("alerts_lock");
  if (!locked) return std::unexpected(locked.error());
  // Looked at after the lock was waited for.
  const auto loaded =
      connection.run("alerts_load", Params().add(static_cast<std::int64_t>(spacing.count())));
  if (!loaded) return std::unexpected(loaded.error());
  return Loaded{.state = text_at(*loaded, 0), .is_due = loaded->row(0).boolean(1)};
}

PgExpected<void> AlertKeeper::store(Connection& connection, const Places& where, std::string state,
                                    const std::string& events) {
  if (where.tables) {
    const auto stored = connection.run(
        "alerts_store", Params().add(std::string_view(state)).add(std::string_view(events)));
    if (!stored) return std::unexpected(stored.error());
    return {};
  }
  const auto appended =
      connection.run("alerts_append",
                     Params().add(std::string_view(memory_.events)).add(std::string_view(events)));
  if (!appended) return std::unexpected(appended.error());
  memory_ = {std::move(state), text_at(*appended, 0)};
  return {};
}

PgExpected<Alerts> AlertKeeper::read(Connection& connection, const Places& where) {
  if (!where.tables) return memory_;
  const auto read = connection.run("alerts_read");
  if (!read) return std::unexpected(read.error());
  return Alerts{text_at(*read, 0), text_at(*read, 1)};
}

PgExpected<Alerts> AlertKeeper::check(Connection& connection, std::chrono::milliseconds spacing,
                                      const AlertsText& text) {
  return together<Alerts>(connection, [&](const Places& where) -> PgExpected<Alerts> {
    const auto loaded = load(connection, where, spacing);
    if (!loaded) return std::unexpected(loaded.error());
    if (!loaded->is_due) return read(connection, where);
    const auto given =
        connection.run("alerts_given", Params()
                                           .add(std::string_view(loaded->state))
                                           .add(std::string_view(disk_of(where.data_directory))));
    if (!given) return std::unexpected(given.error());
    const auto next = connection.run_script(text(where.sources));
    if (!next) return std::unexpected(next.error());
    const auto stored = store(connection, where, text_at(*next, 0), text_at(*next, 1));
    if (!stored) return std::unexpected(stored.error());
    return read(connection, where);
  });
}

PgExpected<std::optional<Alerts>> AlertKeeper::command(Connection& connection,
                                                       const AlertCommand& command) {
  using Done = PgExpected<std::optional<Alerts>>;
  return together<std::optional<Alerts>>(connection, [&](const Places& where) -> Done {
    const auto loaded = load(connection, where, {});
    if (!loaded) return std::unexpected(loaded.error());
    const auto next = connection.run("alerts_command", Params()
                                                           .add(std::string_view(loaded->state))
                                                           .add(std::string_view(command.verb))
                                                           .add(std::string_view(command.name))
                                                           .add(command.duration.count()));
    if (!next) return std::unexpected(next.error());
    if (next->rows() == 0) return std::nullopt;
    const auto stored = store(connection, where, text_at(*next, 0), text_at(*next, 1));
    if (!stored) return std::unexpected(stored.error());
    auto all = read(connection, where);
    if (!all) return std::unexpected(all.error());
    return std::optional(std::move(*all));
  });
}

}  // namespace tusk::store
