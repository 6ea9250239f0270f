#include <algorithm>
#include <cerrno>

#include "object_place.h"
#include "postgres_present.h"
#include "session.h"
#include "tuskfs/base/times.h"
#include "tuskfs/store/postgres.h"

namespace tusk::store {
namespace {

class PastReaderImpl final : public PastReader {
 public:
  struct Parts {
    std::unique_ptr<ConnectionContext> context;
    std::unique_ptr<objects::Objects> objects;
    TenantId tenant;
    FolderRow root;
    WallTime at;
    std::string database;
  };
  PastReaderImpl(Executor& executor, Parts parts, int loaders)
      : it_(std::move(parts)),
        tiers_(std::move(it_.objects), lease_),
        loads_(executor, *it_.context),
        past_(it_.at == kPresent ? std::make_unique<PostgresPresent>(loads_, tiers_, it_.tenant)
                                 : std::make_unique<PostgresPast>(loads_, tiers_, it_.tenant)) {
    loads_.start(std::max(loaders, 1));
  }
  ~PastReaderImpl() override {
    stop_waiting(*it_.context);
    loads_.close();
  }

  WallTime at() const override { return it_.at; }
  const FolderRow& root() const override { return it_.root; }
  PastStore& past() override { return *past_; }
  std::string database() const override { return it_.database; }

 private:
  Parts it_;
  const Lease lease_{};
  Tiers tiers_;
  Loads loads_;
  const std::unique_ptr<PostgresPast> past_;
};

Result<PastReaderImpl::Parts> connect(const PostgresOptions& options) {
  PastReaderImpl::Parts parts;
  TRY_ASSIGN(parts.context, make_context(options));
  parts.context->writes = false;
  TRY_ASSIGN(const auto connection, open_first_session(*parts.context));
  parts.database = connection->database();
  TRY_ASSIGN(parts.tenant, find_tenant(*connection, options.tenant));
  TRY_ASSIGN(parts.objects, open_noted_objects(*connection, parts.tenant, options.objects.access));
  return parts;
}

Result<WallTime> time_of(Loader& loader, TenantId tenant, const std::string& moment) {
  TRY_ASSIGN(const auto snapshots, past::snapshots(loader, tenant, moment));
  if (!snapshots.empty()) return snapshots.front().taken_at;
  if (const auto at = parse_time(moment)) return *at;
  return fail(ENOENT, "'" + moment + "' is neither a time nor a snapshot",
              "such as 2026-11-23T10:00:00Z, or local time without zone");
}

}  // namespace

Result<std::unique_ptr<PastReader>> PastReader::open(const PostgresOptions& options,
                                                     const std::string& moment,
                                                     Executor& executor) {
  TRY_ASSIGN(PastReaderImpl::Parts parts, connect(options));
  Loader loader(*parts.context);
  TRY_ASSIGN(parts.at, time_of(loader, parts.tenant, moment));
  if (parts.at > executor.wall_now()) return fail(EINVAL, "'" + moment + "' is in the future");
  TRY_ASSIGN(auto root, past::root(loader, parts.tenant, parts.at));
  if (!root) return fail(ENOENT, "the tree was not there yet at " + moment);
  parts.root = std::move(*root);
  return std::make_unique<PastReaderImpl>(executor, std::move(parts), options.loaders);
}

Result<std::unique_ptr<PastReader>> PastReader::open_present(const PostgresOptions& options,
                                                             Executor& executor) {
  TRY_ASSIGN(PastReaderImpl::Parts parts, connect(options));
  Loader loader(*parts.context);
  parts.at = kPresent;
  TRY_ASSIGN(auto root, past::root(loader, parts.tenant, parts.at));
  if (!root) return fail(ENOENT, "the tree has no root yet", "mount it once at the primary");
  parts.root = std::move(*root);
  return std::make_unique<PastReaderImpl>(executor, std::move(parts), options.loaders);
}

}  // namespace tusk::store
