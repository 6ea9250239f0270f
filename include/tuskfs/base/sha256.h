// SHA-256 as sha256sum prints it.
#pragma once

#include <string>
#include <string_view>

#include "tuskfs/base/result.h"

namespace tusk {

std::string sha256_of(std::string_view text);
Result<std::string> sha256_of_file(const std::string& path);

}  // namespace tusk
