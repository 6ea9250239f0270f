#include "objects/s3/settings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>

namespace tusk::objects {
namespace {

std::string from_environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

std::string first_of(std::initializer_list<const char*> names, std::string otherwise = {}) {
  for (const char* name : names) {
    if (auto value = from_environment(name); !value.empty()) return value;
  }
  return otherwise;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") + 1 - first);
}

std::string credentials_file() {
  const std::string home = from_environment("HOME");
  return first_of({"AWS_SHARED_CREDENTIALS_FILE"}, home.empty() ? "" : home + "/.aws/credentials");
}

Credentials credentials_in(std::istream& file, const std::string& profile) {
  Credentials found;
  bool ours = false;
  for (std::string line; std::getline(file, line);) {
    const std::string_view text = trimmed(line);
    if (text.starts_with('[')) ours = text == "[" + profile + "]";
    const std::size_t equals = text.find('=');
    if (!ours || equals == std::string_view::npos) continue;
    const std::string_view name = trimmed(text.substr(0, equals));
    const std::string value(trimmed(text.substr(equals + 1)));
    if (name == "aws_access_key_id") found.key_id = value;
    if (name == "aws_secret_access_key") found.secret = value;
    if (name == "aws_session_token") found.token = value;
  }
  return found;
}

// The endpoint of Amazon itself: with the bucket in the host name where a certificate allows it.
void at_amazon(S3Place& place) {
  const std::string server = fmt::format("s3.{}.amazonaws.com", place.region);
  const bool in_path = place.bucket.find('.') != std::string::npos;
  place.host = in_path ? server : fmt::format("{}.{}", place.bucket, server);
  place.base_path = in_path ? fmt::format("/{}/", place.bucket) : "/";
  place.base_url = fmt::format("https://{}{}", place.host, place.base_path);
}

Result<void> at_endpoint(S3Place& place, std::string endpoint) {
  while (endpoint.ends_with('/')) endpoint.pop_back();
  const std::size_t scheme = endpoint.find("://");
  const bool known = endpoint.starts_with("http://") || endpoint.starts_with("https://");
  // The name and password of such a url would end up in texts.
  if (!known || endpoint.find_first_of("@ ?#") != std::string::npos) {
    return fail(EINVAL, "AWS_ENDPOINT_URL_S3 is not a url of a server",
                "it looks like https://s3.example.com:9000");
  }
  const std::string rest = endpoint.substr(scheme + 3);
  const std::size_t slash = rest.find('/');
  place.host = rest.substr(0, slash);
  const std::string path = slash == std::string::npos ? "" : rest.substr(slash);
  place.base_path = fmt::format("{}/{}/", path, uri_encoded(place.bucket, false));
  place.base_url = fmt::format("{}/{}/", endpoint, uri_encoded(place.bucket, false));
  // As curl writes it, and so as it is to be signed.
  const bool secure = endpoint.starts_with("https://");
  const std::string standard = secure ? ":443" : ":80";
  if (place.host.ends_with(standard)) place.host.resize(place.host.size() - standard.size());
  return {};
}

}  // namespace

Result<S3Place> s3_place(const Options& options) {
  std::string rest = options.location.substr(std::string_view("s3://").size());
  while (rest.ends_with('/')) rest.pop_back();
  const std::size_t slash = rest.find('/');
  S3Place place;
  place.bucket = rest.substr(0, slash);
  if (slash != std::string::npos) place.prefix = rest.substr(slash + 1) + "/";
  place.prefix += options.tree.uuid.text() + "/";
  place.region = first_of({"AWS_REGION", "AWS_DEFAULT_REGION"}, "us-east-1");
  if (place.bucket.empty() || place.bucket.find_first_of(" ?#@:%") != std::string::npos ||
      place.prefix.starts_with('/') || place.prefix.find("//") != std::string::npos) {
    return fail(EINVAL, fmt::format("{} is not a place on S3", options.location),
                "it looks like s3://bucket/prefix");
  }
  const std::string endpoint = first_of({"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
  if (endpoint.empty()) {
    at_amazon(place);
  } else {
    TRY(at_endpoint(place, endpoint));
  }
  return place;
}

std::string default_cache_folder() {
  if (const std::string caches = from_environment("XDG_CACHE_HOME"); caches.starts_with('/'))
    return caches + "/tuskfs";
  const std::string home = from_environment("HOME");
  return home.starts_with('/') ? home + "/.cache/tuskfs"
                               : fmt::format("/var/tmp/tuskfs-{}", ::geteuid());
}

Result<Credentials> find_credentials() {
  Credentials found{.key_id = from_environment("AWS_ACCESS_KEY_ID"),
                    .secret = from_environment("AWS_SECRET_ACCESS_KEY"),
                    .token = from_environment("AWS_SESSION_TOKEN")};
  if (!found.key_id.empty() && !found.secret.empty()) return found;
  const std::string profile = first_of({"AWS_PROFILE"}, "default");
  const std::string path = credentials_file();
  std::ifstream file(path);
  found = credentials_in(file, profile);
  if (!found.key_id.empty() && !found.secret.empty()) return found;
  return fail(EACCES, "there are no keys for S3",
              fmt::format("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write them into {} "
                          "under [{}]",
                          path.empty() ? "~/.aws/credentials" : path, profile));
}

}  // namespace tusk::objects
