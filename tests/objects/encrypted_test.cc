// What encryption promises: nothing that was changed behind our back is ever read.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "objects/digest.h"
#include "objects/frames.h"
#include "objects/location.h"
#include "support/objects_place.h"

namespace tusk::test {
namespace {

namespace fs = std::filesystem;
using objects::kBlockBytes;

class Encrypted : public testing::Test {
 protected:
  // Reads with a door that has seen nothing of the object.
  Result<Buffer> read(Uuid id, std::uint64_t offset = 0, std::size_t bytes = 8 * kBlockBytes) {
    Buffer into(bytes);
    const auto at = place_.open(false);
    TRY_ASSIGN(const std::size_t n, at->read(id, offset, into));
    into.resize(n);
    return into;
  }
  void expect_damaged(Uuid id, const std::string& how, std::uint64_t offset = 0) {
    const auto got = read(id, offset);
    ASSERT_FALSE(got) << how;
    EXPECT_EQ(got.error().code, EIO) << how;
    EXPECT_NE(got.error().what.find(at_->url(id)), std::string::npos) << got.error().what;
  }
  Buffer stored(Uuid id) { return read_file(place_.file_of(id)); }
  void store(Uuid id, ByteSpan bytes) { write_file(place_.file_of(id), bytes); }
  int refused(const objects::Options& options, bool fresh = false) {
    const auto opened = objects::open(options, fresh);
    return opened ? 0 : opened.error().code;
  }
  fs::path mark() { return place_.file_of(new_id()).parent_path().parent_path() / objects::kMark; }

  ObjectsPlace place_{PlaceKind{.encrypted = true}};
  std::unique_ptr<objects::Objects> at_ = place_.open();
};

TEST_F(Encrypted, no_byte_may_be_flipped) {
  const Uuid id = new_id();
  const Buffer content = pattern(2 * kBlockBytes + 100, 1);
  put(*at_, id, content);
  const Buffer whole = stored(id);
  ASSERT_EQ(whole.size(), objects::encrypted_bytes(content.size()));
  const std::uint64_t frame = objects::kStoredFrameBytes, header = objects::kHeaderBytes;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < header; i++) places.push_back(i);
  for (const std::uint64_t begin : {header, header + frame, header + 2 * frame}) {
    const std::uint64_t end = std::min<std::uint64_t>(begin + frame, whole.size());
    for (const std::uint64_t at :
         {begin, begin + 11, begin + 12, begin + 50, end - 17, end - 16, end - 1})
      places.push_back(at);
  }
  for (const std::size_t at : places) {
    Buffer changed = whole;
    changed[at] ^= 1;
    store(id, changed);
    expect_damaged(id, "byte " + std::to_string(at));
  }
  store(id, whole);
  EXPECT_EQ(must(read(id)), content);
}

TEST_F(Encrypted, objects_may_not_be_cut_or_lengthened) {
  const Uuid id = new_id();
  put(*at_, id, pattern(3 * kBlockBytes, 2));
  const Buffer whole = stored(id);
  const std::uint64_t frame = objects::kStoredFrameBytes, header = objects::kHeaderBytes;
  for (const std::uint64_t size :
       {std::uint64_t{0}, std::uint64_t{10}, header, header + 5, header + frame, header + 2 * frame,
        header + 2 * frame + 27, whole.size() - 1}) {
    store(id, ByteSpan(whole).first(size));
    expect_damaged(id, "cut to " + std::to_string(size));
    // Behind the new end too.
    expect_damaged(id, "behind a cut to " + std::to_string(size), 5 * kBlockBytes);
  }
  Buffer longer = whole;
  longer.push_back(0);
  store(id, longer);
  expect_damaged(id, "a byte more");
  longer = whole;
  longer.insert(longer.end(), whole.end() - static_cast<long>(frame), whole.end());
  store(id, longer);
  expect_damaged(id, "a frame more");
}

TEST_F(Encrypted, frames_and_objects_may_not_change_places) {
  const Uuid id = new_id(), other = new_id();
  put(*at_, id, pattern(3 * kBlockBytes, 3));
  put(*at_, other, pattern(3 * kBlockBytes, 3));
  const Buffer whole = stored(id), foreign = stored(other);
  const auto frame = static_cast<long>(objects::kStoredFrameBytes),
             header = static_cast<long>(objects::kHeaderBytes);
  Buffer swapped = whole;
  std::swap_ranges(swapped.begin() + header, swapped.begin() + header + frame,
                   swapped.begin() + header + frame);
  store(id, swapped);
  expect_damaged(id, "swapped frames");
  swapped = whole;
  std::copy_n(foreign.begin() + header, frame, swapped.begin() + header);
  store(id, swapped);
  expect_damaged(id, "a frame of another object");
  store(id, foreign);
  expect_damaged(id, "another object");
}

TEST_F(Encrypted, a_hole_is_not_a_way_in) {
  const Uuid id = new_id();
  put(*at_, id, pattern(3 * kBlockBytes, 4));
  Buffer zeros = stored(id);
  std::fill_n(zeros.begin() + objects::kHeaderBytes, objects::kStoredFrameBytes, std::uint8_t{0});
  store(id, zeros);
  expect_damaged(id, "a frame of zeros");
}

TEST_F(Encrypted, a_damaged_frame_leaves_the_others_readable) {
  const Uuid id = new_id();
  const Buffer content = pattern(3 * kBlockBytes, 5);
  put(*at_, id, content);
  Buffer changed = stored(id);
  changed[objects::kHeaderBytes + 100] ^= 1;
  store(id, changed);
  EXPECT_EQ(must(read(id, kBlockBytes)), Buffer(content.begin() + kBlockBytes, content.end()));
  expect_damaged(id, "the first frame", 5);
}

TEST_F(Encrypted, nothing_of_the_content_is_stored_and_nothing_twice) {
  const Uuid id = new_id(), other = new_id();
  const Buffer content(2 * kBlockBytes, 'a');
  put(*at_, id, content);
  put(*at_, other, content);
  const Buffer one = stored(id), two = stored(other);
  const std::string_view text = objects::text_of(one);
  EXPECT_EQ(text.find("aaaaaaaa"), std::string_view::npos);
  EXPECT_NE(Buffer(one.begin() + 64, one.end()), Buffer(two.begin() + 64, two.end()));
}

TEST_F(Encrypted, a_frame_written_again_has_another_nonce) {
  const Uuid id = new_id();
  const Buffer content = pattern(kBlockBytes, 6);
  const auto upload = must(at_->create(id, std::nullopt));
  std::vector<Buffer> nonces;
  for (int i = 0; i < 20; i++) {
    must(upload->write(0, content));
    const Buffer now = stored(id);
    nonces.emplace_back(now.begin() + 64, now.begin() + 64 + 12);
  }
  std::ranges::sort(nonces);
  EXPECT_EQ(std::ranges::adjacent_find(nonces), nonces.end());
}

TEST_F(Encrypted, the_key_and_the_place_must_agree) {
  put(*at_, new_id(), pattern(10, 1));
  objects::Options wrong = place_.options(), none = place_.options();
  wrong.access.keyfile = place_.folder() / "wrong";
  write_file(wrong.access.keyfile, pattern(32, 99));
  none.access.keyfile.clear();
  EXPECT_EQ(refused(place_.options()), 0);
  for (const bool fresh : {false, true}) {
    EXPECT_EQ(refused(wrong, fresh), EACCES);
    EXPECT_EQ(refused(none, fresh), EACCES);
  }
  ObjectsPlace plain{PlaceKind{}};
  put(*plain.open(), new_id(), pattern(10, 1));
  objects::Options with_key = plain.options();
  with_key.access.keyfile = place_.options().access.keyfile;
  for (const bool fresh : {false, true}) EXPECT_EQ(refused(with_key, fresh), EINVAL);
}

TEST_F(Encrypted, a_tree_without_objects_may_still_choose_its_key) {
  objects::Options other = place_.options();
  other.access.keyfile = place_.folder() / "other";
  write_file(other.access.keyfile, pattern(32, 99));
  EXPECT_EQ(refused(other, true), 0);
  EXPECT_EQ(refused(place_.options()), EACCES);
  other.access.keyfile.clear();
  EXPECT_EQ(refused(other, true), 0);
}

TEST_F(Encrypted, a_changed_mark_is_noticed) {
  const Buffer whole = read_file(mark());
  for (std::size_t i = 0; i < whole.size(); i++) {
    Buffer changed = whole;
    changed[i] ^= 1;
    write_file(mark(), changed);
    EXPECT_NE(refused(place_.options()), 0) << i;
  }
  write_file(mark(), {});
  EXPECT_EQ(refused(place_.options()), EINVAL);
  write_file(mark(), whole);
  EXPECT_EQ(refused(place_.options()), 0);
}

TEST_F(Encrypted, finish_may_be_called_again) {
  const Uuid id = new_id();
  const Buffer content = pattern(2 * kBlockBytes + 9, 7), more = pattern(3 * kBlockBytes, 8);
  const auto upload = must(at_->create(id, std::nullopt));
  must(upload->write(0, content));
  must(upload->finish(content.size()));
  must(upload->write(0, more));
  must(upload->finish(more.size()));
  EXPECT_EQ(must(read(id)), more);
}

class Keyfile : public testing::Test {
 protected:
  Keyfile() {
    options_.location = temp_.path() / "place";
    options_.tree = TenantId{new_id()};
    options_.access.keyfile = temp_.path() / "key";
  }
  int open_with(ByteSpan content, unsigned mode = 0600) {
    const objects::Options& options = options_;
    write_file(options.access.keyfile, content, mode);
    const auto opened = objects::open(options, true);
    return opened ? 0 : opened.error().code;
  }
  int open_with(const std::string& text) { return open_with(bytes_of(text)); }

  TempFolder temp_;
  objects::Options options_;
};

TEST_F(Keyfile, holds_the_key_raw_or_in_hex_or_base64) {
  Buffer raw(32);
  for (std::size_t i = 0; i < 32; i++) raw[i] = static_cast<std::uint8_t>(i);
  const objects::Options& options = options_;
  write_file(options.access.keyfile, raw);
  put(*must(objects::open(options, true)), new_id(), raw);
  for (const std::string& form :
       {objects::hex_of(raw), objects::hex_of(raw) + "\n",
        std::string("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F\r\n"),
        std::string("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n")}) {
    write_file(options.access.keyfile, bytes_of(form));
    EXPECT_TRUE(objects::open(options, false)) << form;
  }
}

TEST_F(Keyfile, that_holds_no_key_is_refused) {
  for (const std::string& bad :
       {std::string(), std::string("short"), std::string(31, 'a'), std::string(33, 'a'),
        std::string(64, 'g'), std::string(63, 'a'), std::string(44, '!'), std::string(500, 'a')})
    EXPECT_EQ(open_with(bad), EINVAL) << bad;
}

TEST_F(Keyfile, that_others_may_read_is_refused) {
  const Buffer key = pattern(32, 1);
  for (const unsigned mode : {0640u, 0604u, 0620u, 0644u, 0610u})
    EXPECT_EQ(open_with(key, mode), EACCES);
  EXPECT_EQ(open_with(key, 0400), 0);
}

TEST_F(Keyfile, must_be_a_file) {
  const objects::Options& options = options_;
  EXPECT_EQ(objects::open(options, true).error().code, ENOENT);
  fs::create_directory(options.access.keyfile);
  EXPECT_EQ(objects::open(options, true).error().code, EINVAL);
  fs::remove(options.access.keyfile);
  ASSERT_EQ(::mkfifo(options.access.keyfile.c_str(), 0600), 0);
  EXPECT_EQ(objects::open(options, true).error().code, EINVAL);
}

}  // namespace
}  // namespace tusk::test
