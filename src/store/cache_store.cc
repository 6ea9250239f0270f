#include <atomic>
#include <cerrno>
#include <future>
#include <nlohmann/json.hpp>

#include "change_feed.h"
#include "connection.h"
#include "sqlstate.h"
#include "tuskfs/base/log.h"
#include "tuskfs/store/cache.h"
#include "tuskfs/store/migrate.h"
#include "worker.h"

namespace tusk::store {
namespace {

using Found = std::optional<CacheEntry>;

bool is_schema_missing(const PgFailure& failure) {
  return failure.sqlstate == "3F000" || failure.sqlstate == "42P01" || failure.sqlstate == "42883";
}

Error error_of(const PgFailure& failure) {
  int code = EIO;
  if (failure.lost) code = ENOTCONN;
  if (failure.sqlstate == "42501") code = EACCES;
  if (failure.sqlstate == "54000") code = EFBIG;
  if (failure.sqlstate == "22023") code = EINVAL;
  return {code, failure.text(), {}};
}

CacheEntry entry_of(std::string key, const Row& row) {
  CacheEntry entry{.key = std::move(key),
                   .size = static_cast<std::uint64_t>(row.integer(1)),
                   .created_at = {row.integer(2)},
                   .expires_at = {},
                   .bytes = nullptr};
  if (!row.is_null(3)) entry.expires_at = WallTime{row.integer(3)};
  return entry;
}

// The one connection that asks and writes; used by the cache's thread.
class Session {
 public:
  Session(ConnectionContext& context, std::atomic<int>& pid, std::atomic<std::uint64_t>& limit)
      : context_(context), pid_(pid), limit_(limit) {}

  // A lost connection is opened again once. `nothing`: the answer where the schema is missing, or
  // none: then it is made.
  Result<std::vector<PgResult>> ask(
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

 private:
  PgExpected<std::vector<PgResult>> try_ask(
      std::initializer_list<std::pair<const char*, Params>> statements) {
    TRY(connect());
    for (const auto& [name, params] : statements) TRY(connection_->queue(name, params));
    Answers answers = connection_->finish();
    if (answers.failure) return std::unexpected(std::move(*answers.failure));
    return std::move(answers.results);
  }

  PgExpected<void> connect() {
    if (connection_ && connection_->alive()) return {};
    connection_.reset();
    auto opened = Connection::open(context_);
    if (!opened) return std::unexpected(std::move(opened).error());
    if (auto set = (*opened)->run("cache_settings"); !set)
      return std::unexpected(std::move(set).error());
    connection_ = std::move(*opened);
    pid_ = connection_->backend_pid();
    if (const auto limit = connection_->run("cache_limit"); limit && limit->rows() > 0)
      limit_ = static_cast<std::uint64_t>(limit->row(0).integer(0));
    return {};
  }

  Result<void> make_schema() {
    const auto made = migrate_up(context_.conninfo, -1, Schema::cache);
    connection_.reset();  // its statements were prepared without
    if (made) return {};
    log::error("the schema tusk_cache cannot be made: {}; {}", made.error().what,
               made.error().hint);
    return std::unexpected(made.error());
  }

  ConnectionContext& context_;
  std::atomic<int>& pid_;
  std::atomic<std::uint64_t>& limit_;
  std::unique_ptr<Connection> connection_;
};

Result<Found> found(const std::string& key, Result<std::vector<PgResult>> answers,
                    std::size_t which = 0) {
  if (!answers) return std::unexpected(answers.error());
  if (answers->size() <= which || (*answers)[which].rows() == 0) return Found();
  const Row row = (*answers)[which].row(0);
  CacheEntry entry = entry_of(key, row);
  if (!row.is_null(0)) {
    const ByteSpan bytes = row.bytes(0);
    entry.bytes = std::make_shared<const Buffer>(bytes.begin(), bytes.end());
  }
  return Found(std::move(entry));
}

class CacheStoreImpl final : public CacheStore {
 public:
  CacheStoreImpl(Executor& executor, const std::string& conninfo, Watcher watcher)
      : executor_(executor),
        watcher_(std::move(watcher)),
        feed_(conninfo, "tusk_cache", listener()) {
    context_.conninfo = conninfo;
    queue_.start("tusk-cache",
                 [this] { return std::make_unique<Session>(context_, pid_, limit_); });
  }
  ~CacheStoreImpl() override { queue_.close(); }

  void get(const std::string& key, Callback<Result<Found>> callback) override {
    read_entry("cache_get", key, std::move(callback));
  }
  void find(const std::string& key, Callback<Result<Found>> callback) override {
    read_entry("cache_find", key, std::move(callback));
  }
  void scan(const std::string& after, int limit,
            Callback<Result<std::vector<CacheEntry>>> callback) override {
    work<std::vector<CacheEntry>>(
        [after, limit](Session& session) -> Result<std::vector<CacheEntry>> {
          const Params params = Params().add(std::string_view(after)).add(std::int64_t{limit});
          TRY_ASSIGN(const auto answers, session.ask({{"cache_scan", params}}, false));
          return entries_in(answers);
        },
        std::move(callback));
  }
  void set(const std::string& key, SharedBytes bytes, CacheWrite how,
           Callback<Result<Found>> callback) override {
    work<Found>(
        [key, bytes, how](Session& session) -> Result<Found> {
          Params params;
          params.add(std::string_view(key)).add_view(*bytes).add(how.only_new).add(how.keep_ttl);
          TRY_ASSIGN(auto answers,
                     session.ask({{"cache_set", params}, {"cache_find", of(key)}}, true));
          if (!answers[0].row(0).boolean(0)) return Found();
          return with(found(key, std::move(answers), 1), bytes);
        },
        std::move(callback));
  }
  void set_all(std::vector<CacheValue> values,
               Callback<Result<std::vector<CacheEntry>>> callback) override {
    work<std::vector<CacheEntry>>(
        [values = std::make_shared<const std::vector<CacheValue>>(std::move(values))](
            Session& session) -> Result<std::vector<CacheEntry>> {
          BinaryArray keys(ElementType::text), contents(ElementType::bytea),
              keep_ttl(ElementType::boolean);
          for (const CacheValue& value : *values) {
            keys.add(std::string_view(value.key));
            contents.add(ByteSpan(*value.bytes));
            keep_ttl.add(value.keep_ttl);
          }
          Params params;
          params.add_view(keys.finish()).add_view(contents.finish()).add_view(keep_ttl.finish());
          TRY_ASSIGN(const auto answers, session.ask({{"cache_set_all", params}}, true));
          return entries_in(answers);
        },
        std::move(callback));
  }
  void drain() override {
    std::promise<void> done;
    if (queue_.push([&done](Session&) { done.set_value(); })) done.get_future().wait();
  }
  void append(const std::string& key, SharedBytes bytes,
              Callback<Result<Found>> callback) override {
    work<Found>(
        [key, bytes](Session& session) -> Result<Found> {
          Params params;
          params.add(std::string_view(key)).add_view(*bytes);
          return found(key, session.ask({{"cache_append", params}, {"cache_get", of(key)}}, true),
                       1);
        },
        std::move(callback));
  }
  void remove(const std::string& key, Callback<Result<bool>> callback) override {
    ask_whether("cache_del", of(key), std::move(callback));
  }
  void rename(const std::string& key, const std::string& new_key, bool only_new,
              Callback<Result<bool>> callback) override {
    ask_whether("cache_rename",
                Params().add(std::string_view(key)).add(std::string_view(new_key)).add(only_new),
                std::move(callback));
  }
  void expire(const std::string& key, std::optional<WallTime> at,
              Callback<Result<bool>> callback) override {
    if (!at) return ask_whether("cache_persist", of(key), std::move(callback));
    ask_whether("cache_expire_at", of(key).add(at->ns), std::move(callback));
  }
  void sweep(Callback<Result<bool>> callback) override {
    work<bool>(
        [](Session& session) -> Result<bool> {
          TRY_ASSIGN(const auto answers, session.ask({{"cache_sweep", Params()}}, false));
          return !answers.empty() && answers[0].row(0).boolean(0);
        },
        std::move(callback));
  }
  std::uint64_t limit() const override { return limit_; }

 private:
  static std::vector<CacheEntry> entries_in(const std::vector<PgResult>& answers) {
    std::vector<CacheEntry> out;
    for (int i = 0; !answers.empty() && i < answers[0].rows(); i++) {
      const Row row = answers[0].row(i);
      out.push_back(entry_of(std::string(row.text(0)), row));
    }
    return out;
  }

  static Params of(const std::string& key) { return Params().add(std::string_view(key)); }

  static Result<Found> with(Result<Found> entry, SharedBytes bytes) {
    // Between the two statements nobody can have changed it: they are one transaction.
    if (entry && *entry) (*entry)->bytes = std::move(bytes);
    return entry;
  }

  void read_entry(const char* statement, const std::string& key, Callback<Result<Found>> callback) {
    work<Found>(
        [statement, key](Session& session) {
          return found(key, session.ask({{statement, of(key)}}, false));
        },
        std::move(callback));
  }

  // The answer is a number or a boolean.
  void ask_whether(const char* statement, Params params, Callback<Result<bool>> callback) {
    work<bool>(
        [statement, params = std::move(params)](Session& session) -> Result<bool> {
          TRY_ASSIGN(const auto answers, session.ask({{statement, params}}, true));
          const Row row = answers[0].row(0);
          return row.is_boolean(0) ? row.boolean(0) : row.integer(0) > 0;
        },
        std::move(callback));
  }

  template <class T>
  void work(std::function<Result<T>(Session&)> call, Callback<Result<T>> callback) {
    auto answer = std::make_shared<Callback<Result<T>>>(std::move(callback));
    const auto reply = [this, answer](Result<T> value) {
      executor_.post([answer, value = std::move(value)]() mutable { (*answer)(std::move(value)); });
    };
    if (!queue_.push([call, reply](Session& session) { reply(call(session)); }))
      reply(fail(EAGAIN, "too many wait for the cache"));
  }

  ChangeFeed::Listener listener() {
    return {.told =
                [this](int pid, std::string_view payload) {
                  // What this mount does itself it knows.
                  if (pid == pid_) return;
                  CacheChange change = parsed(payload);
                  executor_.post([this, change = std::move(change)]() mutable {
                    watcher_.changed(std::move(change));
                  });
                },
            .connected =
                [this](bool hears) { executor_.post([this, hears] { watcher_.hears(hears); }); }};
  }

  static CacheChange parsed(std::string_view payload) {
    const auto keys = nlohmann::json::parse(payload, nullptr, false);
    CacheChange change{.all = !keys.is_array(), .keys = {}};
    if (change.all) return change;
    for (const auto& key : keys) {
      if (key.is_string()) change.keys.push_back(key.get<std::string>());
    }
    return change;
  }

  static constexpr std::size_t kMostWaiting = 100'000;

  Executor& executor_;
  const Watcher watcher_;
  ConnectionContext context_;
  std::atomic<int> pid_ = 0;
  std::atomic<std::uint64_t> limit_ = 8u << 20;
  ChangeFeed feed_;
  WorkQueue<Session> queue_{kMostWaiting};
};

}  // namespace

std::unique_ptr<CacheStore> CacheStore::start(Executor& executor, const std::string& conninfo,
                                              Watcher watcher) {
  return std::make_unique<CacheStoreImpl>(executor, conninfo, std::move(watcher));
}

}  // namespace tusk::store
