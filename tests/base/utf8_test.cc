#include "tuskfs/base/utf8.h"

#include <gtest/gtest.h>

namespace tusk {
namespace {

TEST(Utf8, accepts_every_length_of_sequence) {
  EXPECT_TRUE(is_utf8("plain"));
  EXPECT_TRUE(is_utf8("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x98"));
  EXPECT_TRUE(is_utf8("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"));
  EXPECT_TRUE(is_utf8(""));
}

TEST(Utf8, refuses_what_postgresql_would_refuse) {
  for (const std::string_view bad :
       {"\xff", "\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\xaf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "a\xe2\x28\xa1"}) {
    EXPECT_FALSE(is_utf8(bad));
  }
  EXPECT_FALSE(is_utf8(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace tusk
