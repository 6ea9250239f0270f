#include "group_owners.h"

#include <set>

namespace tusk::store {

std::vector<Uuid> owners_of(const Group& group) {
  std::vector<Uuid> owners;
  std::set<Uuid> seen;
  Group unused;
  for_each_list(group, unused, [&](const auto& rows, auto&) {
    for (const auto& row : rows) {
      if (seen.insert(owner_of(row)).second) owners.push_back(owner_of(row));
    }
  });
  return owners;
}

bool drop_owner(Group& group, Uuid owner) {
  const Group unused;
  std::size_t dropped = 0;
  for_each_list(unused, group, [&](const auto&, auto& rows) {
    dropped += std::erase_if(rows, [&](const auto& row) { return owner_of(row) == owner; });
  });
  std::erase_if(group.clones, [&](const Clone& clone) { return clone.target == owner; });
  std::erase_if(group.chunk_shares,
                [&](const ChunkShare& share) { return share.target.uuid == owner; });
  // Its row does not come, so it keeps its name.
  std::erase(group.files_vacated, FileId{owner});
  std::erase(group.folders_vacated, FolderId{owner});
  return dropped > 0;
}

void give_to(Group& group, Uuid owner, Uuid other) {
  const Group unused;
  for_each_list(unused, group, [&](const auto&, auto& rows) {
    for (auto& row : rows) {
      if (owner_of(row) == owner) owner_of(row) = other;
    }
  });
  for (ChunkShare& share : group.chunk_shares) {
    if (share.target.uuid == owner) share.target.uuid = other;
  }
  const auto is_other = [&](const auto& row) { return owner_of(row) == other; };
  std::erase_if(group.links_added, is_other);
  std::erase_if(group.links_removed, is_other);
  std::erase(group.files_vacated, FileId{owner});
}

}  // namespace tusk::store
