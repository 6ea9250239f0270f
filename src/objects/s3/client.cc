#include "objects/s3/client.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "objects/digest.h"
#include "objects/location.h"
#include "objects/s3/errors.h"
#include "tuskfs/base/log.h"

namespace tusk::objects {
namespace {

std::string time_now() { return fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(std::time(nullptr))); }

// Also of an answer that begins as a good one: CompleteMultipartUpload says 200 before it knows.
std::string error_code(const HttpResponse& http) {
  const std::string_view body = text_of(http.body);
  if (body.size() > 64 * 1024 || body.find("<Error>") == std::string_view::npos) return {};
  const auto xml = parse_xml(body);
  return xml && xml->name == "Error" ? xml->text_of("Code") : std::string();
}

}  // namespace

S3Client::S3Client(S3Place place, Credentials credentials, Patience patience)
    : place_(std::move(place)),
      patience_(patience),
      http_(patience.times),
      credentials_(std::move(credentials)) {}

std::string S3Client::name_of(const S3Call& call) const {
  return fmt::format("s3://{}/{}", place_.bucket, call.key.empty() ? place_.prefix : call.key);
}

Result<S3Answer> S3Client::ask(const S3Call& call) {
  const int most = call.attempts > 0 ? call.attempts : patience_.attempts;
  bool renewed = false;
  for (int i = 1;; i++) {
    auto answer = attempt(call);
    const bool again = answer ? is_passing(*answer) : answer.error().code == ETIMEDOUT;
    if (answer && is_about_keys(*answer) && !std::exchange(renewed, true) && renew_credentials())
      continue;
    if (!again || i >= most || !wait(i, call.stop)) {
      if (answer) return answer;
      Error error = std::move(answer).error();
      return fail(error.code,
                  fmt::format("cannot {} {}: {}", call.doing, name_of(call), error.what),
                  "is the server up, and AWS_ENDPOINT_URL_S3 right?");
    }
    log::debug(
        "{} {}: attempt {} of {} failed: {}", call.method, name_of(call), i, most,
        answer ? fmt::format("status {} {}", answer->status, answer->code) : answer.error().what);
  }
}

Result<S3Answer> S3Client::attempt(const S3Call& call) {
  // Anew each time: a part may be written over while it is sent.
  TRY_ASSIGN(const std::string sha256, sha256_of(call.payload));
  TRY_ASSIGN(HttpResponse http, http_.perform(signed_request(call, sha256)));
  S3Answer answer{.status = http.status, .http = std::move(http), .code = {}};
  // The content of objects is never looked into.
  if (call.method != "GET" || !answer.ok()) answer.code = error_code(answer.http);
  if (answer.ok() && !answer.code.empty()) answer.status = 400;
  return answer;
}

HttpRequest S3Client::signed_request(const S3Call& call, const std::string& payload_sha256) {
  const Credentials keys = credentials();
  const Scope scope{.time = time_now(), .region = place_.region};
  const std::string key = uri_encoded(call.key, true);
  Signable signable{.method = call.method,
                    .path = place_.base_path + key,
                    .query = call.query,
                    .headers = call.headers,
                    .payload_sha256 = payload_sha256};
  signable.headers["host"] = place_.host;
  signable.headers["x-amz-date"] = scope.time;
  signable.headers["x-amz-content-sha256"] = payload_sha256;
  if (!keys.token.empty()) signable.headers["x-amz-security-token"] = keys.token;

  const std::string query = query_text(call.query);
  HttpRequest request{
      .method = call.method,
      .url = place_.base_url + key + (query.empty() ? "" : "?") + query,
      .headers = {"Expect:", "Authorization: " + authorization(signable, scope, keys)},
      .payload = call.payload,
      .stop = call.stop};
  for (const auto& [name, value] : signable.headers) request.headers.push_back(name + ": " + value);
  return request;
}

Credentials S3Client::credentials() {
  const std::lock_guard lock(mutex_);
  return credentials_;
}

bool S3Client::renew_credentials() {
  auto found = find_credentials();
  const std::lock_guard lock(mutex_);
  if (!found || (found->secret == credentials_.secret && found->key_id == credentials_.key_id &&
                 found->token == credentials_.token))
    return false;
  credentials_ = std::move(*found);
  return true;
}

// Twice as long each time, and never all clients at once. False: it was asked to stop.
bool S3Client::wait(int attempt, const std::stop_token& stop) {
  const auto longest =
      std::min(patience_.longest_wait, patience_.first_wait * (1 << (attempt - 1)));
  std::uint32_t random = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&random), sizeof random);
  const auto length = longest / 2 + longest / 2 * (random % 1024) / 1024;
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any stopped;
  stopped.wait_for(lock, stop, length, [] { return false; });
  return !stop.stop_requested();
}

Result<S3Answer> S3Client::call(const S3Call& call) {
  TRY_ASSIGN(S3Answer answer, ask(call));
  if (!answer.ok()) return refused(call, answer);
  return answer;
}

std::unexpected<Error> S3Client::refused(const S3Call& call, const S3Answer& answer) const {
  Error reason = reason_of(answer, place_);
  return fail(reason.code, fmt::format("cannot {} {}: {}", call.doing, name_of(call), reason.what),
              std::move(reason.hint));
}

std::unexpected<Error> S3Client::odd(const S3Call& call, std::string_view how) const {
  return fail(EIO, fmt::format("cannot {} {}: {}", call.doing, name_of(call), how));
}

Result<Xml> S3Client::xml_of(const S3Call& call, const S3Answer& answer,
                             std::string_view root) const {
  auto xml = parse_xml(text_of(answer.http.body));
  if (!xml || (!root.empty() && xml->name != root))
    return odd(call, fmt::format("the answer is no {}", root.empty() ? "XML" : root));
  return std::move(*xml);
}

Result<std::string> sha256_of(const Payload& payload) {
  if (payload.fd < 0) return hex_of(sha256_of(payload.bytes));
  Sha256Stream sum;
  Buffer buffer(256 * 1024);
  for (std::uint64_t at = 0; at < payload.length();) {
    TRY_ASSIGN(const std::size_t n, payload.read(at, buffer));
    sum.add(ByteSpan(buffer).first(n));
    at += n;
  }
  return hex_of(sum.end());
}

}  // namespace tusk::objects
