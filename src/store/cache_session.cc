#include "cache_session.h"

#include <array>
#include <cerrno>

#include "tuskfs/base/log.h"
#include "tuskfs/store/migrate.h"

namespace tusk::store {
namespace {

bool is_schema_missing(const PgFailure& failure) {
  return failure.sqlstate == "3F000" || failure.sqlstate == "42P01" || failure.sqlstate == "42883";
}

Error error_of(const PgFailure& failure) {
  static constexpr std::array<std::pair<std::string_view, int>, 9> kCodes = {{
      {"42501", EACCES},
      {"54000", EFBIG},
      {"22023", EINVAL},  // what the functions refuse
      {"22P02", EINVAL},  // no JSON
      {"22P05", EINVAL},  // JSON with a NUL in it
      {"22021", EINVAL},  // no UTF-8, or a NUL
      {"23514", EINVAL},  // against a check of the table
      {"22003", ERANGE},
      {"22008", ERANGE},
  }};
  int code = EIO;
  for (const auto& [state, meant] : kCodes)
    if (failure.sqlstate == state) code = meant;
  if (failure.lost) code = ENOTCONN;
  return {code, failure.text(), {}};
}

}  // namespace

Result<std::vector<PgResult>> CacheSession::ask(
    std::initializer_list<std::pair<const char*, Params>> statements, bool writes) {
  for (int attempt = 0;; attempt++) {
    auto done = try_ask(statements);
    if (done) return std::move(*done);
    const PgFailure& failure = done.error();
    if (attempt == 0 && failure.lost) continue;
    if (attempt == 0 && writes && is_schema_missing(failure)) {
      TRY(make_schema());
      continue;
    }
    if (!writes && is_schema_missing(failure)) return std::vector<PgResult>{};
    return std::unexpected(error_of(failure));
  }
}

PgExpected<std::vector<PgResult>> CacheSession::try_ask(
    std::initializer_list<std::pair<const char*, Params>> statements) {
  TRY(connect());
  for (const auto& [name, params] : statements) TRY(connection_->queue(name, params));
  Answers answers = connection_->finish();
  if (answers.failure) return std::unexpected(std::move(*answers.failure));
  return std::move(answers.results);
}

PgExpected<void> CacheSession::connect() {
  if (connection_ && connection_->alive()) return {};
  connection_.reset();
  if (context_.before_reconnect) context_.before_reconnect();
  auto opened = Connection::open(context_);
  if (!opened) return std::unexpected(std::move(opened).error());
  if (auto set = (*opened)->run("cache_settings"); !set)
    return std::unexpected(std::move(set).error());
  connection_ = std::move(*opened);
  pid_ = connection_->backend_pid();
  learn_limit();
  return {};
}

void CacheSession::learn_limit() {
  if (!connection_ || !connection_->alive()) return;
  if (const auto limit = connection_->run("cache_limit"); limit && limit->rows() > 0)
    limit_ = static_cast<std::uint64_t>(limit->row(0).integer(0));
}

Result<void> CacheSession::make_schema() {
  const auto made = migrate_up(context_.conninfo, -1, Schema::cache);
  connection_.reset();  // its statements were prepared without
  if (made) return {};
  log::error("the schema tusk_cache cannot be made: {}; {}", made.error().what, made.error().hint);
  return std::unexpected(made.error());
}

}  // namespace tusk::store
