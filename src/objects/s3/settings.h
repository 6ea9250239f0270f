// Which server, with which keys: from the environment, as other programs for S3 have it.
#pragma once

#include <chrono>
#include <string>

#include "objects/s3/http.h"
#include "objects/s3/sigv4.h"
#include "tuskfs/objects/objects.h"

namespace tusk::objects {

struct S3Place {
  std::string bucket;
  std::string prefix;     // of the tree's keys; ends with a slash
  std::string base_url;   // what a key is appended to; ends with a slash
  std::string host;       // as the header says
  std::string base_path;  // of base_url
  std::string region;
};
// EINVAL: the location or the endpoint cannot be read.
Result<S3Place> s3_place(const Options&);

// AWS_ACCESS_KEY_ID and its like, else the file of credentials. EACCES: there are none.
Result<Credentials> find_credentials();

// $XDG_CACHE_HOME/tuskfs or ~/.cache/tuskfs; what is temporary and may be large, without a home.
std::string default_cache_folder();

// How long a server is waited for, and how often it is asked.
struct Patience {
  HttpTimes times;
  int attempts = 6;
  std::chrono::milliseconds first_wait{100};
  std::chrono::milliseconds longest_wait{5000};
};

}  // namespace tusk::objects
