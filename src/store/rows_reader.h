// Folder and file rows out of results. A row that makes no sense is flagged and logged, so that its
// path alone fails.
#pragma once

#include "codec.h"
#include "tuskfs/store/rows.h"

namespace tusk::store {

// Columns of the statements load_folders and root_folder.
FolderRow read_folder(const Row& row);
// The last column of load_folders and root_folder.
PolicySettings read_settings(const Row& row);
// Columns of load_files, and the first ones of load_linked.
FileRow read_file(const Row& row);

}  // namespace tusk::store
