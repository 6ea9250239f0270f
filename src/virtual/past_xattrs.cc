// Extended attributes of .tusk: those that things have now, and what the trash knows of its own.
#include <algorithm>

#include "tuskfs/base/times.h"
#include "virtual/past_tree.h"

namespace tusk::virt {
namespace {

using store::XattrRow;
using vfs::Outcome;
using vfs::Reply;
using Rows = std::vector<XattrRow>;

constexpr std::string_view kPath = "user.tusk.path";
constexpr std::string_view kDeletedAt = "user.tusk.deleted_at";
constexpr std::string_view kDeletedBy = "user.tusk.deleted_by";

Question<Rows> rows_of(store::PastStore& store, const Item& item) {
  return [&store, owner = item.owner](auto callback) {
    store.past_xattrs(owner, std::move(callback));
  };
}

}  // namespace

void PastTree::getxattr(const vfs::Call& call, Ino ino, std::string_view name,
                        Reply<ByteSpan> reply) {
  const Node* node = table_.find(ino);
  if (!node) return reply(vfs::error(ESTALE));
  const Item& item = node->item;
  if (item.deletion && name == kDeletedAt) return reply(bytes_of(time_text(item.deletion->at)));
  if (item.deletion && name == kDeletedBy)
    return reply(bytes_of(std::to_string(item.deletion->by)));
  if (item.deletion && name == kPath) {
    return asker_.ask<std::string>(
        [this, id = item.owner](auto callback) { store_.past_path(id, std::move(callback)); },
        [held = waiting_.hold(call, std::move(reply))](Outcome<std::string> path) mutable {
          if (!path) return held(std::unexpected(path.error()));
          held(bytes_of(*path));
        });
  }
  if (!item.has_xattrs) return reply(vfs::error(ENODATA));
  asker_.ask<Rows>(rows_of(store_, item),
                   [wanted = std::string(name),
                    held = waiting_.hold(call, std::move(reply))](Outcome<Rows> rows) mutable {
                     if (!rows) return held(std::unexpected(rows.error()));
                     const auto found = std::ranges::find(*rows, wanted, &XattrRow::name);
                     if (found == rows->end()) return held(vfs::error(ENODATA));
                     held(ByteSpan(found->value));
                   });
}

void PastTree::listxattr(const vfs::Call& call, Ino ino, Reply<std::string_view> reply) {
  const Node* node = table_.find(ino);
  if (!node) return reply(vfs::error(ESTALE));
  const Item& item = node->item;
  std::string names;
  if (item.deletion) {
    for (const std::string_view name : {kPath, kDeletedAt, kDeletedBy}) names.append(name) += '\0';
  }
  if (!item.has_xattrs) return reply(std::string_view(names));
  asker_.ask<Rows>(rows_of(store_, item), [names, held = waiting_.hold(call, std::move(reply))](
                                              Outcome<Rows> rows) mutable {
    if (!rows) return held(std::unexpected(rows.error()));
    for (const XattrRow& row : *rows) names.append(row.name) += '\0';
    held(std::string_view(names));
  });
}

}  // namespace tusk::virt
