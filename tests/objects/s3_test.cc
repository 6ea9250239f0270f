// What S3 is asked, what its errors become, and where keys come from.
#include <sys/mount.h>

#include <cerrno>
#include <ctime>

#include "objects/digest.h"
#include "objects/location.h"
#include "objects/s3_fixture.h"

namespace tusk::test {
namespace {

class S3Errors : public S3Test {
 protected:
  Error error_of_reading(const std::string& answer) {
    const auto at = open();
    proxy_.plan({.matching = "GET ", .fault = Fault::answer, .times = 5, .text = answer});
    Buffer into(10);
    const auto got = at->read(new_id(), 0, into);
    proxy_.forget_plans();
    return got ? Error{} : got.error();
  }
};

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_F(S3Errors, an_unknown_key_id_is_eacces) {
  const Environment key("AWS_ACCESS_KEY_ID", "NOSUCHKEY");
  const auto opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, EACCES);
  EXPECT_TRUE(has(opened.error().what, "InvalidAccessKeyId")) << opened.error().what;
}

TEST_F(S3Errors, a_wrong_secret_is_eacces_and_not_told) {
  const Environment key("AWS_SECRET_ACCESS_KEY", "a-secret-nobody-may-see");
  proxy_.plan(
      {.matching = "GET ", .fault = Fault::answer, .text = s3_error(403, "SignatureDoesNotMatch")});
  const auto opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, EACCES);
  EXPECT_TRUE(has(opened.error().what, "SignatureDoesNotMatch"));
  EXPECT_FALSE(
      has(opened.error().what + opened.error().hint + proxy_.heads(), "a-secret-nobody-may-see"));
}

TEST_F(S3Errors, a_missing_bucket_is_enoent_and_named) {
  objects::Options options = place_.options();
  options.location = "s3://not-there/prefix";
  const auto opened = objects::open_s3(options, {.fresh = true, .mark = {}}, patience_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ENOENT);
  EXPECT_TRUE(has(opened.error().what, "there is no bucket not-there")) << opened.error().what;
}

TEST_F(S3Errors, clocks_that_differ_are_told_with_both_times) {
  const Error error = error_of_reading(
      s3_error(403, "RequestTimeTooSkewed", "<ServerTime>2031-02-03T04:05:06Z</ServerTime>"));
  EXPECT_EQ(error.code, EACCES);
  EXPECT_TRUE(has(error.what, "2031-02-03T04:05:06Z")) << error.what;
  char now[16];
  const std::time_t time = std::time(nullptr);
  std::strftime(now, sizeof now, "%Y-%m-%d", std::gmtime(&time));
  EXPECT_TRUE(has(error.what, now)) << error.what;
}

// An answer to HEAD has no body that could say so.
TEST_F(S3Errors, clocks_that_differ_are_seen_from_the_date_alone) {
  const auto at = open();
  proxy_.plan({.matching = "HEAD ",
               .fault = Fault::answer,
               .text = "HTTP/1.1 403 Forbidden\r\nDate: Mon, 03 Feb 2031 04:05:06 "
                       "GMT\r\nConnection: close\r\n\r\n"});
  const auto upload = at->create(new_id(), std::nullopt);
  ASSERT_FALSE(upload);
  EXPECT_TRUE(has(upload.error().what, "2031-02-03T04:05:06Z")) << upload.error().what;
}

TEST_F(S3Errors, have_the_errno_that_fits) {
  EXPECT_EQ(error_of_reading(s3_error(403, "AccessDenied")).code, EACCES);
  EXPECT_EQ(error_of_reading(s3_error(400, "ExpiredToken")).code, EACCES);
  EXPECT_EQ(error_of_reading(s3_error(404, "NoSuchKey")).code, ENOENT);
  EXPECT_EQ(error_of_reading(s3_error(404, "NoSuchBucket")).code, ENOENT);
  EXPECT_EQ(error_of_reading(s3_error(403, "QuotaExceeded")).code, ENOSPC);
  EXPECT_EQ(error_of_reading(s3_error(507, "XMinioStorageFull")).code, ENOSPC);
  EXPECT_EQ(error_of_reading(s3_error(503, "SlowDown")).code, ETIMEDOUT);
  EXPECT_EQ(error_of_reading(http_answer(418, "a teapot")).code, EIO);
  const Error region =
      error_of_reading(s3_error(301, "PermanentRedirect", "<Region>eu-central-1</Region>"));
  EXPECT_EQ(region.code, EINVAL);
  EXPECT_EQ(region.hint, "set AWS_REGION=eu-central-1");
}

TEST_F(S3Errors, a_full_server_is_enospc_when_it_is_written_to) {
  const auto at = open();
  proxy_.plan({.matching = "PUT ", .fault = Fault::answer, .text = s3_error(403, "QuotaExceeded")});
  const auto upload = must(at->create(new_id(), std::nullopt));
  must(upload->write(0, pattern(10, 1)));
  EXPECT_EQ(upload->finish(10).error().code, ENOSPC);
}

TEST_F(S3Errors, an_answer_with_another_range_is_not_taken) {
  for (const char* range : {"bytes 1-10/11", "bytes 0-4/5", "bytes 0-9/2000000", "nonsense", ""}) {
    const Error error = error_of_reading(
        "HTTP/1.1 206 Partial\r\nContent-Length: 10\r\nContent-Range: " + std::string(range) +
        "\r\nConnection: close\r\n\r\n0123456789");
    EXPECT_EQ(error.code, EIO) << range;
  }
  EXPECT_EQ(error_of_reading(http_answer(200, "0123456789")).code, EIO);
}

TEST_F(S3Errors, an_empty_object_answers_416) {
  const auto at = open();
  proxy_.plan({.matching = "GET ", .fault = Fault::answer, .text = s3_error(416, "InvalidRange")});
  Buffer into(10);
  EXPECT_EQ(must(at->read(new_id(), 0, into)), 0u);
}

class S3Requests : public S3Test {};

TEST_F(S3Requests, reading_on_fetches_every_piece_once_and_again_none) {
  const auto at = open();
  const Uuid id = new_id();
  const Buffer content = pattern((10 << 20) + 5, 1);
  put(*at, id, content);
  const std::size_t before = proxy_.requests_with("GET /tusk/some");
  Buffer seen(content.size());
  for (std::size_t offset = 0; offset < content.size(); offset += 64 << 10) {
    const auto into =
        std::span(seen).subspan(offset, std::min<std::size_t>(64 << 10, seen.size() - offset));
    ASSERT_EQ(must(at->read(id, offset, into)), into.size());
  }
  EXPECT_EQ(seen, content);
  // 10 whole pieces and a short one; the first tells where the object ends.
  EXPECT_EQ(proxy_.requests_with("GET /tusk/some") - before, 11u);
  const std::size_t then = proxy_.requests().size();
  EXPECT_EQ(get(*at, id, 0, content.size()), content);
  EXPECT_EQ(proxy_.requests().size(), then);
}

TEST_F(S3Requests, reading_here_and_there_fetches_nothing_ahead) {
  const auto at = open();
  const Uuid id = new_id();
  put(*at, id, pattern(20 << 20, 1));
  const std::size_t before = proxy_.requests().size();
  for (const std::uint64_t mib : {13, 2, 17, 6}) get(*at, id, mib << 20, 1000);
  EXPECT_EQ(proxy_.requests().size() - before, 4u);
}

TEST_F(S3Requests, a_small_object_is_one_put) {
  const auto at = open();
  const std::size_t before = proxy_.requests().size();
  put(*at, new_id(), pattern(5 << 20, 1));
  // HEAD for an object of that id, PUT, HEAD to see that it is there.
  EXPECT_EQ(proxy_.requests().size() - before, 3u);
  EXPECT_EQ(proxy_.requests_with("POST"), 0u);
}

TEST_F(S3Requests, parts_go_up_before_the_end_and_again_when_they_changed) {
  const auto at = open();
  const auto upload = must(at->create(new_id(), std::nullopt));
  const Buffer content = pattern(20 << 20, 1);
  must(upload->write(0, content));
  EXPECT_TRUE(eventually([&] { return proxy_.requests_with("partNumber=2&") == 1; }));
  must(upload->write(9 << 20, pattern(10, 2)));
  must(upload->finish(content.size()));
  EXPECT_EQ(proxy_.requests_with("partNumber=1&"), 1u);
  EXPECT_EQ(proxy_.requests_with("partNumber=2&"), 2u);
  EXPECT_EQ(proxy_.requests_with("partNumber=3&"), 1u);
}

TEST_F(S3Requests, an_upload_given_up_is_aborted) {
  const auto at = open();
  {
    const auto upload = must(at->create(new_id(), std::nullopt));
    must(upload->write(0, pattern(9 << 20, 1)));
    EXPECT_TRUE(eventually([&] { return proxy_.requests_with("partNumber=1&") == 1; }));
  }
  EXPECT_EQ(proxy_.requests_with("DELETE"), 1u);
}

std::string uploads_of(const std::string& key, const std::string& more) {
  return http_answer(
      200, "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated><Upload><Key>" + key +
               "</Key><UploadId>left-over</UploadId><Initiated>2026-01-02T03:04:05.000Z</Initiated>"
               "</Upload>" +
               more + "</ListMultipartUploadsResult>");
}

// s3rver does not list uploads: it is answered for.
TEST_F(S3Requests, what_an_upload_left_is_listed_and_removed) {
  const auto at = open();
  const Uuid id = new_id();
  const std::string key = key_of(id);
  const std::string other = "<Upload><Key>" + key + "0</Key><UploadId>not-ours</UploadId></Upload>";
  proxy_.plan(
      {.matching = "uploads=", .fault = Fault::answer, .times = 2, .text = uploads_of(key, other)});
  std::vector<Uuid> listed;
  must(at->list([&](const objects::Listed& each) { listed.push_back(each.id); }));
  EXPECT_EQ(listed, std::vector<Uuid>{id});
  must(at->remove(id));
  EXPECT_EQ(proxy_.requests_with("DELETE"), 1u);
  EXPECT_EQ(proxy_.requests_with("DELETE /tusk/" + key + "?uploadId=left-over"), 1u);
}

TEST_F(S3Requests, a_list_has_pages) {
  const auto at = open();
  const Uuid one = new_id(), two = new_id();
  const auto page = [](const std::string& key, const std::string& next) {
    return http_answer(
        200,
        "<ListBucketResult><IsTruncated>" + std::string(next.empty() ? "false" : "true") +
            "</IsTruncated>" +
            (next.empty() ? "" : "<NextContinuationToken>" + next + "</NextContinuationToken>") +
            "<Contents><Key>" + key +
            "</Key><Size>5</Size><LastModified>2026-01-02T03:04:05.678Z"
            "</LastModified></Contents></ListBucketResult>");
  };
  proxy_.plan(
      {.matching = "list-type=2", .fault = Fault::answer, .text = page(key_of(one), "a/b=")});
  proxy_.plan({.matching = "continuation-token=a%2Fb%3D&",
               .fault = Fault::answer,
               .text = page(key_of(two), "")});
  std::vector<Uuid> listed;
  must(at->list([&](const objects::Listed& each) {
    listed.push_back(each.id);
    EXPECT_EQ(each.changed.ns, 1767323045'678'000'000);
  }));
  EXPECT_EQ(listed, (std::vector<Uuid>{one, two}));
}

// s3rver does not copy parts: it is answered for, as far as the object's size.
TEST_F(S3Requests, parts_of_the_base_are_copied_by_the_server) {
  const auto at = open();
  const Uuid base = new_id(), id = new_id();
  const Buffer content = pattern(20 << 20, 1);
  put(*at, base, content);
  proxy_.plan(
      {.matching = "x-amz-copy-source",
       .fault = Fault::answer,
       .times = 2,
       .text = http_answer(200, "<CopyPartResult><ETag>&quot;e&quot;</ETag></CopyPartResult>")});
  const auto upload = must(at->create(id, objects::Base{base, content.size()}));
  must(upload->write(10 << 20, pattern(100, 2)));
  proxy_.plan({.matching = "?uploadId=",
               .fault = Fault::answer,
               .text = http_answer(200, "<CompleteMultipartUploadResult/>")});
  // Part 3 is too small to be copied, or it is the last: 4 MiB.
  static_cast<void>(upload->finish(content.size()));
  EXPECT_TRUE(has(proxy_.heads(), "x-amz-copy-source: tusk/" + key_of(base)));
  EXPECT_TRUE(has(proxy_.heads(), "x-amz-copy-source-range: bytes=0-8388607"));
  EXPECT_FALSE(has(proxy_.heads(), "x-amz-copy-source-range: bytes=8388608-"));
}

TEST_F(S3Requests, keys_come_from_the_file_when_the_environment_has_none) {
  const auto file = place_.folder() / "credentials";
  write_file(file, bytes_of("[default]\naws_access_key_id = WRONG\naws_secret_access_key=x\n"
                            "# ours\n[mine]\naws_access_key_id = S3RVER\n"
                            "aws_secret_access_key = S3RVER\naws_session_token = of-a-session\n"));
  const Environment id("AWS_ACCESS_KEY_ID", ""), secret("AWS_SECRET_ACCESS_KEY", "");
  const Environment path("AWS_SHARED_CREDENTIALS_FILE", file);
  {
    const Environment profile("AWS_PROFILE", "mine");
    EXPECT_TRUE(try_open());
    EXPECT_TRUE(has(proxy_.heads(), "x-amz-security-token: of-a-session"));
  }
  EXPECT_EQ(try_open().error().code, EACCES);
  const Environment profile("AWS_PROFILE", "nobody");
  const auto opened = try_open();
  EXPECT_EQ(opened.error().code, EACCES);
  EXPECT_TRUE(has(opened.error().what, "no keys"));
}

TEST_F(S3Requests, keys_that_changed_in_the_file_are_read_again) {
  const auto file = place_.folder() / "credentials";
  const auto write_key = [&](const std::string& id) {
    write_file(file,
               bytes_of("[default]\naws_access_key_id=" + id + "\naws_secret_access_key=S3RVER\n"));
  };
  write_key("S3RVER");
  const Environment id("AWS_ACCESS_KEY_ID", ""), secret("AWS_SECRET_ACCESS_KEY", "");
  const Environment path("AWS_SHARED_CREDENTIALS_FILE", file);
  const auto at = open();
  write_file(file, bytes_of("[default]\naws_access_key_id=S3RVER\naws_secret_access_key=NEWER\n"));
  proxy_.plan({.matching = "PUT ", .fault = Fault::answer, .text = s3_error(400, "ExpiredToken")});
  put(*at, new_id(), pattern(10, 1));
}

TEST_F(S3Requests, places_that_cannot_be_are_refused) {
  objects::Options options = place_.options();
  for (const char* location : {"s3://", "s3:///x", "s3://a b/c", "s3://b//c", "s3://user:pw@b/c"}) {
    options.location = location;
    const auto opened = objects::open_s3(options, {}, patience_);
    ASSERT_FALSE(opened) << location;
    EXPECT_EQ(opened.error().code, EINVAL) << location;
  }
  for (const char* endpoint : {"localhost:9000", "ftp://x", "http://user:pw@host"}) {
    const Environment wrong("AWS_ENDPOINT_URL_S3", endpoint);
    const auto opened = try_open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, EINVAL);
    EXPECT_FALSE(has(opened.error().what, "pw"));
  }
}

}  // namespace
}  // namespace tusk::test
