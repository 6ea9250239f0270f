// Rows of applications may refer to files and folders by foreign keys: then the database is asked
// before something is deleted. Where there are no such keys it costs nothing.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/core.h"

namespace tusk::core {

// What is known of the one that is to go, between attempts.
struct ReferenceCheck {
  Uuid id;
  std::optional<Result<std::string>> constraint;
  Waiters waiters;
};

// Before the last name of something goes. EBUSY, with a line in the log: something refers to it.
Attempt<void> check_unreferenced(Core&, const Node&, std::shared_ptr<ReferenceCheck>&);

}  // namespace tusk::core
