// The verbs of S3 that objects need, each one request (a listing: as many as it has pages).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "objects/s3/client.h"

namespace tusk::objects {

struct S3Range {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

struct S3Piece {
  Buffer bytes;  // fewer than asked for at the object's end
  // Of the whole object; empty when the range lies behind it.
  std::optional<std::uint64_t> object_bytes;
};

struct S3Item {
  std::string key;
  std::uint64_t bytes = 0;
  std::string changed;    // 2026-01-02T03:04:05.000Z
  std::string upload_id;  // of an upload that is not finished
};

using S3Found = std::function<void(const S3Item&)>;

// Empty: no such object.
Result<std::optional<std::uint64_t>> s3_size(S3Client&, const std::string& key);
Result<S3Piece> s3_get(S3Client&, const std::string& key, S3Range range);
Result<std::optional<std::string>> s3_get_small(S3Client&, const std::string& key);
Result<void> s3_put(S3Client&, const std::string& key, const Payload&);
Result<void> s3_delete(S3Client&, const std::string& key);
Result<void> s3_list(S3Client&, const std::string& prefix, const S3Found&);
// Nothing where the server cannot list them, or will not.
Result<void> s3_list_uploads(S3Client&, const std::string& prefix, const S3Found&);

struct S3Multipart {
  std::string key;
  std::string id;
};
struct S3Copy {
  std::string from_key;
  S3Range range;
};

Result<S3Multipart> s3_begin(S3Client&, const std::string& key, const std::stop_token&);
// Parts are numbered from 1. Answers the part's ETag.
Result<std::string> s3_put_part(S3Client&, const S3Multipart&, int part, const Payload&,
                                const std::stop_token&);
// Empty: the server does not copy parts.
Result<std::optional<std::string>> s3_copy_part(S3Client&, const S3Multipart&, int part,
                                                const S3Copy&);
Result<void> s3_complete(S3Client&, const S3Multipart&, const std::vector<std::string>& etags);
Result<void> s3_abort(S3Client&, const S3Multipart&, int attempts);

}  // namespace tusk::objects
