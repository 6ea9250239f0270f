#include "tuskfs/base/ids.h"

#include <gtest/gtest.h>

namespace tusk {
namespace {

TEST(Uuid, text_and_parse_are_inverse) {
  const auto id = Uuid::parse("018f3c2a-9b7e-7cc1-8f00-0123456789ab");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->text(), "018f3c2a-9b7e-7cc1-8f00-0123456789ab");
}

TEST(Uuid, parse_refuses_what_is_no_uuid) {
  for (const char* bad : {"", "018f3c2a", "018f3c2a-9b7e-7cc1-8f00-0123456789abc",
                          "g18f3c2a-9b7e-7cc1-8f00-0123456789ab"}) {
    EXPECT_FALSE(Uuid::parse(bad)) << bad;
  }
}

TEST(Uuid, version_seven_ids_carry_version_variant_and_time_order) {
  const Uuid early = Uuid::v7(1000, ~0ull, ~0ull), late = Uuid::v7(1001, 0, 0);
  EXPECT_LT(early, late);
  EXPECT_EQ(early.text().at(14), '7');
  EXPECT_EQ(late.bytes[8] >> 6, 2);
  EXPECT_EQ(early.low62(), (1ull << 62) - 1);
}

}  // namespace
}  // namespace tusk
