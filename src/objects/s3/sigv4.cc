#include "objects/s3/sigv4.h"

#include <fmt/format.h>

#include "objects/digest.h"
#include "objects/location.h"

namespace tusk::objects {
namespace {

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '~';
}

std::string signed_names(const Headers& headers) {
  std::string names;
  for (const auto& [name, value] : headers) names += (names.empty() ? "" : ";") + name;
  return names;
}

std::string canonical_request(const Signable& request) {
  std::string headers;
  for (const auto& [name, value] : request.headers) headers += fmt::format("{}:{}\n", name, value);
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path,
                     query_text(request.query), headers, signed_names(request.headers),
                     request.payload_sha256);
}

Sha256 signing_key(const Credentials& credentials, std::string_view date,
                   const std::string& region) {
  const Sha256 of_date = hmac_sha256(bytes_of("AWS4" + credentials.secret), bytes_of(date));
  const Sha256 of_region = hmac_sha256(of_date, bytes_of(region));
  const Sha256 of_service = hmac_sha256(of_region, bytes_of("s3"));
  return hmac_sha256(of_service, bytes_of("aws4_request"));
}

}  // namespace

std::string uri_encoded(std::string_view text, bool keep_slashes) {
  std::string out;
  for (const char c : text) {
    if (is_unreserved(c) || (c == '/' && keep_slashes)) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string query_text(const Query& query) {
  std::string text;
  for (const auto& [name, value] : query) {
    text += fmt::format("{}{}={}", text.empty() ? "" : "&", uri_encoded(name, false),
                        uri_encoded(value, false));
  }
  return text;
}

std::string authorization(const Signable& request, const Scope& at,
                          const Credentials& credentials) {
  const std::string_view date = std::string_view(at.time).substr(0, 8);
  const std::string scope = fmt::format("{}/{}/s3/aws4_request", date, at.region);
  const std::string to_sign = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", at.time, scope,
                                          hex_of(sha256_of(bytes_of(canonical_request(request)))));
  const Sha256 signature =
      hmac_sha256(signing_key(credentials, date, at.region), bytes_of(to_sign));
  return fmt::format("AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={},Signature={}",
                     credentials.key_id, scope, signed_names(request.headers), hex_of(signature));
}

}  // namespace tusk::objects
