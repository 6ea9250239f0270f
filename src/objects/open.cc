#include "objects/local.h"
#include "objects/location.h"

namespace tusk::objects {

Result<std::unique_ptr<Objects>> open(const Options& options, bool fresh) {
  if (is_s3(options)) return fail(EOPNOTSUPP, "objects on S3 are not supported");
  return open_local(options, fresh);
}

}  // namespace tusk::objects
