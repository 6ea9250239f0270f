// Requests to one bucket: signed, sent again when that may help, and with errors made clear.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>

#include "objects/s3/settings.h"
#include "objects/s3/xml.h"

namespace tusk::objects {

struct S3Call {
  std::string method;
  std::string key;  // empty: the bucket itself
  Query query = {};
  Headers headers = {};  // besides those of every request
  Payload payload = {};
  std::string doing = {};  // for texts: "read", "write"
  int attempts = 0;        // 0: as patience has it
  std::stop_token stop = {};
};

struct S3Answer {
  long status = 0;
  HttpResponse http;
  std::string code;  // what an error calls itself; empty when it does not say

  bool ok() const { return status >= 200 && status < 300; }
  bool missing() const { return status == 404 && code != "NoSuchBucket" && code != "NoSuchUpload"; }
};

// Any thread.
class S3Client {
 public:
  S3Client(S3Place place, Credentials credentials, Patience patience);

  // Every answer that is not worth another attempt, errors too.
  Result<S3Answer> ask(const S3Call&);
  // As ask(), but an error of the server is one of ours.
  Result<S3Answer> call(const S3Call&);
  std::unexpected<Error> refused(const S3Call&, const S3Answer&) const;
  // What is wrong with an answer that should have been good.
  std::unexpected<Error> odd(const S3Call&, std::string_view how) const;
  // An empty root: any.
  Result<Xml> xml_of(const S3Call&, const S3Answer&, std::string_view root = {}) const;

  const S3Place& place() const { return place_; }
  // As errors and the log name a key.
  std::string name_of(const S3Call&) const;

 private:
  Result<S3Answer> attempt(const S3Call&);
  HttpRequest signed_request(const S3Call&, const std::string& payload_sha256);
  Credentials credentials();
  bool renew_credentials();
  bool wait(int attempt, const std::stop_token& stop);

  const S3Place place_;
  const Patience patience_;
  Http http_;
  std::mutex mutex_;
  Credentials credentials_;  // guarded by mutex_
};

Result<std::string> sha256_of(const Payload&);

}  // namespace tusk::objects
