#include "object_place.h"

#include <fmt/format.h>

#include <cerrno>

#include "sqlstate.h"
#include "tuskfs/base/log.h"

namespace tusk::store {
namespace {

struct Noted {
  std::string place;  // empty: none
  bool has_objects = false;
};

Result<Noted> noted_place(Connection& connection, TenantId tenant) {
  auto found = connection.run("objects_place", Params().add(tenant));
  if (!found) return std::unexpected(setup_error(found.error()));
  if (found->rows() != 1) return fail(EIO, "the tree's row in tusk.tenants is missing");
  const Row row = found->row(0);
  return Noted{row.is_null(0) ? "" : std::string(row.text(0)), row.boolean(1)};
}

Result<void> note_place(Connection& connection, TenantId tenant, const std::string& place) {
  auto moved = connection.run("move_objects", Params().add(tenant).add(std::string_view(place)));
  if (!moved) return std::unexpected(setup_error(moved.error()));
  return {};
}

std::optional<objects::Options> options_of(const Noted& noted, TenantId tenant,
                                           const objects::Access& access) {
  std::string location = objects::location_in(noted.place, tenant);
  if (location.empty()) return std::nullopt;
  return objects::Options{.location = std::move(location), .tree = tenant, .access = access};
}

}  // namespace

Result<std::unique_ptr<objects::Objects>> open_objects(Connection& connection,
                                                       const PostgresOptions& options,
                                                       Lease& lease) {
  const TenantId tenant = lease.attached.tenant;
  TRY_ASSIGN(const Noted noted, noted_place(connection, tenant));
  objects::Options wanted = options.objects;
  wanted.tree = tenant;
  if (wanted.location.empty()) wanted.location = objects::location_in(noted.place, tenant);
  if (wanted.location.empty()) wanted.location = options.objects_default;
  if (wanted.location.empty()) return nullptr;
  TRY_ASSIGN(auto opened, objects::open(wanted, !noted.has_objects));
  lease.objects_place = objects::place_of(wanted);
  lease.attached.has_objects = true;
  if (lease.objects_place == noted.place) return opened;
  if (noted.has_objects)
    log::info("the tree's objects are at {} now, not at {}", lease.objects_place, noted.place);
  TRY(note_place(connection, tenant, lease.objects_place));
  return opened;
}

Result<std::unique_ptr<objects::Objects>> open_noted_objects(Connection& connection,
                                                             TenantId tenant,
                                                             const objects::Access& access) {
  TRY_ASSIGN(const Noted noted, noted_place(connection, tenant));
  const auto options = options_of(noted, tenant, access);
  if (!options) return nullptr;
  return objects::open(*options, !noted.has_objects);
}

Result<std::unique_ptr<objects::StoredObjects>> open_stored_objects(Connection& connection,
                                                                    TenantId tenant) {
  TRY_ASSIGN(const Noted noted, noted_place(connection, tenant));
  const auto options = options_of(noted, tenant, {});
  if (!options) return nullptr;
  return objects::open_stored(*options, !noted.has_objects);
}

}  // namespace tusk::store
