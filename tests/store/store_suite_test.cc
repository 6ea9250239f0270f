// What a store means, held against every store.
#include "support/store_backends.h"
#include "support/store_session.h"

namespace tusk::test {
namespace {

using namespace store;

template <class Backend>
class StoreSuite : public ::testing::Test {
 protected:
  StoreSession<Backend> session_;

  ChunkPut put(FileId id, std::int64_t chunk, Version version, std::string_view content) {
    return {id, chunk, version, bytes_of(content)};
  }
};

using Backends = ::testing::Types<MemBackend, PostgresBackend>;
TYPED_TEST_SUITE(StoreSuite, Backends);

TYPED_TEST(StoreSuite, a_new_tree_has_a_root_and_nothing_else) {
  auto& s = this->session_;
  EXPECT_EQ(s.attached().root.parent, s.root());
  EXPECT_TRUE(S_ISDIR(s.attached().root.meta.mode));
  EXPECT_EQ(s.attached().root.meta.nlink, 2u);
  EXPECT_EQ(s.attached().usage, (Usage{0, 1, 0}));
  EXPECT_EQ(s.attached().last_group, GroupNo{0});
  EXPECT_TRUE(s.names(s.root()).empty());
}

TYPED_TEST(StoreSuite, a_file_comes_back_as_it_was_committed) {
  auto& s = this->session_;
  FileChange change = s.file(s.new_file(), "name ü.txt", "content");
  change.row.meta = {.mode = S_IFREG | 06755,
                     .uid = 4'294'967'294,
                     .gid = 2'147'483'648,
                     .nlink = 1,
                     .rdev = 0,
                     .atime = {-1},
                     .mtime = {9'223'372'036'854'775'807},
                     .ctime = {1'700'000'000'000'000'001},
                     .has_xattrs = true};
  change.row.version = 2'147'483'648;
  s.commit_files({change});
  const auto row = s.row_of(change.row.id);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->name, "name ü.txt");
  EXPECT_EQ(row->folder, s.root());
  EXPECT_EQ(row->meta.mode, change.row.meta.mode);
  EXPECT_EQ(row->meta.uid, change.row.meta.uid);
  EXPECT_EQ(row->meta.gid, change.row.meta.gid);
  EXPECT_EQ(row->meta.atime, change.row.meta.atime);
  EXPECT_EQ(row->meta.mtime, change.row.meta.mtime);
  EXPECT_EQ(row->meta.ctime, change.row.meta.ctime);
  EXPECT_TRUE(row->meta.has_xattrs);
  EXPECT_EQ(row->size, 7u);
  EXPECT_EQ(row->version, change.row.version);
  EXPECT_EQ(row->form, Form::inline_data);
  EXPECT_FALSE(row->damaged);
  EXPECT_EQ(s.inline_of(change.row.id), "content");
  EXPECT_EQ(s.content(change.row.id), "content");
}

TYPED_TEST(StoreSuite, nodes_of_every_type_keep_type_and_device) {
  auto& s = this->session_;
  Group group;
  std::map<std::string, mode_t> types = {{"link", S_IFLNK},
                                         {"fifo", S_IFIFO},
                                         {"socket", S_IFSOCK},
                                         {"char", S_IFCHR},
                                         {"block", S_IFBLK}};
  for (const auto& [name, type] : types) {
    FileChange change = s.file(s.new_file(), name, name == "link" ? "target" : "");
    change.row.meta.mode = type | 0600;
    change.row.meta.rdev = 0xffff'ffff'0010u;
    group.files.push_back(change);
  }
  s.commit(group);
  for (const auto& row : s.list(s.root()).files) {
    EXPECT_EQ(row.meta.mode, types.at(row.name) | 0600);
    EXPECT_EQ(row.meta.rdev, 0xffff'ffff'0010u);
    EXPECT_EQ(s.inline_of(row.id), row.name == "link" ? "target" : "");
  }
}

TYPED_TEST(StoreSuite, a_folder_is_listed_in_pages_over_all_kinds_of_entries) {
  auto& s = this->session_;
  Group group;
  std::vector<std::string> expected;
  for (int i = 0; i < 30; i++) {
    const std::string name = "e" + std::to_string(100 + i);
    if (i % 3 == 0) {
      group.folders.push_back(s.folder(s.new_folder(), s.root(), name));
      expected.push_back(name + "/");
    } else if (i % 3 == 1) {
      group.files.push_back(s.file(s.new_file(), name, ""));
      expected.push_back(name);
    } else {
      group.links_added.push_back({group.files.back().row.id, s.root(), name});
      expected.push_back(name + "@");
    }
  }
  s.commit(group);
  for (const int limit : {1, 2, 3, 7, 29, 30, 31})
    EXPECT_EQ(s.names(s.root(), limit), expected) << limit;
}

TYPED_TEST(StoreSuite, names_are_ordered_by_their_bytes) {
  auto& s = this->session_;
  s.commit_files({s.file(s.new_file(), "b", ""), s.file(s.new_file(), "B", ""),
                  s.file(s.new_file(), "é", ""), s.file(s.new_file(), "_", "")});
  const auto page = s.try_page({s.root(), "", 10});
  ASSERT_TRUE(page);
  std::vector<std::string> names;
  for (const auto& row : page->files) names.push_back(row.name);
  EXPECT_EQ(names, (std::vector<std::string>{"B", "_", "b", "é"}));
}

TYPED_TEST(StoreSuite, a_change_without_content_keeps_the_content) {
  auto& s = this->session_;
  FileChange change = s.file(s.new_file(), "a", "content");
  s.commit_files({change});
  change.has_content = false;
  change.data.reset();
  change.row.name = "b";
  change.row.meta.mode = S_IFREG | 0600;
  s.commit_files({change});
  EXPECT_EQ(s.names(s.root()), std::vector<std::string>{"b"});
  EXPECT_EQ(s.row_of(change.row.id)->meta.mode, mode_t{S_IFREG | 0600});
  EXPECT_EQ(s.inline_of(change.row.id), "content");
}

TYPED_TEST(StoreSuite, files_and_folders_swap_names_in_one_group) {
  auto& s = this->session_;
  FileChange a = s.file(s.new_file(), "a", "1"), b = s.file(s.new_file(), "b", "2");
  FolderRow c = s.folder(s.new_folder(), s.root(), "c"),
            d = s.folder(s.new_folder(), s.root(), "d");
  Group first;
  first.files = {a, b};
  first.folders = {c, d};
  s.commit(first);
  std::swap(a.row.name, b.row.name);
  std::swap(c.name, d.name);
  a.has_content = false;
  Group swap;
  swap.files_vacated = {a.row.id, b.row.id};
  swap.folders_vacated = {c.id, d.id};
  swap.files = {a, b};
  swap.folders = {c, d};
  s.commit(swap);
  EXPECT_EQ(s.row_of(a.row.id)->name, "b");
  EXPECT_EQ(s.row_of(b.row.id)->name, "a");
  EXPECT_EQ(s.names(s.root()), (std::vector<std::string>{"a", "b", "c/", "d/"}));
}

TYPED_TEST(StoreSuite, a_name_of_a_deleted_file_is_free_in_the_same_group) {
  auto& s = this->session_;
  const FileChange old = s.file(s.new_file(), "name", "old");
  s.commit_files({old});
  Group group;
  group.files_deleted = {old.row.id};
  group.files = {s.file(s.new_file(), "name", "new")};
  s.commit(group);
  EXPECT_EQ(s.names(s.root()), std::vector<std::string>{"name"});
  EXPECT_EQ(s.inline_of(group.files[0].row.id), "new");
  EXPECT_EQ(s.inline_of(old.row.id), std::nullopt);
}

TYPED_TEST(StoreSuite, a_further_name_comes_with_the_row_of_its_file) {
  auto& s = this->session_;
  const FolderId folder = s.new_folder();
  FileChange change = s.file(s.new_file(), "first", "content");
  change.row.meta.nlink = 2;
  Group group;
  group.folders = {s.folder(folder, s.root(), "folder")};
  group.files = {change};
  group.links_added = {{change.row.id, folder, "second"}};
  s.commit(group);
  EXPECT_EQ(s.names(folder), std::vector<std::string>{"second@"});
  ASSERT_TRUE(s.row_of(change.row.id, folder));
  EXPECT_EQ(s.row_of(change.row.id, folder)->folder, s.root());
  EXPECT_EQ(s.links(change.row.id), group.links_added);
  Group removal;
  removal.links_removed = group.links_added;
  s.commit(removal);
  EXPECT_TRUE(s.names(folder).empty());
  EXPECT_TRUE(s.links(change.row.id).empty());
}

TYPED_TEST(StoreSuite, a_removed_link_whose_name_now_belongs_to_another_file_stays) {
  auto& s = this->session_;
  const FileChange a = s.file(s.new_file(), "a", ""), b = s.file(s.new_file(), "b", "");
  Group group;
  group.files = {a, b};
  group.links_added = {{a.row.id, s.root(), "link"}};
  s.commit(group);
  Group other;
  other.links_removed = {{b.row.id, s.root(), "link"}};
  s.commit(other);
  EXPECT_EQ(s.links(a.row.id).size(), 1u);
}

TYPED_TEST(StoreSuite, extended_attributes_are_set_replaced_and_removed) {
  auto& s = this->session_;
  FileChange change = s.file(s.new_file(), "file", "");
  change.row.meta.has_xattrs = true;
  const Uuid id = change.row.id.uuid;
  const auto value = [](std::string_view text) { return Buffer(text.begin(), text.end()); };
  Group group;
  group.files = {change};
  group.xattrs_set = {
      {id, "user.a", value("1")}, {id, "user.b", value("")}, {id, "user.c", value("3")}};
  s.commit(group);
  EXPECT_EQ(s.xattrs(id),
            (std::map<std::string, std::string>{{"user.a", "1"}, {"user.b", ""}, {"user.c", "3"}}));
  Group next;
  next.xattrs_set = {{id, "user.a", value("new")}};
  next.xattrs_removed = {{id, "user.c", {}}};
  s.commit(next);
  EXPECT_EQ(s.xattrs(id), (std::map<std::string, std::string>{{"user.a", "new"}, {"user.b", ""}}));
  Group deletion;
  deletion.files_deleted = {change.row.id};
  s.commit(deletion);
  EXPECT_TRUE(s.xattrs(id).empty());
}

TYPED_TEST(StoreSuite, a_deleted_folder_goes_with_its_attributes) {
  auto& s = this->session_;
  const FolderId id = s.new_folder();
  Group group;
  group.folders = {s.folder(id, s.root(), "folder")};
  group.xattrs_set = {{id.uuid, "user.a", Buffer(3)}};
  s.commit(group);
  Group deletion;
  deletion.folders_deleted = {id};
  s.commit(deletion);
  EXPECT_TRUE(s.names(s.root()).empty());
  EXPECT_TRUE(s.xattrs(id.uuid).empty());
}

TYPED_TEST(StoreSuite, an_orphan_is_not_listed_but_keeps_its_content_until_the_next_mount) {
  auto& s = this->session_;
  FileChange change = s.file(s.new_file(), "name", "content");
  s.commit_files({change});
  change.has_content = false;
  change.orphan = true;
  Group group;
  group.files_vacated = {change.row.id};
  group.files = {change, s.file(s.new_file(), "other", "")};
  s.commit(group);
  EXPECT_EQ(s.names(s.root()), std::vector<std::string>{"other"});
  EXPECT_EQ(s.inline_of(change.row.id), "content");
  s.attach();
  EXPECT_EQ(s.inline_of(change.row.id), std::nullopt);
  EXPECT_EQ(s.names(s.root()), std::vector<std::string>{"other"});
}

TYPED_TEST(StoreSuite, a_group_sent_twice_is_applied_once) {
  auto& s = this->session_;
  const FileId id = s.new_file();
  Group first;
  first.files = {s.file(id, "name", "old")};
  first.number = GroupNo{1};
  s.commit(first);
  s.commit_files({s.file(id, "name", "new")});
  const CommitResult again = s.try_commit(first);
  EXPECT_EQ(again.state, CommitState::committed);
  EXPECT_EQ(s.inline_of(id), "new");
}

TYPED_TEST(StoreSuite, counters_go_on_in_the_next_mount) {
  auto& s = this->session_;
  Group group;
  group.usage = {7, 3, 1'000'000'000'000};
  s.commit(group);
  s.attach();
  EXPECT_EQ(s.attached().usage, group.usage);
  s.commit({});
  EXPECT_EQ(s.last(), static_cast<std::int64_t>(s.attached().last_group) + 1);
}

TYPED_TEST(StoreSuite, a_group_of_thousands_of_rows_is_whole) {
  auto& s = this->session_;
  Group group;
  group.durable = true;
  for (int i = 0; i < 3000; i++) {
    group.files.push_back(s.file(s.new_file(), "f" + std::to_string(10000 + i), std::to_string(i)));
  }
  const FileId big = s.new_file();
  group.files.push_back(s.chunked(big, "big", 100, 1));
  for (int i = 0; i < 100; i++)
    group.chunk_puts.push_back(this->put(big, i, 1, std::string(65536, 'a')));
  s.commit(group);
  EXPECT_EQ(s.list(s.root(), 1000).files.size(), 3001u);
  EXPECT_EQ(s.inline_of(group.files[2999].row.id), "2999");
  EXPECT_TRUE(s.content(big) == std::string(100 * 65536, 'a'));
}

}  // namespace
}  // namespace tusk::test
