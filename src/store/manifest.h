// A manifest as JSON.
#pragma once

#include "tuskfs/store/backup.h"

namespace tusk::store {

std::string text_of(const Manifest& manifest);
Result<Manifest> parse_manifest(const std::string& text);

}  // namespace tusk::store
