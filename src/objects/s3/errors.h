// What an error of S3 means to us.
#pragma once

#include <string>

#include "objects/s3/client.h"

namespace tusk::objects {

// Whether the same request may succeed later.
bool is_passing(const S3Answer&);
// Whether other keys may help: the file of credentials may have changed.
bool is_about_keys(const S3Answer&);
// `what` is the reason alone.
Error reason_of(const S3Answer&, const S3Place&);

}  // namespace tusk::objects
