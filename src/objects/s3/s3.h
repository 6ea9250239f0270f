// Objects in a bucket: s3://BUCKET/PREFIX/TREE/ab/ID, where ab ends the id.
#pragma once

#include "objects/place.h"
#include "objects/s3/settings.h"

namespace tusk::objects {

Result<std::unique_ptr<Place>> open_s3(const Options&, const Opening&, const Patience& = {});

}  // namespace tusk::objects
