// The examples of Amazon's documentation, "Authenticating Requests: Using the Authorization
// Header".
#include "objects/s3/sigv4.h"

#include <gtest/gtest.h>

#include "objects/digest.h"
#include "objects/location.h"

namespace tusk::objects {
namespace {

const Credentials kKeys{.key_id = "AKIAIOSFODNN7EXAMPLE",
                        .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                        .token = {}};
const Scope kScope{.time = "20130524T000000Z", .region = "us-east-1"};

Signable request(std::string method, std::string path, std::string_view body = {}) {
  Signable signable{
      .method = std::move(method),
      .path = std::move(path),
      .query = {},
      .headers = {{"host", "examplebucket.s3.amazonaws.com"}, {"x-amz-date", kScope.time}},
      .payload_sha256 = hex_of(sha256_of(bytes_of(body)))};
  signable.headers["x-amz-content-sha256"] = signable.payload_sha256;
  return signable;
}

std::string signature(const Signable& signable) {
  const std::string value = authorization(signable, kScope, kKeys);
  return value.substr(value.find("Signature=") + 10);
}

TEST(SigV4, an_object_is_got) {
  Signable get = request("GET", "/test.txt");
  get.headers["range"] = "bytes=0-9";
  EXPECT_EQ(authorization(get, kScope, kKeys),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(SigV4, an_object_is_put) {
  Signable put = request("PUT", "/" + uri_encoded("test$file.text", true), "Welcome to Amazon S3.");
  put.headers["date"] = "Fri, 24 May 2013 00:00:00 GMT";
  put.headers["x-amz-storage-class"] = "REDUCED_REDUNDANCY";
  EXPECT_EQ(put.payload_sha256, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
  EXPECT_EQ(signature(put), "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(SigV4, a_parameter_has_no_value) {
  Signable get = request("GET", "/");
  get.query = {{"lifecycle", ""}};
  EXPECT_EQ(signature(get), "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST(SigV4, a_bucket_is_listed) {
  Signable get = request("GET", "/");
  get.query = {{"prefix", "J"}, {"max-keys", "2"}};
  EXPECT_EQ(signature(get), "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(SigV4, text_is_encoded_as_the_server_does) {
  EXPECT_EQ(uri_encoded("a/b c~_-.\xc3\xa4+", true), "a/b%20c~_-.%C3%A4%2B");
  EXPECT_EQ(uri_encoded("a/b", false), "a%2Fb");
}

}  // namespace
}  // namespace tusk::objects
