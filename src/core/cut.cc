#include "core/cut.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "core/core.h"
#include "core/publish.h"
#include "core/tier.h"

namespace tusk::core {
namespace {

void uncount(Core& core, Node& node) {
  if (!std::exchange(node.counted, false)) return;
  (node.is_folder ? core.usage.folders : core.usage.files)--;
  core.usage.bytes -= static_cast<std::int64_t>(std::exchange(node.stored_size, 0));
}

class GroupBuilder {
 public:
  GroupBuilder(Core& core, GroupNo number, bool durable) : core_(core) {
    cut_.group = std::make_shared<store::Group>();
    cut_.group->number = number;
    cut_.group->durable = durable;
  }

  void add(Node& node) {
    const std::uint8_t bits = std::exchange(node.dirty, 0);
    if (node.damaged && !node.gone) return forget_dirty(node);
    if (node.is_folder) {
      node.gone ? add_gone_folder(node) : add_folder(node);
    } else {
      node.gone ? add_gone_file(node, bits) : add_file(node, bits);
    }
    const bool has_row = !node.gone || (node.deletion && node.stored);
    if (bits & kDirtyXattrs && has_row) add_xattrs(node);
  }

  Cut finish() {
    vacate();
    cut_.group->usage = core_.usage;
    cut_.group->clones = std::exchange(core_.clones, {});
    cut_.group->restores = std::exchange(core_.restores, {});
    cut_.group->durable |= cut_.group->counts_itself();
    if (std::exchange(core_.policy_changed, false)) {
      const OwnPolicy* own = core_.root->own_policy.get();
      cut_.group->policy = own ? own->settings : store::PolicySettings{};
    }
    return std::move(cut_);
  }

 private:
  using Place = std::tuple<Uuid, std::string>;

  store::Group& group() { return *cut_.group; }

  static WallTime renamed_at(const Node& node) {
    return node.stored_name ? node.stored_name->renamed_at : WallTime{};
  }

  void add_folder(Node& node) {
    group().folders.push_back(
        {node.folder_id(), node.first.folder, node.first.name, node.meta, renamed_at(node)});
    settle_name(node);
    node.stored = true;
    if (!std::exchange(node.counted, true)) core_.usage.folders++;
  }

  void add_gone_folder(Node& node) {
    if (node.stored && node.deletion) {
      group().folders_trashed.push_back({node.id, *node.deletion});
    } else if (node.stored) {
      group().folders_deleted.push_back(node.folder_id());
    }
    uncount(core_, node);
    node.stored = false;
  }

  void add_file(Node& node, std::uint8_t bits) {
    group().files.push_back(file_change(node, bits));
    settle_name(node);
    node.stored = true;
    const std::uint64_t size = group().files.back().row.size;
    core_.usage.bytes +=
        static_cast<std::int64_t>(size) - static_cast<std::int64_t>(node.stored_size);
    node.stored_size = size;
    if (!std::exchange(node.counted, true)) core_.usage.files++;
    if (bits & kDirtyLinks) add_links(node);
    add_content(node, bits);
  }

  // The row as published: later changes of the content are not its business yet.
  store::FileChange file_change(Node& node, std::uint8_t bits) {
    const FileState& file = node.file;
    store::FileChange change;
    change.row = {node.file_id(), node.first.folder, node.first.name, node.meta,
                  file.size,      file.version,      file.form,       {},
                  file.object,    file.checksum,     file.content_at, renamed_at(node)};
    const Content* content = file.content.get();
    if (content && content->published) {
      change.row.size = content->published->size;
      change.row.form = content->published->form;
      change.row.holes = content->published->holes;
      change.row.meta.mtime = content->published->mtime;
    } else if (content && file.form == store::Form::chunked) {
      change.row.holes = content->holes.ranges();
    }
    const bool published = bits & kDirtyContent && content && content->delta;
    change.is_new = !node.stored;
    change.has_content = change.is_new || published;
    change.only_read = bits == kDirtyLazy;
    if (published) change.previous_until = content->delta->previous_until;
    if (published) change.base = content->delta->base.value_or(0);
    if (published && content->delta->whole) change.data = content->delta->whole->data;
    if (published && change.row.form == store::Form::chunked) {
      if (const auto it = content->delta->puts.find(0); it != content->delta->puts.end()) {
        change.head = it->second.data;
      }
    }
    return change;
  }

  void add_content(Node& node, std::uint8_t bits) {
    if (!node.file.content) return;
    const GroupNo number = group().number;
    if (bits & kDirtyContent && node.file.content->delta) cut_delta(core_, node, number, cut_);
    if (bits & kDirtyStage) cut_staged(core_, node, number, cut_);
  }

  // No name left. While it is open its content must stay readable: an orphan, gone at the latest
  // with the next mount.
  void add_gone_file(Node& node, std::uint8_t bits) {
    uncount(core_, node);
    if (node.deletion && node.stored) return add_trashed_file(node, bits);
    const Content* content = node.file.content.get();
    const bool has_chunks = content && (content->stored_end > 0 || content->staged);
    // What another mount may have open stays a moment longer, until it has said so.
    const bool is_others = node.opens == 0 && node.stored && core_.store.has_others();
    if (node.opens == 0 && !is_others) {
      if (node.stored || has_chunks) group().files_deleted.push_back(node.file_id());
      node.stored = false;
      if (content) give_up_objects(node);
      forget_dirty(node);
      return;
    }
    if (node.stored) {
      store::FileChange change = file_change(node, bits);
      change.orphan = true;
      change.is_open = node.opens > 0;
      change.row.folder = core_.root->folder_id();
      change.row.name = node.id.text();
      group().files.push_back(std::move(change));
      group().files_vacated.push_back(node.file_id());
      add_content(node, bits);
    } else if (node.file.form == store::Form::chunked) {
      add_content(node, bits);
      if (content) group().stagings.push_back({node.file_id(), node.file.version, true});
    }
    if (node.links) drop_links(node);
  }

  // The row stays, with its name and, once nobody has it open, the content it had last.
  void add_trashed_file(Node& node, std::uint8_t bits) {
    if (node.links && bits & kDirtyLinks) add_links(node);
    // Leaves the name to others of the group, whatever else is written.
    group().files_trashed.push_back({node.id, *node.deletion});
    if ((bits & ~(kDirtyGone | kDirtyLazy)) == 0 && !node.stored_name) return;
    store::FileChange change = file_change(node, bits);
    change.row.meta.nlink = 1;
    change.trashed = *node.deletion;
    group().files.push_back(std::move(change));
    if (node.stored_name) group().file_names_ended.push_back({node.id, renamed_at(node)});
    node.stored_name.reset();
    add_content(node, bits);
  }

  void give_up_objects(Node& node) {
    abandon_coming(node);
    const Delta* delta = node.file.content->delta.get();
    if (!delta) return;
    for (const Uuid& object : delta->abandoned) group().objects_abandoned.push_back(object);
  }

  void forget_dirty(Node& node) {
    if (node.links) drop_links(node);
    if (node.file.content) node.file.content->delta.reset();
  }

  void drop_links(Node& node) {
    for (const Name& old : std::exchange(node.links->stored, {})) {
      group().links_removed.push_back({node.file_id(), old.folder, old.name, node.meta.ctime});
    }
  }

  void add_links(Node& node) {
    Links& links = *node.links;
    for (const Name& old : links.stored) {
      if (std::ranges::find(links.names, old) == links.names.end()) {
        group().links_removed.push_back({node.file_id(), old.folder, old.name, node.meta.ctime});
      }
    }
    for (const Name& name : links.names) {
      if (std::ranges::find(links.stored, name) == links.stored.end()) {
        group().links_added.push_back({node.file_id(), name.folder, name.name, node.meta.ctime});
      }
    }
    links.stored = links.names;
  }

  void add_xattrs(Node& node) {
    for (const auto& [name, set] : std::exchange(node.xattrs->changed, {})) {
      if (set) {
        group().xattrs_set.push_back({node.id, name, node.xattrs->values.find(name)->second});
      } else {
        group().xattrs_removed.push_back({node.id, name, {}});
      }
    }
  }

  void settle_name(Node& node) {
    if (!node.stored_name) return;
    if (node.stored) {
      renamed_.push_back({&node, node.stored_name->name});
      auto& ended = node.is_folder ? group().folder_names_ended : group().file_names_ended;
      ended.push_back({node.id, node.stored_name->renamed_at});
    }
    node.stored_name.reset();
  }

  // A row that moved away from a name that another row takes in this same group must leave it
  // first.
  void vacate() {
    if (renamed_.empty()) return;
    std::set<Place> taken;
    for (const auto& row : group().folders) taken.emplace(row.parent.uuid, row.name);
    for (const auto& change : group().files) {
      if (!change.trashed) taken.emplace(change.row.folder.uuid, change.row.name);
    }
    for (const auto& [node, old] : renamed_) {
      if (!taken.contains({old.folder.uuid, old.name})) continue;
      if (node->is_folder) {
        group().folders_vacated.push_back(node->folder_id());
      } else {
        group().files_vacated.push_back(node->file_id());
      }
    }
  }

  Core& core_;
  Cut cut_;
  std::vector<std::pair<Node*, Name>> renamed_;
};

}  // namespace

void give_up(Core& core, Node& node, const Counted& before) {
  node.damaged = true;
  uncount(core, node);
  if (before.counted) {
    node.counted = true;
    node.stored_size = before.bytes;
    (node.is_folder ? core.usage.folders : core.usage.files)++;
    core.usage.bytes += static_cast<std::int64_t>(before.bytes);
  }
  core.txg.mark(*core.root, kDirtyRow);  // a group that has the right counters
  // What the kernel keeps of it would go on to look well.
  const Node* parent = core.table.find(node.first.folder.uuid);
  if (core.kernel_cache && parent) core.kernel_cache->drop_entry(parent->ino, node.first.name);
}

Cut cut_group(Core& core, const std::vector<Node*>& nodes, GroupNo number, bool durable) {
  const store::Usage usage_before = core.usage;
  GroupBuilder builder(core, number, durable);
  std::vector<Counted> before;
  before.reserve(nodes.size());
  for (Node* node : nodes) {
    before.push_back(Counted::of(*node));
    builder.add(*node);
  }
  Cut cut = builder.finish();
  // What the counters have now memory no longer has more.
  core.claims.unsaved.files -= core.usage.files - usage_before.files;
  core.claims.unsaved.folders -= core.usage.folders - usage_before.folders;
  core.claims.unsaved.bytes -= core.usage.bytes - usage_before.bytes;
  cut.before = std::move(before);
  return cut;
}

}  // namespace tusk::core
