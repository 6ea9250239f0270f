// A group that the server refuses as a whole: what of it can be written is.
#pragma once

#include <vector>

#include "attach.h"
#include "connection.h"
#include "lost_found.h"
#include "mime.h"
#include "tuskfs/store/store.h"

namespace tusk::store {

// Writes the rows of `group` within the open transaction, except for those of the files and folders
// that the server refuses (a name taken by an SQL client, a foreign key of an application, a check
// or trigger of theirs, a table that is missing). A name that is taken is one in lost+found. Fails
// when the cause lies with no single one of them; the transaction must be rolled back then.
PgExpected<std::vector<Refusal>> write_accepted_rows(Connection& connection, const Group& group,
                                                     const Lease& lease, MimeTypes& mime,
                                                     LostFound& lost_found);

}  // namespace tusk::store
