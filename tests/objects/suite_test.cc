// What the door promises, of every kind of place.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <random>
#include <thread>

#include "support/objects_place.h"

namespace tusk::test {
namespace {

using objects::kBlockBytes;

class ObjectsSuite : public testing::TestWithParam<PlaceKind> {
 protected:
  ObjectsPlace place_{GetParam()};
  std::unique_ptr<objects::Objects> at_ = place_.open();
};

Buffer joined(std::initializer_list<ByteSpan> pieces) {
  Buffer all;
  for (const ByteSpan piece : pieces) all.insert(all.end(), piece.begin(), piece.end());
  return all;
}

TEST_P(ObjectsSuite, what_was_written_is_read) {
  for (const std::size_t size :
       {1ul, 100ul, kBlockBytes - 1, kBlockBytes, kBlockBytes + 1, 3 * kBlockBytes, 1'234'567ul}) {
    const Uuid id = new_id();
    const Buffer content = pattern(size, size);
    put(*at_, id, content);
    EXPECT_EQ(get(*at_, id, 0, size), content) << size;
    EXPECT_EQ(get(*at_, id, 0, size + 100), content) << size;
  }
}

TEST_P(ObjectsSuite, an_empty_object_is_an_object) {
  const Uuid id = new_id();
  put(*at_, id, {});
  std::size_t listed = 0;
  must(at_->list([&](const objects::Listed&) { listed++; }));
  EXPECT_EQ(listed, 1u);
  // s3rver does not know status 416: what it means is tested in s3_test.cc.
  if (GetParam().s3 && !GetParam().encrypted) return;
  EXPECT_TRUE(get(*at_, id, 0, 10).empty());
  EXPECT_TRUE(get(*at_, id, 1'000'000, 10).empty());
}

TEST_P(ObjectsSuite, any_range_is_read_and_ends_with_the_object) {
  const Uuid id = new_id();
  const Buffer content = pattern(5 * kBlockBytes + 777, 1);
  put(*at_, id, content);
  std::mt19937_64 random(7);
  for (int i = 0; i < 200; i++) {
    const std::uint64_t offset = random() % (content.size() + 2 * kBlockBytes);
    const std::size_t wanted = random() % (3 * kBlockBytes);
    const std::size_t first = std::min<std::size_t>(offset, content.size());
    const std::size_t last = std::min<std::size_t>(offset + wanted, content.size());
    const Buffer expected(content.begin() + static_cast<std::ptrdiff_t>(first),
                          content.begin() + static_cast<std::ptrdiff_t>(last));
    ASSERT_EQ(get(*at_, id, offset, wanted), expected) << offset << "+" << wanted;
  }
}

TEST_P(ObjectsSuite, an_end_on_a_block_is_an_end) {
  const Uuid id = new_id();
  put(*at_, id, pattern(2 * kBlockBytes, 2));
  // A fresh door has seen nothing of the object yet.
  const auto again = place_.open(false);
  EXPECT_TRUE(get(*again, id, 2 * kBlockBytes, 10).empty());
  EXPECT_TRUE(get(*again, id, 40 * kBlockBytes, 10).empty());
  EXPECT_EQ(get(*again, id, 2 * kBlockBytes - 5, 10).size(), 5u);
}

TEST_P(ObjectsSuite, writes_come_in_any_order_and_the_last_one_counts) {
  const Uuid id = new_id();
  const Buffer a = pattern(kBlockBytes, 1), b = pattern(kBlockBytes, 2), c = pattern(500, 3);
  const auto upload = must(at_->create(id, std::nullopt));
  must(upload->write(2 * kBlockBytes, c));
  must(upload->write(kBlockBytes, a));
  must(upload->write(0, a));
  must(upload->write(kBlockBytes, b));
  must(upload->finish(2 * kBlockBytes + 500));
  EXPECT_EQ(get(*at_, id, 0, 4 * kBlockBytes), joined({a, b, c}));
}

TEST_P(ObjectsSuite, bytes_may_be_written_anywhere) {
  const Uuid id = new_id();
  Buffer expected(4 * kBlockBytes, 0);
  std::mt19937_64 random(3);
  const auto upload = must(at_->create(id, std::nullopt));
  for (int i = 0; i < 60; i++) {
    const Buffer some = pattern(random() % 90'000 + 1, random());
    const std::size_t offset = random() % (expected.size() - some.size());
    must(upload->write(offset, some));
    std::ranges::copy(some, expected.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  Buffer seen(expected.size());
  must(upload->read(0, seen));
  EXPECT_EQ(seen, expected);
  must(upload->finish(expected.size()));
  EXPECT_EQ(get(*at_, id, 0, expected.size()), expected);
}

TEST_P(ObjectsSuite, an_upload_is_read_while_it_is_written) {
  const Uuid id = new_id();
  const Buffer content = pattern(8 * kBlockBytes, 5);
  const auto upload = must(at_->create(id, std::nullopt));
  must(upload->write(0, content));
  std::atomic<int> wrong = 0;
  {
    const std::jthread reader([&](const std::stop_token& stop) {
      Buffer seen(content.size());
      while (!stop.stop_requested()) {
        if (!upload->read(0, seen) || seen != content) wrong++;
      }
    });
    for (int i = 0; i < 50; i++) must(upload->write(0, content));
  }
  EXPECT_EQ(wrong, 0);
  must(upload->finish(content.size()));
}

TEST_P(ObjectsSuite, what_is_not_written_is_zeros) {
  const Uuid id = new_id();
  const Buffer some = pattern(100, 6);
  const auto upload = must(at_->create(id, std::nullopt));
  must(upload->write(3 * kBlockBytes + 7, some));
  Buffer expected(6 * kBlockBytes + 1, 0);
  std::ranges::copy(some, expected.begin() + 3 * kBlockBytes + 7);
  Buffer seen(expected.size());
  must(upload->read(0, seen));
  EXPECT_EQ(seen, expected);
  must(upload->finish(expected.size()));
  EXPECT_EQ(get(*at_, id, 0, expected.size() + 1), expected);
}

TEST_P(ObjectsSuite, finish_cuts_what_is_too_much) {
  const Uuid id = new_id();
  const Buffer content = pattern(3 * kBlockBytes, 7);
  const auto upload = must(at_->create(id, std::nullopt));
  must(upload->write(0, content));
  must(upload->finish(kBlockBytes + 10));
  EXPECT_EQ(get(*at_, id, 0, content.size()),
            Buffer(content.begin(), content.begin() + kBlockBytes + 10));
}

TEST_P(ObjectsSuite, a_base_is_copied_and_changed) {
  const Uuid base = new_id(), id = new_id();
  const Buffer before = pattern(3 * kBlockBytes + 50, 8), change = pattern(kBlockBytes, 9);
  put(*at_, base, before);
  const auto upload = must(at_->create(id, objects::Base{base, before.size()}));
  must(upload->write(kBlockBytes, change));
  must(upload->write(5 * kBlockBytes, ByteSpan(change).first(10)));
  Buffer expected = before;
  expected.resize(5 * kBlockBytes, 0);
  std::fill(expected.begin() + static_cast<std::ptrdiff_t>(before.size()), expected.end(),
            std::uint8_t{0});
  std::ranges::copy(change, expected.begin() + kBlockBytes);
  expected.insert(expected.end(), change.begin(), change.begin() + 10);
  Buffer seen(expected.size());
  must(upload->read(0, seen));
  EXPECT_EQ(seen, expected);
  must(upload->finish(expected.size()));
  EXPECT_EQ(get(*at_, id, 0, expected.size() + 1), expected);
  EXPECT_EQ(get(*at_, base, 0, before.size() + 1), before);
}

TEST_P(ObjectsSuite, a_base_may_be_cut) {
  const Uuid base = new_id(), id = new_id();
  const Buffer before = pattern(3 * kBlockBytes, 10);
  put(*at_, base, before);
  const auto upload = must(at_->create(id, objects::Base{base, before.size()}));
  must(upload->finish(100));
  EXPECT_EQ(get(*at_, id, 0, 1000), Buffer(before.begin(), before.begin() + 100));
}

// Large enough for S3 to be sent in parts, some of which go up before they are written over.
TEST_P(ObjectsSuite, a_large_object_is_written_over_and_copied) {
  const Uuid first = new_id(), second = new_id();
  Buffer content = pattern(33 << 20, 11);
  auto upload = must(at_->create(first, std::nullopt));
  for (std::size_t at = 0; at < content.size(); at += 1 << 20)
    must(upload->write(at, ByteSpan(content).subspan(at, 1 << 20)));
  const Buffer change = pattern(2 * kBlockBytes, 12);
  const auto change_at = [&](std::uint64_t offset) {
    must(upload->write(offset, change));
    std::ranges::copy(change, content.begin() + static_cast<std::ptrdiff_t>(offset));
  };
  change_at(kBlockBytes);
  change_at(20 << 20);
  must(upload->finish(content.size()));
  EXPECT_EQ(get(*at_, first, 0, content.size() + 1), content);
  upload = must(at_->create(second, objects::Base{first, content.size()}));
  change_at(9 << 20);
  must(upload->finish(content.size()));
  EXPECT_EQ(get(*at_, second, 0, content.size() + 1), content);
}

TEST_P(ObjectsSuite, what_is_not_there_is_enoent) {
  Buffer into(10);
  const auto read = at_->read(new_id(), 0, into);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ENOENT);
  const auto saved = at_->save_as(new_id(), place_.folder() / "saved");
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, ENOENT);
  EXPECT_FALSE(std::filesystem::exists(place_.folder() / "saved"));
  const auto upload = at_->create(new_id(), objects::Base{new_id(), 5});
  const bool refused = !upload || !(*upload)->finish(5);
  EXPECT_TRUE(refused);
  EXPECT_TRUE(at_->remove(new_id()));
}

TEST_P(ObjectsSuite, an_id_is_used_once) {
  const Uuid id = new_id();
  put(*at_, id, pattern(10, 1));
  const auto again = at_->create(id, std::nullopt);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, EEXIST);
  const Uuid other = new_id();
  const auto upload = must(at_->create(other, std::nullopt));
  EXPECT_FALSE(at_->create(other, std::nullopt));
}

TEST_P(ObjectsSuite, objects_are_listed_until_they_are_removed) {
  std::map<Uuid, std::uint64_t> sizes;
  for (std::size_t i = 0; i < 5; i++) {
    const Uuid id = new_id();
    put(*at_, id, pattern(i * 50'000, i));
    sizes[id] = i * 50'000;
  }
  const auto listed = [&] {
    std::map<Uuid, std::uint64_t> found;
    must(at_->list([&](const objects::Listed& each) {
      found[each.id] = each.bytes;
      const auto age = std::chrono::system_clock::now().time_since_epoch() -
                       std::chrono::nanoseconds(each.changed.ns);
      EXPECT_LT(std::chrono::abs(age), std::chrono::minutes(5));
    }));
    return found;
  };
  auto found = listed();
  ASSERT_EQ(found.size(), sizes.size());
  for (const auto& [id, size] : sizes) {
    if (GetParam().encrypted) {
      EXPECT_GT(found[id], size);
    } else {
      EXPECT_EQ(found[id], size);
    }
  }
  const Uuid gone = sizes.begin()->first;
  must(at_->remove(gone));
  EXPECT_EQ(listed().size(), sizes.size() - 1);
  Buffer into(10);
  EXPECT_FALSE(at_->read(gone, 0, into));
}

TEST_P(ObjectsSuite, an_upload_given_up_leaves_nothing_to_read) {
  const Uuid id = new_id();
  {
    const auto upload = must(at_->create(id, std::nullopt));
    must(upload->write(0, pattern(20 << 20, 1)));
  }
  must(at_->remove(id));
  must(at_->list([&](const objects::Listed& each) { EXPECT_NE(each.id, id); }));
  Buffer into(10);
  EXPECT_FALSE(at_->read(id, 0, into));
}

TEST_P(ObjectsSuite, save_as_makes_a_file_of_the_stored_bytes) {
  const Uuid id = new_id();
  const Buffer content = pattern(9 << 20, 13);
  put(*at_, id, content);
  const auto file = place_.folder() / "saved";
  must(at_->save_as(id, file));
  const Buffer saved = read_file(file);
  std::uint64_t stored = 0;
  must(at_->list([&](const objects::Listed& each) { stored = each.bytes; }));
  EXPECT_EQ(saved.size(), stored);
  EXPECT_EQ(saved == content, !GetParam().encrypted);
  // An existing file is not written over.
  EXPECT_FALSE(at_->save_as(id, file));
  EXPECT_EQ(read_file(file), saved);
}

TEST_P(ObjectsSuite, copies_of_stored_objects_are_as_good_as_they) {
  const Uuid id = new_id();
  const Buffer content = pattern((9 << 20) + 5, 13);
  put(*at_, id, content);
  EXPECT_EQ(must(at_->size(id)), at_->stored_bytes(content.size()));
  EXPECT_EQ(must(at_->size(new_id())), std::nullopt);
  const auto file = place_.folder() / "saved";
  {
    // The key is not needed for it.
    auto keyless = place_.options();
    keyless.access.keyfile.clear();
    const auto stored = must(objects::open_stored(keyless, false));
    must(stored->save_as(id, file));
    keyless.location = place_.folder() / "copies";
    const auto copies = must(objects::open_copies(keyless, *stored));
    must(copies->restore_from(id, file));
    must(copies->restore_from(id, file));
  }
  auto other = place_.options();
  other.location = place_.folder() / "copies";
  const auto copies = must(objects::open(other, false));
  EXPECT_TRUE(get(*copies, id, 0, content.size()) == content);
  must(at_->remove(id));
  must(at_->restore_from(id, file));
  EXPECT_TRUE(get(*at_, id, 0, content.size()) == content);
}

TEST_P(ObjectsSuite, copies_do_not_go_where_objects_are_stored_in_another_way) {
  put(*at_, new_id(), pattern(100, 1));
  ObjectsPlace other({.s3 = GetParam().s3, .encrypted = !GetParam().encrypted});
  auto stored = must(objects::open_stored(place_.options(), false));
  put(*other.open(), new_id(), pattern(100, 1));
  const auto refused = objects::open_copies(other.options(), *stored);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EINVAL);
}

TEST_P(ObjectsSuite, a_place_without_its_mark_is_not_taken_for_empty) {
  objects::Options other = place_.options();
  other.tree = TenantId{new_id()};
  const auto opened = objects::open(other, false);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ENOENT);
  EXPECT_TRUE(objects::open(other, true));
  EXPECT_TRUE(objects::open(other, false));
}

TEST_P(ObjectsSuite, trees_at_one_place_do_not_see_each_other) {
  objects::Options other = place_.options();
  other.tree = TenantId{new_id()};
  const auto there = must(objects::open(other, true));
  const Uuid id = new_id();
  put(*at_, id, pattern(10, 1));
  Buffer into(10);
  EXPECT_FALSE(there->read(id, 0, into));
  must(there->list([](const objects::Listed&) { ADD_FAILURE(); }));
}

TEST_P(ObjectsSuite, urls_begin_with_the_place) {
  const std::string url = at_->url(new_id());
  EXPECT_TRUE(url.starts_with(objects::place_of(place_.options()) + "/")) << url;
}

TEST_P(ObjectsSuite, many_threads_read_at_once) {
  const Uuid id = new_id();
  const Buffer content = pattern(12 << 20, 14);
  put(*at_, id, content);
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> readers;
    for (std::uint64_t seed = 0; seed < 4; seed++) {
      readers.emplace_back([&, seed] {
        std::mt19937_64 random(seed);
        for (int i = 0; i < 100; i++) {
          const std::size_t offset = random() % (content.size() - 100'000);
          Buffer into(100'000);
          const auto n = at_->read(id, offset, into);
          if (!n || *n != into.size() ||
              !std::equal(into.begin(), into.end(),
                          content.begin() + static_cast<std::ptrdiff_t>(offset)))
            wrong++;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
}

INSTANTIATE_TEST_SUITE_P(Every, ObjectsSuite,
                         testing::Values(PlaceKind{}, PlaceKind{.encrypted = true},
                                         PlaceKind{.s3 = true},
                                         PlaceKind{.s3 = true, .encrypted = true}),
                         [](const auto& each) { return each.param.name(); });

}  // namespace
}  // namespace tusk::test
