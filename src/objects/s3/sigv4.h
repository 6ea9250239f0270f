// Signatures of requests to S3, version 4.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tusk::objects {

// Never logged, never in an error's text.
struct Credentials {
  std::string key_id;
  std::string secret;
  std::string token;  // of a session; may be empty
};

using Query = std::map<std::string, std::string>;
using Headers = std::map<std::string, std::string>;  // names in lower case

struct Signable {
  std::string method;
  std::string path;  // encoded
  Query query;       // not encoded
  Headers headers;   // all that are signed; host and x-amz-date among them
  std::string payload_sha256;
};

// Everything but letters, digits, and "-_.~" as %XX; with `keep_slashes` also not "/".
std::string uri_encoded(std::string_view text, bool keep_slashes);
// As it stands in the url and is signed.
std::string query_text(const Query& query);

struct Scope {
  std::string time;  // 20130524T000000Z, as x-amz-date says
  std::string region;
};
// Value of the header Authorization.
std::string authorization(const Signable&, const Scope&, const Credentials&);

}  // namespace tusk::objects
