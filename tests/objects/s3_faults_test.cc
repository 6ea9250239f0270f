// Connections that break, answers that are cut, servers that are busy: the bytes are right, or the
// errno is.
#include <algorithm>
#include <cerrno>
#include <random>

#include "objects/s3_fixture.h"

namespace tusk::test {
namespace {

struct Case {
  const char* request;  // what its head has
  Fault fault;
  int status = 0;  // of Fault::answer

  friend void PrintTo(const Case& each, std::ostream* out) {
    *out << each.request << " fault " << static_cast<int>(each.fault) << " " << each.status;
  }
};

constexpr const char* kKinds[] = {"GET /tusk/some",  "GET /tusk/?list", "HEAD ",
                                  "POST /tusk/some", "partNumber=2",    "DELETE ",
                                  "PUT /tusk/some"};

std::vector<Case> every_case() {
  std::vector<Case> cases;
  for (const char* request : kKinds) {
    for (const Fault fault : {Fault::drop_request, Fault::half_request, Fault::drop_answer,
                              Fault::half_head, Fault::half_answer, Fault::hang}) {
      // Half of no body is all of it.
      if (fault != Fault::half_answer || std::string_view(request).starts_with("GET"))
        cases.push_back({request, fault});
    }
    for (const int status : {500, 503, 429}) cases.push_back({request, Fault::answer, status});
  }
  return cases;
}

class S3Fault : public S3Test, public testing::WithParamInterface<Case> {
 protected:
  void plan(int times) {
    proxy_.plan({.matching = GetParam().request,
                 .fault = GetParam().fault,
                 .times = times,
                 .text = s3_error(GetParam().status, "InternalError")});
  }
};

// A life of two objects, in which every kind of request is made.
TEST_P(S3Fault, that_passes_is_not_seen) {
  const auto at = open();
  // That nothing comes takes a while to be noticed.
  plan(GetParam().fault == Fault::hang ? 1 : 2);
  const Uuid small = new_id(), large = new_id();
  const Buffer few = pattern(100'000, 1), many = pattern(17 << 20, 2);
  put(*at, small, few);
  put(*at, large, many);
  EXPECT_EQ(get(*at, small, 0, few.size() + 1), few);
  EXPECT_EQ(get(*at, large, 0, many.size() + 1), many);
  std::map<Uuid, std::uint64_t> listed;
  must(at->list([&](const objects::Listed& each) { listed[each.id] = each.bytes; }));
  EXPECT_EQ(listed, (std::map<Uuid, std::uint64_t>{{small, few.size()}, {large, many.size()}}));
  must(at->remove(small));
  Buffer into(1);
  EXPECT_EQ(at->read(small, 0, into).error().code, ENOENT);
  EXPECT_EQ(proxy_.left(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Of, S3Fault, testing::ValuesIn(every_case()));

class S3Faults : public S3Test {};

TEST_F(S3Faults, that_do_not_pass_time_out) {
  const auto at = open();
  const Uuid id = new_id();
  put(*at, id, pattern(100, 1));
  for (const Fault fault : {Fault::drop_request, Fault::half_head, Fault::half_answer}) {
    proxy_.plan({.matching = "GET /tusk/some", .fault = fault, .times = patience_.attempts});
    Buffer into(100);
    const auto got = at->read(id, 0, into);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, ETIMEDOUT);
    EXPECT_EQ(proxy_.left(), 0u);
    EXPECT_EQ(got.error().what.find('\n'), std::string::npos);
  }
  EXPECT_EQ(get(*at, id, 0, 100), pattern(100, 1));
}

TEST_F(S3Faults, a_cut_body_of_unknown_length_is_not_taken_for_the_object) {
  const auto at = open();
  const Uuid id = new_id();
  const Buffer content = pattern(3 << 20, 1);
  put(*at, id, content);
  proxy_.plan({.matching = "GET /tusk/some", .fault = Fault::half_answer_no_length, .times = 1});
  Buffer into(content.size());
  const auto got = at->read(id, 0, into);
  if (got) {
    EXPECT_EQ(into, content);
  } else {
    EXPECT_EQ(got.error().code, EIO);
  }
  EXPECT_EQ(proxy_.left(), 0u);
}

TEST_F(S3Faults, a_server_that_is_away_times_out) {
  const Environment nowhere("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1");
  const auto opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ETIMEDOUT);
}

TEST_F(S3Faults, a_slow_server_is_waited_for) {
  const auto at = open();
  proxy_.plan({.matching = "PUT ", .delay_ms = 300});
  proxy_.plan({.matching = "GET ", .delay_ms = 300});
  const Uuid id = new_id();
  put(*at, id, pattern(1000, 1));
  EXPECT_EQ(get(*at, id, 0, 1000), pattern(1000, 1));
}

TEST_F(S3Faults, an_upload_that_failed_may_be_finished_later) {
  const auto at = open();
  const Uuid id = new_id();
  const Buffer content = pattern(20 << 20, 1);
  const auto upload = must(at->create(id, std::nullopt));
  proxy_.plan({.matching = "P", .fault = Fault::drop_request, .times = 1000});
  must(upload->write(0, content));
  const auto finished = upload->finish(content.size());
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code, ETIMEDOUT);
  proxy_.forget_plans();
  must(upload->finish(content.size()));
  EXPECT_EQ(get(*at, id, 0, content.size()), content);
}

TEST_F(S3Faults, completing_may_fail_with_status_200) {
  const auto at = open();
  const Uuid id = new_id();
  const Buffer content = pattern(9 << 20, 1);
  const auto upload = must(at->create(id, std::nullopt));
  must(upload->write(0, content));
  // Spaces first: S3 sends them to keep the connection alive.
  const std::string inner = s3_error(200, "InternalError");
  const std::string error = http_answer(200, "  \n" + inner.substr(inner.find("<?xml")));
  proxy_.plan({.matching = "?uploadId=", .fault = Fault::answer, .times = 5, .text = error});
  const auto finished = upload->finish(content.size());
  ASSERT_FALSE(finished);
  EXPECT_NE(finished.error().what.find("InternalError"), std::string::npos);
  must(upload->finish(content.size()));
  EXPECT_EQ(get(*at, id, 0, content.size()), content);
}

// Whatever happens: right bytes, or an error that says to try again.
class S3RandomFaults : public S3Test, public testing::WithParamInterface<bool> {
 protected:
  std::unique_ptr<objects::Objects> open_either() {
    auto at = open();
    if (!GetParam()) return at;
    objects::MasterKey key;
    std::ranges::copy(pattern(32, 1), key.bytes.begin());
    return objects::encrypted(std::move(at), key);
  }
};

TEST_P(S3RandomFaults, never_lead_to_wrong_bytes) {
  constexpr Fault kFaults[] = {Fault::none,        Fault::drop_request, Fault::half_request,
                               Fault::drop_answer, Fault::half_head,    Fault::half_answer,
                               Fault::answer};
  const std::uint64_t seed = std::random_device()();
  std::mt19937_64 random(seed);
  SCOPED_TRACE("seed " + std::to_string(seed));
  const auto at = open_either();
  for (int round = 0; round < 6; round++) {
    for (int i = 0; i < 30; i++) {
      proxy_.plan({.matching = "HTTP/1.1",
                   .fault = kFaults[random() % std::size(kFaults)],
                   .times = static_cast<int>(random() % 3 + 1),
                   .after = static_cast<int>(random() % 2),
                   .text = s3_error(random() % 2 ? 500 : 503, "SlowDown")});
    }
    const Buffer content = pattern(random() % (20 << 20), random());
    const Uuid id = new_id();
    auto upload = at->create(id, std::nullopt);
    if (!upload) {
      EXPECT_EQ(upload.error().code, ETIMEDOUT) << upload.error().what;
      continue;
    }
    must((*upload)->write(0, content));
    for (int i = 0; i < 100; i++) {
      const auto finished = (*upload)->finish(content.size());
      if (finished) break;
      ASSERT_EQ(finished.error().code, ETIMEDOUT) << finished.error().what;
    }
    for (std::size_t offset = 0; offset < content.size();) {
      Buffer into(3'000'000);
      const auto n = at->read(id, offset, into);
      if (!n) {
        ASSERT_EQ(n.error().code, ETIMEDOUT) << n.error().what;
        continue;
      }
      ASSERT_GT(*n, 0u);
      ASSERT_TRUE(std::equal(into.begin(), into.begin() + static_cast<std::ptrdiff_t>(*n),
                             content.begin() + static_cast<std::ptrdiff_t>(offset)));
      offset += *n;
    }
    proxy_.forget_plans();
  }
}

INSTANTIATE_TEST_SUITE_P(Plain, S3RandomFaults, testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Encrypted, S3RandomFaults, testing::Values(true));

}  // namespace
}  // namespace tusk::test
