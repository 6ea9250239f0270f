// Reads rows and content over one connection that it opens when it needs it.
#pragma once

#include <memory>
#include <vector>

#include "connection.h"
#include "tuskfs/store/store.h"

namespace tusk::store {

// Used by one thread. A connection that is lost is opened again once a call; then ENOTCONN.
class Loader {
 public:
  explicit Loader(ConnectionContext& context) : context_(context) {}

  Result<FolderPage> folder(const FolderQuery& query);
  Result<std::vector<InlineContent>> inline_contents(const std::vector<FileId>& ids);
  Result<std::vector<Chunk>> chunks(const ChunkQuery& query);
  Result<std::vector<XattrRow>> xattrs(Uuid owner);
  Result<std::vector<LinkRow>> links(FileId file);

  Result<EntryRows> entries(const std::vector<Uuid>& ids);
  Result<TrashedEntry> trashed(const TrashQuery& query);
  Result<Usage> size(FolderId folder, std::optional<uid_t> owner);
  Result<bool> owned(FolderId folder, uid_t owner);
  Result<std::string> reference(const Uuid& entry);

  struct Query {
    std::string_view statement;
    const Params& params;
  };
  // One round trip for all of them.
  Result<std::vector<PgResult>> ask(std::initializer_list<Query> queries);

 private:
  PgExpected<std::vector<PgResult>> try_ask(std::initializer_list<Query> queries);

  ConnectionContext& context_;
  std::unique_ptr<Connection> connection_;
  bool was_connected_ = false;
};

}  // namespace tusk::store
