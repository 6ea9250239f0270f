// A group's rows as statements: set-based, in the order of the group's members.
#pragma once

#include "attach.h"
#include "connection.h"
#include "mime.h"
#include "tuskfs/store/group.h"

namespace tusk::store {

// Queues everything between begin_group and commit.
PgExpected<void> write_rows(Connection& connection, const Group& group, const Lease& lease,
                            MimeTypes& mime);

}  // namespace tusk::store
