#include "loader.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "rows_reader.h"
#include "session.h"
#include "sqlstate.h"
#include "tuskfs/base/log.h"

namespace tusk::store {
namespace {

SharedBytes copy_of(ByteSpan bytes) {
  auto copy = std::make_shared<Buffer>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), copy->begin());
  return copy;
}

bool matches(ByteSpan checksum, ByteSpan content) {
  return std::ranges::equal(checksum, checksum_of(content).bytes);
}

// The three lists of a folder each came with up to `limit` entries: only names up to the last one
// that all lists together have room for belong to the page.
class PageBuilder {
 public:
  PageBuilder(const PgResult& folders, const PgResult& files, const PgResult& links, int limit)
      : folders_(folders), files_(files), links_(links), limit_(static_cast<std::size_t>(limit)) {}

  FolderPage build(FolderId folder) {
    cut();
    for (int i = 0; i < folders_.rows(); i++) {
      if (!belongs(folders_.row(i).text(kName))) continue;
      page_.folders.push_back(read_folder(folders_.row(i)));
      page_.folders.back().policy = read_settings(folders_.row(i));
    }
    std::unordered_set<Uuid> known;
    for (int i = 0; i < files_.rows(); i++) {
      if (!belongs(files_.row(i).text(kName))) continue;
      page_.files.push_back(read_file(files_.row(i)));
      known.insert(page_.files.back().id.uuid);
    }
    for (int i = 0; i < links_.rows(); i++) {
      const Row row = links_.row(i);
      if (belongs(row.text(kLinkName))) add_link(row, folder, known);
    }
    return std::move(page_);
  }

 private:
  static constexpr int kName = 2, kLinkFile = 19, kLinkName = 20;

  void cut() {
    std::vector<std::string_view> names;
    for (int i = 0; i < folders_.rows(); i++) names.push_back(folders_.row(i).text(kName));
    for (int i = 0; i < files_.rows(); i++) names.push_back(files_.row(i).text(kName));
    for (int i = 0; i < links_.rows(); i++) names.push_back(links_.row(i).text(kLinkName));
    // A list that is full may have more, so an answer of just `limit` names is not known complete.
    if (names.size() < limit_) return;
    std::ranges::nth_element(names, names.begin() + static_cast<std::ptrdiff_t>(limit_) - 1);
    page_.next_after = names[limit_ - 1];
  }

  bool belongs(std::string_view name) const {
    return page_.next_after.empty() || name <= page_.next_after;
  }

  void add_link(const Row& row, FolderId folder, std::unordered_set<Uuid>& known) {
    const FileId file{row.uuid(kLinkFile)};
    page_.links.push_back({file, folder, std::string(row.text(kLinkName))});
    if (!known.insert(file.uuid).second) return;
    if (!row.is_null(0)) {
      page_.files.push_back(read_file(row));
      return;
    }
    log::error("name {} in folder {} belongs to file {}, which does not exist", row.text(kLinkName),
               folder.uuid.text(), file.uuid.text());
    FileRow missing;
    missing.id = file;
    missing.damaged = true;
    page_.files.push_back(std::move(missing));
  }

  const PgResult& folders_;
  const PgResult& files_;
  const PgResult& links_;
  std::size_t limit_;
  FolderPage page_;
};

InlineContent read_inline(const Row& row) {
  InlineContent content{{row.uuid(0)}, row.integer(1), nullptr, false};
  if (row.is_null(2)) return content;
  const ByteSpan data = row.bytes(2);
  const bool sound = static_cast<std::int64_t>(data.size()) == row.integer(4) &&
                     (row.is_null(3) || matches(row.bytes(3), data));
  if (sound) {
    content.data = copy_of(data);
  } else {
    log::error("file {}: its data do not match its size or checksum", content.file.uuid.text());
    content.damaged = true;
  }
  return content;
}

}  // namespace

PgExpected<std::vector<PgResult>> Loader::try_ask(std::initializer_list<Query> queries) {
  if (!connection_ || !connection_->alive()) {
    connection_.reset();
    if (was_connected_ && context_.before_reconnect) context_.before_reconnect();
    auto connection = open_session(context_);
    if (!connection) return std::unexpected(std::move(connection).error());
    connection_ = std::move(*connection);
    was_connected_ = true;
  }
  for (const Query& query : queries) TRY(connection_->queue(query.statement, query.params));
  Answers answers = connection_->finish();
  if (answers.failure) return std::unexpected(std::move(*answers.failure));
  return std::move(answers.results);
}

Result<std::vector<PgResult>> Loader::ask(std::initializer_list<Query> queries) {
  const bool had_connection = connection_ != nullptr;
  auto results = try_ask(queries);
  if (!results && results.error().lost && had_connection) results = try_ask(queries);
  if (results) return std::move(*results);
  const Error error = load_error(results.error());
  if (error.code == EIO) log::error("cannot load: {}", error.what);
  return std::unexpected(error);
}

Result<FolderPage> Loader::folder(const FolderQuery& query) {
  const Params params =
      Params().add(query.folder).add(std::string_view(query.after)).add(std::int64_t{query.limit});
  TRY_ASSIGN(const auto lists,
             ask({{"load_folders", params}, {"load_files", params}, {"load_linked", params}}));
  return PageBuilder(lists[0], lists[1], lists[2], query.limit).build(query.folder);
}

Result<std::vector<InlineContent>> Loader::inline_contents(const std::vector<FileId>& ids) {
  if (ids.empty()) return std::vector<InlineContent>{};
  BinaryArray array(ElementType::uuid);
  for (const FileId id : ids) array.add(id);
  Params params;
  params.add_view(array.finish());
  TRY_ASSIGN(const auto results, ask({{"load_inline", params}}));
  std::unordered_map<Uuid, InlineContent> by_id;
  for (int i = 0; i < results[0].rows(); i++) {
    InlineContent content = read_inline(results[0].row(i));
    by_id.emplace(content.file.uuid, std::move(content));
  }
  std::vector<InlineContent> contents;
  contents.reserve(ids.size());
  for (const FileId id : ids) {
    const auto found = by_id.find(id.uuid);
    contents.push_back(found == by_id.end() ? InlineContent{id, 0, nullptr, false} : found->second);
  }
  return contents;
}

Result<std::vector<Chunk>> Loader::chunks(const ChunkQuery& query) {
  const Params params =
      Params().add(query.file).add(query.range.first).add(query.range.last).add(query.version);
  TRY_ASSIGN(const auto results, ask({{"load_chunks", params}}));
  std::vector<Chunk> chunks;
  for (int i = results[0].rows() - 1; i >= 0; i--) {
    const Row row = results[0].row(i);
    const std::int64_t number = row.integer(0);
    const bool sound = !row.is_null(2) && matches(row.bytes(3), row.bytes(2));
    if (!sound) {
      log::error("file {}: chunk {} of version {} {}", query.file.uuid.text(), number,
                 row.integer(1),
                 row.is_null(2) ? "shares data that are gone" : "does not match its checksum");
      return fail(EIO, "a chunk is damaged");
    }
    chunks.push_back({number, copy_of(row.bytes(2))});
  }
  return chunks;
}

Result<std::vector<XattrRow>> Loader::xattrs(Uuid owner) {
  const Params params = Params().add(owner);
  TRY_ASSIGN(const auto results, ask({{"load_xattrs", params}}));
  std::vector<XattrRow> rows;
  for (int i = 0; i < results[0].rows(); i++) {
    const Row row = results[0].row(i);
    const ByteSpan value = row.bytes(1);
    rows.push_back({owner, std::string(row.text(0)), Buffer(value.begin(), value.end())});
  }
  return rows;
}

Result<std::vector<LinkRow>> Loader::links(FileId file) {
  const Params params = Params().add(file);
  TRY_ASSIGN(const auto results, ask({{"load_links", params}}));
  std::vector<LinkRow> rows;
  for (int i = 0; i < results[0].rows(); i++) {
    const Row row = results[0].row(i);
    rows.push_back({file, {row.uuid(0)}, std::string(row.text(1))});
  }
  return rows;
}

Result<EntryRows> Loader::entries(const std::vector<Uuid>& ids) {
  BinaryArray array(ElementType::uuid);
  for (const Uuid& id : ids) array.add(id);
  Params params;
  params.add_view(array.finish());
  TRY_ASSIGN(const auto lists,
             ask({{"entry_folders", params}, {"entry_files", params}, {"entry_links", params}}));
  EntryRows rows;
  for (int i = 0; i < lists[0].rows(); i++) {
    rows.folders.push_back(read_folder(lists[0].row(i)));
    rows.folders.back().policy = read_settings(lists[0].row(i));
  }
  for (int i = 0; i < lists[1].rows(); i++) rows.files.push_back(read_file(lists[1].row(i)));
  for (int i = 0; i < lists[2].rows(); i++) {
    const Row row = lists[2].row(i);
    rows.links.push_back({{row.uuid(0)}, {row.uuid(1)}, std::string(row.text(2))});
  }
  return rows;
}

Result<TrashedEntry> Loader::trashed(const TrashQuery& query) {
  const Params id = Params().add(query.id);
  BinaryArray files(ElementType::uuid);
  for (const FileId file : query.among) files.add(file);
  Params among = id;
  among.add_view(files.finish());
  TRY_ASSIGN(const auto found,
             ask({{"trashed_folder", id}, {"trashed_file", id}, {"trashed_among", among}}));
  TrashedEntry entry;
  const Row all = found[2].row(0);
  entry.has_any = all.boolean(0);
  entry.usage = {all.integer(1), all.integer(2), all.integer(3)};
  if (found[0].rows() > 0) {
    FolderRow folder = read_folder(found[0].row(0));
    folder.policy = read_settings(found[0].row(0));
    entry.row = std::move(folder);
  } else if (found[1].rows() > 0) {
    entry.row = read_file(found[1].row(0));
  } else {
    return fail(ENOENT, "it is not in the trash");
  }
  return entry;
}

Result<bool> Loader::owned(FolderId folder, uid_t owner) {
  const Params params = Params().add(folder).add(std::int64_t{owner});
  TRY_ASSIGN(const auto results, ask({{"is_owned", params}}));
  return results[0].row(0).boolean(0);
}

Result<Usage> Loader::size(FolderId folder, std::optional<uid_t> owner) {
  const Params params = Params().add(folder).add(owner ? std::int64_t{*owner} : std::int64_t{-1});
  TRY_ASSIGN(const auto results, ask({{"folder_size", params}}));
  const Row row = results[0].row(0);
  return Usage{row.integer(0), row.integer(1), row.integer(2)};
}

Result<std::string> Loader::reference(const Uuid& entry) {
  const Params params = Params().add(entry);
  TRY_ASSIGN(const auto results, ask({{"reference_to", params}}));
  return std::string(results[0].row(0).text(0));
}

}  // namespace tusk::store
