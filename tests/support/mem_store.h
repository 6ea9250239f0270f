// A Store in memory, with the meaning of the PostgreSQL one and a will of its own: it answers when
// it is told to, and may fail, or commit and say that it does not know.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>

#include "tuskfs/base/executor.h"
#include "tuskfs/store/store.h"

namespace tusk::testing {

// How a pending commit ends.
enum class Verdict { commit, commit_but_unknown, lose_and_unknown, retry, disk_full };

class MemStore final : public store::Store {
 public:
  explicit MemStore(Executor& executor);

  // A mount takes the tree: orphans and what was staged ahead are purged.
  store::Attached attach();

  void load_folder(const store::FolderQuery&, store::Callback<Result<store::FolderPage>>) override;
  void load_inline(std::vector<FileId>,
                   store::Callback<Result<std::vector<store::InlineContent>>>) override;
  void load_chunks(const store::ChunkQuery&,
                   store::Callback<Result<std::vector<store::Chunk>>>) override;
  void load_xattrs(Uuid owner, store::Callback<Result<std::vector<store::XattrRow>>>) override;
  void load_links(FileId, store::Callback<Result<std::vector<store::LinkRow>>>) override;
  void load_entries(std::vector<Uuid>, store::Callback<Result<store::EntryRows>>) override;
  void load_trashed(const store::TrashQuery&,
                    store::Callback<Result<store::TrashedEntry>>) override;
  void load_ownership(FolderId, uid_t, store::Callback<Result<bool>>) override;
  void load_size(FolderId, std::optional<uid_t>, store::Callback<Result<store::Usage>>) override;
  store::Quota quota() const override { return limit; }
  bool has_references() const override { return false; }
  void load_reference(Uuid, store::Callback<Result<std::string>>) override;
  void commit(std::shared_ptr<const store::Group>, store::Callback<store::CommitResult>) override;
  void set_delegate(store::Delegate* delegate) override { delegate_ = delegate; }
  void give_back() override;
  void take_back() override;
  // Nobody else has it mounted.
  void share() override {}
  void rest() override {}
  void wake() override {}
  void look(store::Callback<Result<void>> callback) override { callback({}); }
  bool has_others() const override { return false; }
  bool is_certain() const override { return true; }
  void sustain(std::vector<FileId>, bool) override {}
  void set_locks(const store::LockQuestion&, store::Callback<Result<bool>> callback) override {
    callback(true);
  }
  void find_lock(const store::LockQuestion&,
                 store::Callback<Result<std::optional<store::FileLock>>> callback) override {
    callback(std::nullopt);
  }

  // Somebody else wants to write; has written, `ids` among it; or has ended.
  enum class Delegation { held, recalled, lent, wanted };
  Delegation delegation() const { return delegation_; }
  void recall();
  void tell_changed(std::vector<Uuid> ids);
  void return_delegation(std::vector<Uuid> ids);

  store::Quota limit;

  // Nothing is answered before it is stepped; `automatic` answers everything at once.
  bool automatic = false;
  std::size_t pending_loads() const { return loads_.size(); }
  bool pending_commit() const { return commit_ != nullptr; }
  // Answers the i-th pending load; `connected` false: ENOTCONN.
  void step_load(std::size_t i, bool connected = true);
  void step_commit(Verdict verdict);
  // The driver died: nothing pending will be answered.
  void forget_pending();
  // The server died: groups that were not durable may be gone, from `keep` of them on.
  std::size_t undurable_groups() const { return undurable_.size(); }
  void lose_undurable(std::size_t keep);

  // As tusk.content(): what a SQL client reads.
  std::optional<Buffer> content(FileId id) const;
  std::optional<Buffer> content(const store::FileRow& row, const SharedBytes& data) const;
  const std::map<FileId, store::FileRow>& files() const { return state_.files; }
  const std::map<FolderId, store::FolderRow>& folders() const { return state_.folders; }
  const std::map<std::pair<FolderId, std::string>, FileId>& links() const { return state_.links; }
  // In no folder: unlinked while open, or in the trash.
  bool is_hidden(FileId id) const { return state_.orphans.contains(id) || is_trashed(id.uuid); }
  bool is_trashed(const Uuid& id) const { return state_.trashed.contains(id); }
  // Invariants that sql/checks have; empty: all hold.
  std::string check() const;

 private:
  using ChunkKey = std::tuple<FileId, std::int64_t, Version>;
  struct State {
    std::map<FolderId, store::FolderRow> folders;
    std::map<FileId, store::FileRow> files;
    std::map<FileId, SharedBytes> data;
    std::set<FileId> orphans;
    std::set<Uuid> trashed;
    std::map<std::pair<FileId, Version>, std::pair<store::FileRow, SharedBytes>> versions;
    std::map<std::pair<FolderId, std::string>, FileId> links;
    std::map<std::pair<Uuid, std::string>, Buffer> xattrs;
    std::map<ChunkKey, SharedBytes> chunks;
    std::set<std::pair<FileId, Version>> staged;
    store::PolicySettings root_policy;
    store::Usage usage;
    std::int64_t last_group = 0;
  };
  struct PendingCommit {
    std::shared_ptr<const store::Group> group;
    store::Callback<store::CommitResult> callback;
  };

  // Outside of the database, so no crash of the server undoes it.
  struct Object {
    bool finished = false;
    std::map<std::int64_t, SharedBytes> chunks;
  };

  void write_objects(const store::Group& group);
  void finish(Object& object, const store::ObjectWrite& write);
  void fetch(State& state, const store::ObjectFetch& fetch) const;
  SharedBytes stored_chunk(const store::ChunkQuery& query, std::int64_t chunk) const;
  void answer(std::move_only_function<void(bool connected)> load);
  void apply(State& state, const store::Group& group) const;
  static void clone(State& state, const store::Clone& clone);
  static void clone_folder(State& state, const store::Clone& clone, FolderId from, FolderId to,
                           std::map<FileId, FileId>& files);
  static FileId clone_file(State& state, const store::FileRow& row, FolderId to,
                           const std::string& name, WallTime at);
  static void delete_file(State& state, FileId id);
  static void drop_chunks(State& state, const store::ChunkDrop& drop);
  // As the folder's row is loaded: with what it sets of its policy.
  store::FolderRow folder_row(const store::FolderRow& row) const;
  static SharedBytes newest(const State& state, FileId id, std::int64_t chunk, Version version);

  Executor& executor_;
  State state_;
  State durable_;
  std::deque<std::shared_ptr<const store::Group>> undurable_;
  std::deque<std::move_only_function<void(bool)>> loads_;
  std::unique_ptr<PendingCommit> commit_;
  std::map<Uuid, Object> objects_;
  mutable std::string broken_;  // what a group asked for and was not there
  FolderId root_;
  store::Delegate* delegate_ = nullptr;
  Delegation delegation_ = Delegation::held;
};

}  // namespace tusk::testing
