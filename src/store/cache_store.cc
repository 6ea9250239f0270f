#include <atomic>
#include <cerrno>
#include <future>
#include <nlohmann/json.hpp>

#include "cache_session.h"
#include "change_feed.h"
#include "tuskfs/store/cache.h"
#include "worker.h"

namespace tusk::store {
namespace {

using Found = std::optional<CacheEntry>;

CacheEntry entry_of(std::string key, const Row& row) {
  CacheEntry entry{.key = std::move(key),
                   .size = static_cast<std::uint64_t>(row.integer(1)),
                   .created_at = {row.integer(2)},
                   .expires_at = {},
                   .bytes = nullptr};
  if (!row.is_null(3)) entry.expires_at = WallTime{row.integer(3)};
  return entry;
}

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
  CacheStoreImpl(Executor& executor, const std::string& conninfo, Watcher watcher,
                 std::function<void()> before_connect)
      : executor_(executor),
        watcher_(std::move(watcher)),
        feed_(conninfo, context_.servers, "tusk_cache", listener()) {
    context_.conninfo = conninfo;
    context_.before_reconnect = std::move(before_connect);
    queue_.start("tusk-cache",
                 [this] { return std::make_unique<CacheSession>(context_, pid_, limit_); });
  }
  ~CacheStoreImpl() override { queue_.close(); }

  void get(const std::string& key, Callback<Result<Found>> callback) override {
    read_entry("cache_get", key, std::move(callback));
  }
  void find(const std::string& key, Callback<Result<Found>> callback) override {
    read_entry("cache_find", key, std::move(callback));
  }
  void find_by_hash(const std::string& hash, Callback<Result<Found>> callback) override {
    work<Found>(
        [hash](CacheSession& session) -> Result<Found> {
          TRY_ASSIGN(const auto answers, session.ask({{"cache_find_by_hash", of(hash)}}, false));
          std::vector<CacheEntry> entries = entries_in(answers);
          return entries.empty() ? Found() : Found(std::move(entries.front()));
        },
        std::move(callback));
  }
  void scan(const std::string& after, int limit,
            Callback<Result<std::vector<CacheEntry>>> callback) override {
    work<std::vector<CacheEntry>>(
        [after, limit](CacheSession& session) -> Result<std::vector<CacheEntry>> {
          const Params params = Params().add(std::string_view(after)).add(std::int64_t{limit});
          TRY_ASSIGN(const auto answers, session.ask({{"cache_scan", params}}, false));
          return entries_in(answers);
        },
        std::move(callback));
  }
  void set(const std::string& key, SharedBytes bytes, CacheWrite how,
           Callback<Result<Found>> callback) override {
    work<Found>(
        [key, bytes, how](CacheSession& session) -> Result<Found> {
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
            CacheSession& session) -> Result<std::vector<CacheEntry>> {
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
    if (queue_.push([&done](CacheSession&) { done.set_value(); })) done.get_future().wait();
  }
  void append(const std::string& key, SharedBytes bytes,
              Callback<Result<Found>> callback) override {
    work<Found>(
        [key, bytes](CacheSession& session) -> Result<Found> {
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
        [](CacheSession& session) -> Result<bool> {
          TRY_ASSIGN(const auto answers, session.ask({{"cache_sweep", Params()}}, false));
          return !answers.empty() && answers[0].row(0).boolean(0);
        },
        std::move(callback));
  }
  std::uint64_t limit() const override { return limit_; }
  void settings_changed() override {
    queue_.push([](CacheSession& session) { session.learn_limit(); });
  }
  void ask(KeyedQuestion question, Callback<Result<KeyedRows>> callback) override {
    work<KeyedRows>(
        [question = std::make_shared<const KeyedQuestion>(std::move(question))](
            CacheSession& session) -> Result<KeyedRows> {
          Params params;
          for (const std::string& param : question->params) params.add_view(bytes_of(param));
          TRY_ASSIGN(const auto answers,
                     session.ask({{question->statement.c_str(), params}}, question->writes));
          return rows_in(answers);
        },
        std::move(callback));
  }

 private:
  static std::vector<CacheEntry> entries_in(const std::vector<PgResult>& answers) {
    std::vector<CacheEntry> out;
    for (int i = 0; !answers.empty() && i < answers[0].rows(); i++) {
      const Row row = answers[0].row(i);
      out.push_back(entry_of(std::string(row.text(0)), row));
    }
    return out;
  }

  static KeyedRows rows_in(const std::vector<PgResult>& answers) {
    KeyedRows out;
    for (int i = 0; !answers.empty() && i < answers[0].rows(); i++) {
      const Row row = answers[0].row(i);
      auto& cells = out.emplace_back();
      for (int column = 0; column < answers[0].columns(); column++) {
        auto& cell = cells.emplace_back();
        if (!row.is_null(column)) cell = std::string(row.text(column));
      }
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
        [statement, key](CacheSession& session) {
          return found(key, session.ask({{statement, of(key)}}, false));
        },
        std::move(callback));
  }

  // The answer is a number or a boolean.
  void ask_whether(const char* statement, Params params, Callback<Result<bool>> callback) {
    work<bool>(
        [statement, params = std::move(params)](CacheSession& session) -> Result<bool> {
          TRY_ASSIGN(const auto answers, session.ask({{statement, params}}, true));
          const Row row = answers[0].row(0);
          return row.is_boolean(0) ? row.boolean(0) : row.integer(0) > 0;
        },
        std::move(callback));
  }

  template <class T>
  void work(std::function<Result<T>(CacheSession&)> call, Callback<Result<T>> callback) {
    auto answer = std::make_shared<Callback<Result<T>>>(std::move(callback));
    const auto reply = [this, answer](Result<T> value) {
      executor_.post([answer, value = std::move(value)]() mutable { (*answer)(std::move(value)); });
    };
    if (!queue_.push([call, reply](CacheSession& session) { reply(call(session)); }))
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
  WorkQueue<CacheSession> queue_{kMostWaiting};
};

}  // namespace

std::unique_ptr<CacheStore> CacheStore::start(Executor& executor, const std::string& conninfo,
                                              Watcher watcher,
                                              std::function<void()> before_connect) {
  return std::make_unique<CacheStoreImpl>(executor, conninfo, std::move(watcher),
                                          std::move(before_connect));
}

}  // namespace tusk::store
