// tusk.fsck(): the invariants of sql/checks for who asks by SQL.
#pragma once

#include <string>

namespace tusk::store {

// Makes the function of the same texts as tuskfs fsck asks, with the newest migration of the tree.
std::string fsck_function_script();

}  // namespace tusk::store
