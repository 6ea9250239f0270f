// A tree's place on the S3 server, reached through a proxy that goes wrong as told.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>

#include "objects/encrypted.h"
#include "objects/s3/s3.h"
#include "support/http_proxy.h"
#include "support/objects_place.h"
#include "support/s3_server.h"

namespace tusk::test {

// Until the end of the test.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    if (value.empty()) {
      ::unsetenv(name);
    } else {
      ::setenv(name, value.c_str(), 1);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    if (before_) {
      ::setenv(name_, before_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

class S3Test : public testing::Test {
 protected:
  Result<std::unique_ptr<objects::Place>> try_open(bool fresh = true) {
    return objects::open_s3(place_.options(), {.fresh = fresh, .mark = {}}, patience_);
  }
  std::unique_ptr<objects::Place> open() { return must(try_open()); }
  std::string key_of(Uuid id) const {
    return place_.open(true)->url(id).substr(std::string_view("s3://tusk/").size());
  }

  S3Server& server_ = shared_s3_server();
  HttpProxy proxy_{server_.port()};
  Environment endpoint_{"AWS_ENDPOINT_URL_S3", proxy_.endpoint()};
  ObjectsPlace place_{PlaceKind{.s3 = true}};
  objects::Patience patience_{
      .times = {.connect = std::chrono::seconds(2), .stall = std::chrono::seconds(1)},
      .attempts = 5,
      .first_wait = std::chrono::milliseconds(2),
      .longest_wait = std::chrono::milliseconds(20)};
};

}  // namespace tusk::test
