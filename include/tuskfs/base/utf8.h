#pragma once

#include <string_view>

namespace tusk {

// Well-formed UTF-8 as RFC 3629 and PostgreSQL have it: no overlong forms, no surrogates, at most
// U+10FFFF, no NUL.
bool is_utf8(std::string_view text);

}  // namespace tusk
