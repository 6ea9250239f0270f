// Chunks, versions, sharing and staging: what they mean, held against every store.
#include "support/store_backends.h"
#include "support/store_session.h"

namespace tusk::test {
namespace {

using namespace store;

template <class Backend>
class ChunkSuite : public ::testing::Test {
 protected:
  StoreSession<Backend> session_;

  static ChunkPut put(FileId id, std::int64_t chunk, Version version, std::string_view content) {
    return {id, chunk, version, bytes_of(content)};
  }
  // A chunked file whose chunks 0, 1 … hold these texts.
  FileId make(const std::string& name, const std::vector<std::string>& texts) {
    const FileId id = session_.new_file();
    Group group;
    group.files = {session_.chunked(id, name, static_cast<std::int64_t>(texts.size()), 1)};
    for (std::size_t i = 0; i < texts.size(); i++) {
      group.chunk_puts.push_back(put(id, static_cast<std::int64_t>(i), 1, texts[i]));
    }
    session_.commit(std::move(group));
    return id;
  }
  void share(const ChunkShare& share) {
    Group group;
    group.chunk_shares = {share};
    session_.commit(std::move(group));
  }
  void remove(FileId id) {
    Group group;
    group.files_deleted = {id};
    session_.commit(std::move(group));
  }
  std::string all(FileId id, Version version = 1'000'000) {
    return session_.chunks(id, {0, 1000}, version);
  }
};

using Backends = ::testing::Types<MemBackend, PostgresBackend>;
TYPED_TEST_SUITE(ChunkSuite, Backends);

TYPED_TEST(ChunkSuite, the_newest_row_that_is_not_above_the_version_is_read) {
  auto& s = this->session_;
  const FileId id = this->make("file", {"a1", "b1", "c1"});
  Group group;
  group.files = {s.chunked(id, "file", 3, 3)};
  group.chunk_puts = {this->put(id, 1, 2, "b2"), this->put(id, 1, 3, "b3"),
                      this->put(id, 2, 3, "c3")};
  s.commit(group);
  EXPECT_EQ(this->all(id, 0), "");
  EXPECT_EQ(this->all(id, 1), "0:a1 1:b1 2:c1");
  EXPECT_EQ(this->all(id, 2), "0:a1 1:b2 2:c1");
  EXPECT_EQ(this->all(id, 3), "0:a1 1:b3 2:c3");
  EXPECT_EQ(s.chunks(id, {1, 2}, 9), "1:b3");
  EXPECT_EQ(s.chunks(id, {5, 9}, 9), "");
}

TYPED_TEST(ChunkSuite, dropped_rows_are_those_below_the_version_in_the_range) {
  auto& s = this->session_;
  const FileId id = this->make("file", {"a1", "b1", "c1"});
  Group group;
  group.files = {s.chunked(id, "file", 3, 2)};
  group.chunk_drops = {{id, {0, 2}, 0, 2}};
  group.chunk_puts = {this->put(id, 0, 2, "a2"), this->put(id, 1, 2, "b2")};
  s.commit(group);
  EXPECT_EQ(this->all(id, 1), "2:c1");
  EXPECT_EQ(this->all(id, 2), "0:a2 1:b2 2:c1");
}

TYPED_TEST(ChunkSuite, content_has_zeros_in_holes_and_after_short_chunks) {
  auto& s = this->session_;
  const FileId id = s.new_file();
  Group group;
  FileChange change = s.chunked(id, "file", 4, 1);
  change.row.size = 3 * kChunkBytes + 5;
  change.row.holes = {{1, 3}};
  group.files = {change};
  group.chunk_puts = {this->put(id, 0, 1, "head"), this->put(id, 3, 1, "tail and more")};
  s.commit(group);
  std::string expected = "head";
  expected.resize(3 * kChunkBytes, '\0');
  expected += "tail ";
  EXPECT_TRUE(s.content(id) == expected);
  EXPECT_EQ(s.row_of(id)->holes, (std::vector<ChunkRange>{{1, 3}}));
  EXPECT_EQ(s.row_of(id)->form, Form::chunked);
}

TYPED_TEST(ChunkSuite, content_moves_from_inline_to_chunks_and_back) {
  auto& s = this->session_;
  const FileId id = s.new_file();
  s.commit_files({s.file(id, "file", "inline")});
  Group group;
  group.files = {s.chunked(id, "file", 1, 2)};
  group.files[0].row.size = 6;
  group.chunk_puts = {this->put(id, 0, 2, "chunky")};
  s.commit(group);
  EXPECT_EQ(s.inline_of(id), std::nullopt);
  EXPECT_EQ(s.content(id), "chunky");
  Group back;
  back.files = {s.file(id, "file", "again")};
  back.files[0].row.version = 3;
  back.chunk_drops = {{id, {0, 1}, 0, 3}};
  s.commit(back);
  EXPECT_EQ(s.inline_of(id), "again");
  EXPECT_EQ(this->all(id), "");
}

TYPED_TEST(ChunkSuite, a_chunk_put_again_under_its_version_is_replaced) {
  auto& s = this->session_;
  const FileId id = this->make("file", {"a1"});
  Group group;
  group.chunk_puts = {this->put(id, 0, 1, "again")};
  s.commit(group);
  EXPECT_EQ(this->all(id), "0:again");
}

TYPED_TEST(ChunkSuite, shared_chunks_are_those_that_the_source_has) {
  auto& s = this->session_;
  const FileId source = this->make("source", {"a", "b", "c"});
  const FileId target = this->make("target", {"x"});
  this->share({target, 10, 1, source, 1, 1, 5});
  EXPECT_EQ(this->all(target), "0:x 10:b 11:c");
  EXPECT_EQ(this->all(source), "0:a 1:b 2:c");
  EXPECT_EQ(s.names(s.root()), (std::vector<std::string>{"source", "target"}));
}

TYPED_TEST(ChunkSuite, a_share_takes_the_source_as_of_a_version) {
  auto& s = this->session_;
  const FileId source = this->make("source", {"a1"});
  Group group;
  group.files = {s.chunked(source, "source", 1, 2)};
  group.chunk_puts = {this->put(source, 0, 2, "a2")};
  s.commit(group);
  const FileId target = this->make("target", {});
  this->share({target, 0, 1, source, 0, 1, 1});
  this->share({target, 1, 1, source, 0, 2, 1});
  EXPECT_EQ(this->all(target), "0:a1 1:a2");
}

TYPED_TEST(ChunkSuite, shared_chunks_outlive_their_source) {
  const FileId source = this->make("source", {"a", "b"});
  const FileId first = this->make("first", {}), second = this->make("second", {});
  this->share({first, 0, 1, source, 0, 1, 2});
  this->share({second, 0, 1, first, 0, 1, 2});
  this->remove(source);
  EXPECT_EQ(this->all(source), "");
  EXPECT_EQ(this->all(first), "0:a 1:b");
  this->remove(first);
  EXPECT_EQ(this->all(second), "0:a 1:b");
  this->remove(second);
  EXPECT_EQ(this->all(second), "");
}

TYPED_TEST(ChunkSuite, a_source_replaced_under_its_version_leaves_what_was_shared) {
  auto& s = this->session_;
  const FileId source = this->make("source", {"a"}), target = this->make("target", {});
  this->share({target, 0, 1, source, 0, 1, 1});
  Group group;
  group.chunk_puts = {this->put(source, 0, 1, "new")};
  s.commit(group);
  EXPECT_EQ(this->all(source), "0:new");
  EXPECT_EQ(this->all(target), "0:a");
}

TYPED_TEST(ChunkSuite, a_source_dropped_and_put_again_leaves_what_was_shared) {
  auto& s = this->session_;
  const FileId source = this->make("source", {"a"}), target = this->make("target", {});
  this->share({target, 0, 1, source, 0, 1, 1});
  Group drop;
  drop.chunk_drops = {{source, {0, 1}, 0, 2}};
  s.commit(drop);
  EXPECT_EQ(this->all(source), "");
  Group again;
  again.chunk_puts = {this->put(source, 0, 1, "new")};
  s.commit(again);
  EXPECT_EQ(this->all(source), "0:new");
  EXPECT_EQ(this->all(target), "0:a");
}

TYPED_TEST(ChunkSuite, shares_replace_what_the_target_had_under_the_version) {
  const FileId source = this->make("source", {"a", "b"});
  const FileId target = this->make("target", {"x", "y"}), third = this->make("third", {});
  this->share({third, 0, 1, target, 0, 1, 2});
  this->share({target, 0, 1, source, 1, 1, 1});
  EXPECT_EQ(this->all(target), "0:b 1:y");
  EXPECT_EQ(this->all(third), "0:x 1:y");
  this->remove(source);
  this->remove(third);
  EXPECT_EQ(this->all(target), "0:b 1:y");
}

TYPED_TEST(ChunkSuite, shares_of_one_group_see_the_chunks_as_they_were_before) {
  auto& s = this->session_;
  const FileId file = this->make("file", {"a", "b"});
  Group group;
  group.chunk_shares = {{file, 1, 1, file, 0, 1, 1}};
  s.commit(group);
  EXPECT_EQ(this->all(file), "0:a 1:a");
  Group more;
  more.chunk_puts = {this->put(file, 0, 1, "new")};
  s.commit(more);
  EXPECT_EQ(this->all(file), "0:new 1:a");
  this->remove(file);
  EXPECT_EQ(this->all(file), "");
}

TYPED_TEST(ChunkSuite, a_share_of_a_chunk_with_itself_changes_nothing) {
  const FileId file = this->make("file", {"a", "b"});
  this->share({file, 0, 1, file, 0, 1, 2});
  EXPECT_EQ(this->all(file), "0:a 1:b");
}

TYPED_TEST(ChunkSuite, what_was_staged_and_not_published_goes_with_the_next_mount) {
  auto& s = this->session_;
  const FileId published = this->make("published", {"a"});
  const FileId half = this->make("half", {"a"});
  const FileId never = s.new_file();
  Group stage;
  stage.stagings = {{published, 2, true}, {half, 2, true}, {never, 1, true}};
  stage.chunk_puts = {this->put(published, 0, 2, "new"), this->put(half, 0, 2, "new"),
                      this->put(never, 0, 1, "new")};
  s.commit(stage);
  Group publish;
  publish.files = {s.chunked(published, "published", 1, 2)};
  publish.stagings = {{published, 2, false}};
  s.commit(publish);
  s.attach();
  EXPECT_EQ(this->all(published), "0:new");
  EXPECT_EQ(this->all(half), "0:a");
  EXPECT_EQ(this->all(never), "");
}

TYPED_TEST(ChunkSuite, purged_staging_leaves_what_was_shared_from_it) {
  auto& s = this->session_;
  const FileId source = this->make("source", {"a"}), target = this->make("target", {});
  Group stage;
  stage.stagings = {{source, 2, true}};
  stage.chunk_puts = {this->put(source, 0, 2, "new")};
  s.commit(stage);
  this->share({target, 0, 1, source, 0, 2, 1});
  s.attach();
  EXPECT_EQ(this->all(source), "0:a");
  EXPECT_EQ(this->all(target), "0:new");
}

}  // namespace
}  // namespace tusk::test
