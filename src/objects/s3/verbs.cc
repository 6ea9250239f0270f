#include "objects/s3/verbs.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>

#include "objects/location.h"

namespace tusk::objects {
namespace {

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

struct ContentRange {
  std::uint64_t first = 0, last = 0, total = 0;
};

// "bytes 0-1023/4096"
std::optional<ContentRange> content_range(std::string_view text) {
  const std::size_t dash = text.find('-'), slash = text.find('/');
  if (!text.starts_with("bytes ") || dash == std::string_view::npos ||
      slash == std::string_view::npos || dash < 6 || slash < dash)
    return std::nullopt;
  const auto first = number_in(text.substr(6, dash - 6));
  const auto last = number_in(text.substr(dash + 1, slash - dash - 1));
  const auto total = number_in(text.substr(slash + 1));
  if (!first || !last || !total) return std::nullopt;
  return ContentRange{*first, *last, *total};
}

Result<S3Piece> piece_of(S3Client& client, const S3Call& call, S3Answer answer, S3Range wanted) {
  const auto range = content_range(answer.http.header("content-range"));
  if (answer.status != 206 || !range) return client.odd(call, "the server ignores ranges");
  const std::uint64_t end = std::min(wanted.offset + wanted.bytes, range->total);
  const bool right = range->first == wanted.offset && range->last + 1 == end &&
                     answer.http.body.size() == end - wanted.offset;
  if (!right) return client.odd(call, "the server answers with another range");
  return S3Piece{.bytes = std::move(answer.http.body), .object_bytes = range->total};
}

}  // namespace

Result<std::optional<std::uint64_t>> s3_size(S3Client& client, const std::string& key) {
  const S3Call call{.method = "HEAD", .key = key, .doing = "look at"};
  TRY_ASSIGN(const S3Answer answer, client.ask(call));
  if (answer.missing()) return std::nullopt;
  if (!answer.ok()) return client.refused(call, answer);
  const auto size = number_in(answer.http.header("content-length"));
  if (!size) return client.odd(call, "the server does not say how large it is");
  return *size;
}

Result<S3Piece> s3_get(S3Client& client, const std::string& key, S3Range range) {
  const std::string bytes =
      fmt::format("bytes={}-{}", range.offset, range.offset + range.bytes - 1);
  const S3Call call{.method = "GET", .key = key, .headers = {{"range", bytes}}, .doing = "read"};
  TRY_ASSIGN(S3Answer answer, client.ask(call));
  // It ends before the range, or is empty.
  if (answer.status == 416) return S3Piece{};
  if (answer.status == 200 && answer.http.body.empty() &&
      answer.http.header("content-length") == "0")
    return S3Piece{};
  if (!answer.ok()) return client.refused(call, answer);
  return piece_of(client, call, std::move(answer), range);
}

Result<std::optional<std::string>> s3_get_small(S3Client& client, const std::string& key) {
  const S3Call call{.method = "GET", .key = key, .doing = "read"};
  TRY_ASSIGN(const S3Answer answer, client.ask(call));
  if (answer.missing()) return std::nullopt;
  if (!answer.ok()) return client.refused(call, answer);
  return std::string(text_of(answer.http.body));
}

Result<void> s3_put(S3Client& client, const std::string& key, const Payload& payload) {
  TRY(client.call({.method = "PUT", .key = key, .payload = payload, .doing = "write"}));
  return {};
}

Result<void> s3_delete(S3Client& client, const std::string& key) {
  const S3Call call{.method = "DELETE", .key = key, .doing = "remove"};
  TRY_ASSIGN(const S3Answer answer, client.ask(call));
  if (answer.ok() || answer.missing()) return {};
  return client.refused(call, answer);
}

Result<void> s3_list(S3Client& client, const std::string& prefix, const S3Found& found) {
  S3Call call{.method = "GET",
              .key = {},
              .query = {{"list-type", "2"}, {"prefix", prefix}},
              .doing = "list"};
  for (;;) {
    TRY_ASSIGN(const S3Answer answer, client.call(call));
    TRY_ASSIGN(const Xml page, client.xml_of(call, answer, "ListBucketResult"));
    for (const Xml& item : page.children) {
      if (item.name != "Contents") continue;
      const auto bytes = number_in(item.text_of("Size"));
      if (!bytes) return client.odd(call, "the list has an object without a size");
      found({.key = item.text_of("Key"),
             .bytes = *bytes,
             .changed = item.text_of("LastModified"),
             .upload_id = {}});
    }
    if (page.text_of("IsTruncated") != "true") return {};
    std::string next = page.text_of("NextContinuationToken");
    if (next.empty() || next == call.query["continuation-token"])
      return client.odd(call, "the list goes on without saying where");
    call.query["continuation-token"] = std::move(next);
  }
}

Result<void> s3_list_uploads(S3Client& client, const std::string& prefix, const S3Found& found) {
  S3Call call{.method = "GET",
              .key = {},
              .query = {{"uploads", ""}, {"prefix", prefix}},
              .doing = "list uploads at"};
  for (;;) {
    TRY_ASSIGN(const S3Answer answer, client.ask(call));
    if (answer.status == 501 || answer.status == 405 || answer.status == 403) return {};
    if (!answer.ok()) return client.refused(call, answer);
    TRY_ASSIGN(const Xml page, client.xml_of(call, answer));
    // A server that overlooks the question lists the objects.
    if (page.name != "ListMultipartUploadsResult") return {};
    for (const Xml& item : page.children) {
      if (item.name != "Upload") continue;
      found({.key = item.text_of("Key"),
             .bytes = 0,
             .changed = item.text_of("Initiated"),
             .upload_id = item.text_of("UploadId")});
    }
    if (page.text_of("IsTruncated") != "true") return {};
    std::string next = page.text_of("NextKeyMarker");
    std::string next_id = page.text_of("NextUploadIdMarker");
    if (next.empty() ||
        (next == call.query["key-marker"] && next_id == call.query["upload-id-marker"]))
      return client.odd(call, "the list goes on without saying where");
    call.query["key-marker"] = std::move(next);
    call.query["upload-id-marker"] = std::move(next_id);
  }
}

Result<S3Multipart> s3_begin(S3Client& client, const std::string& key,
                             const std::stop_token& stop) {
  const S3Call call{
      .method = "POST", .key = key, .query = {{"uploads", ""}}, .doing = "write", .stop = stop};
  TRY_ASSIGN(const S3Answer answer, client.call(call));
  TRY_ASSIGN(const Xml xml, client.xml_of(call, answer, "InitiateMultipartUploadResult"));
  S3Multipart multipart{.key = key, .id = xml.text_of("UploadId")};
  if (multipart.id.empty()) return client.odd(call, "the upload has no id");
  return multipart;
}

Result<std::string> s3_put_part(S3Client& client, const S3Multipart& multipart, int part,
                                const Payload& payload, const std::stop_token& stop) {
  const S3Call call{.method = "PUT",
                    .key = multipart.key,
                    .query = {{"partNumber", std::to_string(part)}, {"uploadId", multipart.id}},
                    .payload = payload,
                    .doing = "write",
                    .stop = stop};
  TRY_ASSIGN(const S3Answer answer, client.call(call));
  std::string etag = answer.http.header("etag");
  if (etag.empty()) return client.odd(call, "a part has no ETag");
  return etag;
}

Result<std::optional<std::string>> s3_copy_part(S3Client& client, const S3Multipart& multipart,
                                                int part, const S3Copy& copy) {
  const std::string source =
      uri_encoded(fmt::format("{}/{}", client.place().bucket, copy.from_key), true);
  const std::string range =
      fmt::format("bytes={}-{}", copy.range.offset, copy.range.offset + copy.range.bytes - 1);
  const S3Call call{.method = "PUT",
                    .key = multipart.key,
                    .query = {{"partNumber", std::to_string(part)}, {"uploadId", multipart.id}},
                    .headers = {{"x-amz-copy-source", source}, {"x-amz-copy-source-range", range}},
                    .doing = "copy to"};
  TRY_ASSIGN(const S3Answer answer, client.ask(call));
  if (answer.status == 501 || answer.status == 405) return std::nullopt;
  if (!answer.ok()) return client.refused(call, answer);
  // A server that overlooks the header has stored an empty part: that is written again.
  const auto xml = parse_xml(text_of(answer.http.body));
  if (!xml || xml->name != "CopyPartResult" || xml->text_of("ETag").empty()) return std::nullopt;
  return xml->text_of("ETag");
}

Result<void> s3_complete(S3Client& client, const S3Multipart& multipart,
                         const std::vector<std::string>& etags) {
  std::string body = "<CompleteMultipartUpload>";
  for (std::size_t i = 0; i < etags.size(); i++) {
    body += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1,
                        xml_escaped(etags[i]));
  }
  body += "</CompleteMultipartUpload>";
  const S3Call call{.method = "POST",
                    .key = multipart.key,
                    .query = {{"uploadId", multipart.id}},
                    .headers = {{"content-type", "application/xml"}},
                    .payload = {.bytes = bytes_of(body)},
                    .doing = "complete"};
  TRY_ASSIGN(const S3Answer answer, client.ask(call));
  // An answer that got lost is followed by this one; whether the object is there is checked anyway.
  if (answer.code == "NoSuchUpload") return {};
  if (!answer.ok()) return client.refused(call, answer);
  TRY(client.xml_of(call, answer, "CompleteMultipartUploadResult"));
  return {};
}

Result<void> s3_abort(S3Client& client, const S3Multipart& multipart, int attempts) {
  const S3Call call{.method = "DELETE",
                    .key = multipart.key,
                    .query = {{"uploadId", multipart.id}},
                    .doing = "give up the upload of",
                    .attempts = attempts};
  TRY_ASSIGN(const S3Answer answer, client.ask(call));
  if (answer.ok() || answer.status == 404 || answer.status == 501 || answer.status == 405)
    return {};
  return client.refused(call, answer);
}

}  // namespace tusk::objects
