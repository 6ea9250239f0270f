#include "core/acl.h"

#include <gtest/gtest.h>

namespace tusk::core {
namespace {

struct Line {
  std::uint8_t tag, perm, id;
};

Buffer xattr(std::initializer_list<Line> lines) {
  Buffer out{2, 0, 0, 0};
  for (const Line& line : lines) {
    out.insert(out.end(), {line.tag, 0, line.perm, 0});
    const std::uint8_t high = line.id == 0 ? 0xff : 0;
    out.insert(out.end(), {line.id == 0 ? high : line.id, high, high, high});
  }
  return out;
}

// user::rw-, user:7:rwx, group::r--, mask::rwx, other::---
const Buffer kNamed = xattr({{0x01, 6, 0}, {0x02, 7, 7}, {0x04, 4, 0}, {0x10, 7, 0}, {0x20, 0, 0}});

TEST(Acl, keeps_its_bytes_through_parse_and_format) {
  const auto acl = Acl::parse(kNamed);
  ASSERT_TRUE(acl);
  EXPECT_EQ(acl->format(), kNamed);
}

TEST(Acl, the_mask_stands_for_the_group_bits) {
  EXPECT_EQ(Acl::parse(kNamed)->apply_to(0100644), mode_t{0100670});
}

TEST(Acl, chmod_changes_the_mask_and_not_the_named_user) {
  auto acl = *Acl::parse(kNamed);
  acl.set_mode(0704);
  EXPECT_EQ(acl.format(),
            xattr({{0x01, 7, 0}, {0x02, 7, 7}, {0x04, 4, 0}, {0x10, 0, 0}, {0x20, 4, 0}}));
}

TEST(Acl, creation_keeps_only_what_mode_and_default_acl_both_allow) {
  auto acl = *Acl::parse(kNamed);
  EXPECT_EQ(acl.restrict_by(0100644), mode_t{0100640});
}

TEST(Acl, three_entries_are_a_mode_only) {
  EXPECT_TRUE(Acl::parse(xattr({{1, 6, 0}, {4, 4, 0}, {0x20, 4, 0}}))->is_mode_only());
  EXPECT_FALSE(Acl::parse(kNamed)->is_mode_only());
}

TEST(Acl, malformed_bytes_are_refused) {
  EXPECT_FALSE(Acl::parse(Buffer{}));
  EXPECT_FALSE(Acl::parse(Buffer{1, 0, 0, 0}));
  EXPECT_FALSE(Acl::parse(Buffer{2, 0, 0, 0, 1}));
  EXPECT_FALSE(Acl::parse(xattr({{1, 6, 0}, {4, 4, 0}})));
  EXPECT_FALSE(Acl::parse(xattr({{1, 6, 0}, {4, 9, 0}, {0x20, 4, 0}})));
}

}  // namespace
}  // namespace tusk::core
