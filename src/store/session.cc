#include "session.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "pooling.h"
#include "sqlstate.h"

namespace tusk::store {
namespace {

constexpr std::int64_t kOldestServer = 130'000;

Result<void> check_server(const Row& facts, bool writes) {
  if (facts.integer(0) < kOldestServer) {
    return fail(EPROTONOSUPPORT, fmt::format("the server is PostgreSQL {}", facts.text(1)),
                "TuskFS needs PostgreSQL 13 or newer");
  }
  if (facts.text(2) != "UTF8") {
    return fail(EINVAL, fmt::format("the database has the encoding {}", facts.text(2)),
                "create one with: create database ... encoding 'UTF8' template template0");
  }
  if (writes && facts.boolean(3)) {
    return fail(EROFS, "the server is a standby, which takes no writes",
                "connect to the primary, or mount with --read-only-standby");
  }
  return {};
}

}  // namespace

PgExpected<std::unique_ptr<Connection>> open_session(ConnectionContext& context) {
  auto connection = Connection::open(context);
  if (!connection) return std::unexpected(std::move(connection).error());
  if (context.writes && (*connection)->is_standby()) {
    PgFailure failure;
    failure.lost = true;
    failure.message = (*connection)->database() + " is a standby, which takes no writes";
    return std::unexpected(failure);
  }
  if (auto set = (*connection)->run("session_settings"); !set) {
    return std::unexpected(std::move(set).error());
  }
  return std::move(*connection);
}

Result<std::unique_ptr<Connection>> open_first_session(ConnectionContext& context) {
  auto connection = Connection::open(context);
  if (!connection) return std::unexpected(setup_error(connection.error()));
  TRY(refuse_transaction_pooling(context, **connection));
  // Before the settings, which an old server may not know.
  auto facts = (*connection)->run("server_facts");
  if (!facts) return std::unexpected(setup_error(facts.error()));
  TRY(check_server(facts->row(0), context.writes));
  auto set = (*connection)->run("session_settings");
  if (!set) return std::unexpected(setup_error(set.error()));
  return std::move(*connection);
}

Result<std::unique_ptr<ConnectionContext>> make_context(const PostgresOptions& options) {
  auto context = std::make_unique<ConnectionContext>();
  context->conninfo = options.conninfo;
  context->before_reconnect = options.before_reconnect;
  if (options.only_reads) {
    context->writes = false;
    context->servers = std::make_shared<Servers>(Servers::Wanted::standby);
  }
  context->stop_event = Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (context->stop_event) return context;
  return fail(errno, fmt::format("cannot make an eventfd: {}", std::strerror(errno)));
}

void stop_waiting(const ConnectionContext& context) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(context.stop_event.get(), &one, sizeof one);
}

Result<TenantId> find_tenant(Connection& connection, const std::string& name) {
  auto found = connection.run("past_tenant", Params().add(std::string_view(name)));
  if (!found) return std::unexpected(setup_error(found.error()));
  if (found->rows() == 0)
    return fail(ENOENT, fmt::format("there is no tenant '{}' in the database", name));
  return TenantId{found->row(0).uuid(0)};
}

}  // namespace tusk::store
