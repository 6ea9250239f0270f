#include "tuskfs/store/tenants.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "attach.h"
#include "connection.h"
#include "session.h"
#include "sqlstate.h"
#include "tuskfs/base/utf8.h"

namespace tusk::store {
namespace {

constexpr std::int64_t kNone = -1;
constexpr std::size_t kNameMax = 63;  // as names of roles and databases

std::optional<std::int64_t> limit_in(std::int64_t value) {
  return value == kNone ? std::nullopt : std::optional(value);
}

Usage usage_in(const Row& row, int column) {
  return {row.integer(column), row.integer(column + 1), row.integer(column + 2)};
}

Result<void> check_name(const std::string& name) {
  const bool is_control = std::ranges::any_of(name, [](unsigned char c) { return c < 32; });
  if (!name.empty() && name.size() <= kNameMax && is_utf8(name) && !is_control) return {};
  return fail(EINVAL, fmt::format("'{}' is no name for a tenant", is_control ? "" : name),
              "it has 1 to 63 bytes of UTF-8, without control characters");
}

class TenantsImpl final : public Tenants {
 public:
  explicit TenantsImpl(const std::string& conninfo) { context_.conninfo = conninfo; }

  Result<void> connect() {
    TRY_ASSIGN(connection_, open_first_session(context_));
    return {};
  }

  Result<std::vector<TenantFacts>> list() override {
    TRY_ASSIGN(const PgResult found, run("tenant_facts"));
    std::vector<TenantFacts> all;
    for (int i = 0; i < found.rows(); i++) {
      const Row row = found.row(i);
      all.push_back({std::string(row.text(0)),
                     usage_in(row, 1),
                     std::string(row.text(4)),
                     std::string(row.text(5)),
                     {limit_in(row.integer(6)), limit_in(row.integer(7))}});
    }
    return all;
  }

  Result<void> create(const std::string& name) override {
    TRY(check_name(name));
    return in_transaction([&]() -> Result<void> {
      TRY_ASSIGN(const PgResult made, run("add_tenant", Params().add(std::string_view(name))));
      if (made.rows() == 0)
        return fail(EEXIST, fmt::format("there is a tenant '{}' already", name));
      const Uuid tenant = made.row(0).uuid(0);
      TRY(run("create_root", Params()
                                 .add(made.row(0).uuid(1))
                                 .add(tenant)
                                 .add(std::int64_t{::geteuid()})
                                 .add(std::int64_t{::getegid()})));
      TRY(run("create_mount", Params().add(tenant)));
      return {};
    });
  }

  Result<void> rename(const std::string& name, const std::string& to) override {
    TRY(check_name(to));
    TRY(find_tenant(*connection_, name));
    const Params names = Params().add(std::string_view(name)).add(std::string_view(to));
    const auto renamed = connection_->run("rename_tenant", names);
    if (renamed) return {};
    if (renamed.error().sqlstate == "23505")
      return fail(EEXIST, fmt::format("there is a tenant '{}' already", to));
    return std::unexpected(setup_error(renamed.error()));
  }

  Result<void> set_quota(const std::string& name, const Quota& quota) override {
    TRY(find_tenant(*connection_, name));
    TRY(run("set_quota", Params()
                             .add(std::string_view(name))
                             .add(quota.bytes.value_or(kNone))
                             .add(quota.files.value_or(kNone))));
    return {};
  }

  Result<std::vector<CountedTenant>> count(const std::string& name, bool repair) override {
    if (!name.empty()) TRY(find_tenant(*connection_, name));
    std::vector<CountedTenant> all;
    const auto counted = in_transaction([&]() -> Result<void> {
      TRY(run("scan_freely"));
      TRY_ASSIGN(const PgResult found,
                 run("check_usage", Params().add(std::string_view(name)).add(repair)));
      for (int i = 0; i < found.rows(); i++) {
        const Row row = found.row(i);
        all.push_back({std::string(row.text(0)), usage_in(row, 1), usage_in(row, 4)});
      }
      return {};
    });
    TRY(counted);
    return all;
  }

  Result<void> remove(const std::string& name, bool purge) override {
    TRY_ASSIGN(const TenantId tenant, find_tenant(*connection_, name));
    TRY(lock_tree(*connection_, tenant, name));
    return in_transaction([&] { return remove_locked(tenant, name, purge); });
  }

 private:
  Result<PgResult> run(std::string_view statement, const Params& params = {}) {
    auto result = connection_->run(statement, params);
    if (!result) return std::unexpected(setup_error(result.error()));
    return std::move(*result);
  }

  template <class Fn>
  Result<void> in_transaction(Fn work) {
    TRY(run("begin"));
    if (const auto done = work(); !done) {
      if (connection_->alive()) (void)connection_->run("rollback");
      return done;
    }
    TRY(run("commit"));
    return {};
  }

  Result<void> remove_locked(TenantId tenant, const std::string& name, bool purge) {
    const Params of_tree = Params().add(tenant);
    TRY(run("scan_freely"));
    TRY_ASSIGN(const PgResult empty, run("tenant_is_empty", of_tree));
    if (!purge && !empty.row(0).boolean(0))
      return fail(ENOTEMPTY, fmt::format("tenant '{}' has files, or a trash with some", name),
                  "--purge removes them with their history; that cannot be undone");
    TRY_ASSIGN(const PgResult objects, run("tenant_objects", of_tree));
    if (const std::int64_t count = objects.row(0).integer(0); count > 0)
      return fail(
          EBUSY, fmt::format("tenant '{}' has {} objects outside the database", name, count),
          "mount it, delete what is large, and run tuskfs gc; or move it into the database");
    TRY(remove_all("remove_some_files", of_tree, name));
    TRY(remove_all("remove_some_folders", of_tree, name));
    for (const char* rest : {"remove_tenant_snapshots", "forget_all_mounts", "purge_staging",
                             "forget_pending_usage", "remove_tenant_mount", "remove_tenant"})
      TRY(run(rest, of_tree));
    return {};
  }

  Result<void> remove_all(std::string_view statement, const Params& of_tree,
                          const std::string& name) {
    while (true) {
      const auto some = connection_->run(statement, of_tree);
      if (!some && some.error().sqlstate == "23503")
        return fail(EBUSY, fmt::format("rows of an application refer to files of tenant '{}': {}",
                                       name, some.error().text()));
      if (!some) return std::unexpected(setup_error(some.error()));
      if (some->rows() == 0) return {};
    }
  }

  ConnectionContext context_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace

Result<std::unique_ptr<Tenants>> Tenants::open(const std::string& conninfo) {
  auto tenants = std::make_unique<TenantsImpl>(conninfo);
  TRY(tenants->connect());
  return tenants;
}

}  // namespace tusk::store
