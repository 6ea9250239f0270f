// The small pieces that the S3 upload is made of.
#include "objects/s3/parts.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <random>

#include "objects/s3/piece_cache.h"
#include "objects/s3/ranges.h"
#include "objects/s3/xml.h"
#include "support/objects_place.h"

namespace tusk::objects {
namespace {

TEST(Parts, follow_each_other_and_are_found_again) {
  for (std::uint64_t part = 0; part < kMostParts; part++) {
    ASSERT_EQ(part_at(part_begin(part)), part);
    ASSERT_EQ(part_at(part_begin(part + 1) - 1), part);
  }
  EXPECT_EQ(parts_of(0), 0u);
  EXPECT_EQ(parts_of(1), 1u);
  EXPECT_EQ(parts_of(kFirstPartBytes), 1u);
  EXPECT_EQ(parts_of(kFirstPartBytes + 1), 2u);
}

TEST(Ranges, know_what_a_bitmap_knows) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; round++) {
    Ranges ranges;
    std::vector<bool> bits(200);
    for (int i = 0; i < 30; i++) {
      const std::uint64_t begin = random() % 190, end = begin + random() % 10;
      ranges.add({begin, end});
      std::fill(bits.begin() + static_cast<long>(begin), bits.begin() + static_cast<long>(end),
                true);
      if (i % 10 == 9) {
        const std::uint64_t size = 100 + random() % 100;
        ranges.cut(size);
        std::fill(bits.begin() + static_cast<long>(size), bits.end(), false);
      }
    }
    for (std::uint64_t at = 0; at < 200; at++)
      ASSERT_EQ(ranges.covers({at, at + 1}), bits[at]) << at;
    std::uint64_t missing = 0;
    for (const Extent gap : ranges.gaps({20, 170})) missing += gap.end - gap.begin;
    ASSERT_EQ(missing,
              static_cast<std::uint64_t>(std::count(bits.begin() + 20, bits.begin() + 170, false)));
  }
}

TEST(Ranges, touch_what_they_have_a_byte_of) {
  Ranges ranges;
  ranges.add({10, 20});
  EXPECT_FALSE(ranges.touches({0, 10}));
  EXPECT_TRUE(ranges.touches({0, 11}));
  EXPECT_TRUE(ranges.touches({19, 30}));
  EXPECT_TRUE(ranges.touches({12, 13}));
  EXPECT_FALSE(ranges.touches({20, 30}));
}

TEST(Xml, is_read) {
  const auto xml = parse_xml(
      "<?xml version=\"1.0\"?>\n<A xmlns='x>y'><!-- no --><B>1 &amp; "
      "&lt;&#x41;&#228;</B><C/><B>2</B></A>\n");
  ASSERT_TRUE(xml);
  EXPECT_EQ(xml->name, "A");
  EXPECT_EQ(xml->text_of("B"), "1 & <A\xc3\xa4");
  EXPECT_EQ(xml->text_of("C"), "");
  EXPECT_EQ(xml->children.size(), 3u);
}

TEST(Xml, that_is_cut_or_wrong_is_refused) {
  const std::string good = "<A x=\"1\"><B>t&amp;</B><C/></A>";
  ASSERT_TRUE(parse_xml(good));
  for (std::size_t n = 0; n < good.size(); n++) EXPECT_FALSE(parse_xml(good.substr(0, n))) << n;
  for (const char* bad : {"<A></B>", "<A>&x;</A>", "<!DOCTYPE a><a/>", "<A/><B/>", "text",
                          "<A>&#0;</A>", "<A x></A>"})
    EXPECT_FALSE(parse_xml(bad)) << bad;
  std::string deep;
  for (int i = 0; i < 1000; i++) deep += "<a>";
  EXPECT_FALSE(parse_xml(deep));
}

SharedBytes piece(std::uint64_t seed) {
  return std::make_shared<const Buffer>(test::pattern(kPieceBytes, seed));
}

TEST(PieceCache, keeps_no_more_than_it_may_and_the_last_used) {
  test::TempFolder temp;
  PieceCache cache(temp.path() / "cache", {.memory_pieces = 2, .disk_pieces = 6});
  const Uuid object = test::new_id();
  for (std::uint64_t i = 0; i < 8; i++) {
    cache.keep({object, i}, piece(i));
    if (i > 0) {
      EXPECT_TRUE(cache.find({object, 0})) << i;
    }
  }
  for (std::uint64_t i = 0; i < 8; i++) {
    const SharedBytes found = cache.find({object, i});
    // 0 was used all along; 1 and 2 are the oldest of the rest.
    EXPECT_EQ(found != nullptr, i == 0 || i > 2) << i;
    if (found) {
      EXPECT_EQ(*found, *piece(i));
    }
  }
  // Nothing has a name there.
  EXPECT_TRUE(std::filesystem::is_empty(temp.path() / "cache"));
  struct stat status;
  ASSERT_EQ(::stat((temp.path() / "cache").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  cache.drop(object);
  EXPECT_FALSE(cache.find({object, 0}));
}

}  // namespace
}  // namespace tusk::objects
