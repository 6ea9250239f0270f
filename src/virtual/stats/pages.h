// Self-contained pages, with the document that they draw themselves from.
#pragma once

#include <string>

#include "virtual/stats/text.h"

namespace tusk::virt {

// `name`: of a file of src/virtual/stats/pages, without its ending.
std::string page(std::string_view name, const Json& document);

}  // namespace tusk::virt
