// A mount's dealings with a store, one call after the other: for tests of either store.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tuskfs/store/store.h"

namespace tusk::test {

inline SharedBytes bytes_of(std::string_view text) {
  return std::make_shared<Buffer>(text.begin(), text.end());
}
inline std::string text_of(const SharedBytes& bytes) {
  return bytes ? std::string(bytes->begin(), bytes->end()) : "<null>";
}

template <class Backend>
class StoreSession {
 public:
  template <class... Args>
  explicit StoreSession(Args&&... args) : backend_(std::forward<Args>(args)...) {
    attach();
  }

  void attach() {
    attached_ = backend_.attach();
    last_ = static_cast<std::int64_t>(attached_.last_group);
    usage_ = attached_.usage;
  }
  Backend& backend() { return backend_; }
  const store::Attached& attached() const { return attached_; }
  FolderId root() const { return attached_.root.id; }
  std::int64_t last() const { return last_; }

  FileId new_file() { return {Uuid::v7(1'700'000'000'000, ++ids_, ids_ * 0x9e3779b97f4a7c15u)}; }
  FolderId new_folder() { return {new_file().uuid}; }

  store::FileChange file(FileId id, std::string name, std::string_view content) {
    store::FileChange change;
    change.row.id = id;
    change.row.folder = root();
    change.row.name = std::move(name);
    change.row.meta = {.mode = S_IFREG | 0644, .nlink = 1};
    change.row.meta.mtime = {1'700'000'000'123'456'789};
    change.row.size = content.size();
    change.row.version = 1;
    change.has_content = true;
    change.data = bytes_of(content);
    return change;
  }
  store::FileChange chunked(FileId id, std::string name, std::int64_t chunks, Version version) {
    store::FileChange change = file(id, std::move(name), "");
    change.row.form = store::Form::chunked;
    change.row.size = static_cast<std::uint64_t>(chunks) * store::kChunkBytes;
    change.row.version = version;
    change.data.reset();
    return change;
  }
  store::FolderRow folder(FolderId id, FolderId parent, std::string name) {
    store::FolderRow row{id, parent, std::move(name), {}};
    row.meta.mode = S_IFDIR | 0755;
    row.meta.nlink = 2;
    return row;
  }

  // Numbered and with usage counters that count what is in the tree, unless the test set them.
  store::CommitResult try_commit(store::Group group) {
    if (static_cast<std::int64_t>(group.number) == 0) group.number = GroupNo{last_ + 1};
    return try_commit(std::make_shared<const store::Group>(std::move(group)));
  }
  store::CommitResult try_commit(std::shared_ptr<const store::Group> group) {
    std::optional<store::CommitResult> result;
    const auto number = static_cast<std::int64_t>(group->number);
    backend_.store().commit(std::move(group),
                            [&](store::CommitResult r) { result = std::move(r); });
    while (!result) backend_.run();
    if (result->state == store::CommitState::committed) last_ = std::max(last_, number);
    return *result;
  }
  void commit(store::Group group) {
    const auto result = try_commit(std::move(group));
    ASSERT_EQ(result.state, store::CommitState::committed) << result.error.what;
    for (const auto& refusal : result.refused) ADD_FAILURE() << refusal.why;
  }
  void commit_files(std::vector<store::FileChange> files) {
    store::Group group;
    group.files = std::move(files);
    commit(std::move(group));
  }

  Result<store::FolderPage> try_page(store::FolderQuery query) {
    return wait<store::FolderPage>(
        [&](auto done) { backend_.store().load_folder(query, std::move(done)); });
  }
  // All pages of a folder, `limit` entries each.
  store::FolderPage list(FolderId id, int limit = 10'000) {
    store::FolderPage all;
    store::FolderQuery query{id, "", limit};
    do {
      auto page = try_page(query);
      EXPECT_TRUE(page) << page.error().what;
      if (!page) break;
      for (auto& row : page->folders) all.folders.push_back(std::move(row));
      for (auto& row : page->links) all.links.push_back(std::move(row));
      for (auto& row : page->files) {
        if (std::ranges::find(all.files, row.id, &store::FileRow::id) == all.files.end()) {
          all.files.push_back(std::move(row));
        }
      }
      query.after = page->next_after;
    } while (!query.after.empty());
    return all;
  }
  std::vector<std::string> names(FolderId id, int limit = 10'000) {
    const store::FolderPage page = list(id, limit);
    std::vector<std::string> out;
    for (const auto& row : page.folders) out.push_back(row.name + "/");
    for (const auto& row : page.files) {
      if (row.folder == id) out.push_back(row.name);
    }
    for (const auto& row : page.links) out.push_back(row.name + "@");
    std::ranges::sort(out);
    return out;
  }
  std::optional<store::FileRow> row_of(FileId id, FolderId in) {
    const store::FolderPage page = list(in);
    for (const auto& row : page.files) {
      if (row.id == id) return row;
    }
    return std::nullopt;
  }
  std::optional<store::FileRow> row_of(FileId id) { return row_of(id, root()); }

  std::optional<std::string> inline_of(FileId id) {
    auto contents = wait<std::vector<store::InlineContent>>(
        [&](auto done) { backend_.store().load_inline({id}, std::move(done)); });
    EXPECT_TRUE(contents);
    if (!contents || contents->empty() || !contents->front().data) return std::nullopt;
    return text_of(contents->front().data);
  }
  Result<std::vector<store::Chunk>> try_chunks(store::ChunkQuery query) {
    return wait<std::vector<store::Chunk>>(
        [&](auto done) { backend_.store().load_chunks(query, std::move(done)); });
  }
  // "0:aaa 2:ccc"
  std::string chunks(FileId id, store::ChunkRange range, Version version) {
    auto found = try_chunks({id, range, version});
    EXPECT_TRUE(found) << found.error().what;
    std::string out;
    for (const auto& chunk : *found) {
      out += (out.empty() ? "" : " ") + std::to_string(chunk.number) + ":" + text_of(chunk.data);
    }
    return out;
  }
  std::map<std::string, std::string> xattrs(Uuid owner) {
    auto rows = wait<std::vector<store::XattrRow>>(
        [&](auto done) { backend_.store().load_xattrs(owner, std::move(done)); });
    EXPECT_TRUE(rows);
    std::map<std::string, std::string> out;
    for (const auto& row : *rows) out[row.name] = std::string(row.value.begin(), row.value.end());
    return out;
  }
  std::vector<store::LinkRow> links(FileId id) {
    auto rows = wait<std::vector<store::LinkRow>>(
        [&](auto done) { backend_.store().load_links(id, std::move(done)); });
    EXPECT_TRUE(rows);
    return *rows;
  }
  std::string content(FileId id) {
    const auto found = backend_.content(id);
    return found ? std::string(found->begin(), found->end()) : "<null>";
  }

 private:
  template <class T, class Start>
  Result<T> wait(Start start) {
    std::optional<Result<T>> answer;
    start([&](Result<T> r) { answer = std::move(r); });
    while (!answer) backend_.run();
    return std::move(*answer);
  }

  Backend backend_;
  store::Attached attached_;
  store::Usage usage_;
  std::int64_t last_ = 0;
  std::uint64_t ids_ = 0;
};

}  // namespace tusk::test
