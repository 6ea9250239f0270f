#include "objects/s3/errors.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <ctime>

#include "objects/location.h"

namespace tusk::objects {
namespace {

// Servers of S3 accept no greater difference.
constexpr std::time_t kSkewMost = 15 * 60;

std::string utc(std::time_t time) {
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

std::time_t server_time(const S3Answer& answer) {
  return curl_getdate(answer.http.header("date").c_str(), nullptr);
}

bool is_skewed(const S3Answer& answer) {
  if (answer.code == "RequestTimeTooSkewed") return true;
  if (answer.status != 403 || !answer.code.empty()) return false;
  // An answer without a body, as to HEAD: the time alone can tell.
  const std::time_t theirs = server_time(answer);
  return theirs > 0 && std::abs(theirs - std::time(nullptr)) > kSkewMost;
}

Error skewed(const S3Answer& answer) {
  const auto body = parse_xml(text_of(answer.http.body));
  std::string theirs = body ? body->text_of("ServerTime") : "";
  if (theirs.empty()) theirs = server_time(answer) > 0 ? utc(server_time(answer)) : "unknown";
  return {EACCES,
          fmt::format("the clocks differ too much: here it is {}, at the server {}",
                      utc(std::time(nullptr)), theirs),
          "set this machine's clock, best by NTP"};
}

std::string said(const S3Answer& answer) {
  return answer.code.empty() ? fmt::format("HTTP status {}", answer.status) : answer.code;
}

Error other_region(const S3Answer& answer, const S3Place& place) {
  const auto body = parse_xml(text_of(answer.http.body));
  std::string region = answer.http.header("x-amz-bucket-region");
  if (region.empty() && body) region = body->text_of("Region");
  return {
      EINVAL,
      fmt::format("bucket {} is not in region {} ({})", place.bucket, place.region, said(answer)),
      region.empty() ? "set AWS_REGION" : "set AWS_REGION=" + region};
}

bool is_full(const S3Answer& answer) {
  return answer.status == 507 || answer.code.find("Quota") != std::string::npos ||
         answer.code.find("StorageFull") != std::string::npos ||
         answer.code == "InsufficientCapacity";
}

}  // namespace

bool is_passing(const S3Answer& answer) {
  if (is_full(answer)) return false;
  switch (answer.status) {
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
      return true;
    default:
      return answer.code == "RequestTimeout" || answer.code == "SlowDown" ||
             answer.code == "InternalError" || answer.code == "OperationAborted" ||
             // The payload did not arrive as it was sent.
             answer.code == "BadDigest" || answer.code == "XAmzContentSHA256Mismatch" ||
             answer.code == "IncompleteBody";
  }
}

bool is_about_keys(const S3Answer& answer) {
  return answer.code == "ExpiredToken" || answer.code == "InvalidAccessKeyId" ||
         answer.code == "InvalidToken" || answer.code == "SignatureDoesNotMatch" ||
         answer.code == "TokenRefreshRequired";
}

Error reason_of(const S3Answer& answer, const S3Place& place) {
  if (is_skewed(answer)) return skewed(answer);
  if (answer.code == "NoSuchBucket")
    return {ENOENT, fmt::format("there is no bucket {}", place.bucket), "make it first"};
  if (is_full(answer)) return {ENOSPC, fmt::format("the server is full ({})", said(answer)), {}};
  if (answer.status == 301 || answer.status == 307 || answer.code == "PermanentRedirect" ||
      answer.code == "AuthorizationHeaderMalformed" ||
      answer.code == "IllegalLocationConstraintException")
    return other_region(answer, place);
  if (answer.code == "InvalidAccessKeyId")
    return {EACCES, "the server does not know the key id (InvalidAccessKeyId)",
            "see AWS_ACCESS_KEY_ID"};
  if (answer.code == "SignatureDoesNotMatch")
    return {EACCES, "the secret key is not the right one (SignatureDoesNotMatch)",
            "see AWS_SECRET_ACCESS_KEY"};
  if (is_about_keys(answer))
    return {EACCES, fmt::format("the keys of this session have expired ({})", said(answer)),
            "see AWS_SESSION_TOKEN"};
  if (answer.status == 401 || answer.status == 403)
    return {EACCES, fmt::format("the server does not allow it ({})", said(answer)), {}};
  if (answer.status == 404) return {ENOENT, fmt::format("it is not there ({})", said(answer)), {}};
  if (answer.code == "EntityTooLarge") return {EFBIG, "it is too large for the server", {}};
  if (is_passing(answer))
    return {ETIMEDOUT, fmt::format("the server keeps failing ({})", said(answer)), {}};
  return {EIO, fmt::format("the server refuses ({})", said(answer)), {}};
}

}  // namespace tusk::objects
