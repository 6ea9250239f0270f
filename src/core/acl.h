// POSIX ACLs in the kernel's extended-attribute form (version 2): the part of their meaning that a
// FUSE filesystem keeps in step with modes; the kernel enforces them.
#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

#include "tuskfs/base/bytes.h"

namespace tusk::core {

inline constexpr char kAclAccess[] = "system.posix_acl_access";
inline constexpr char kAclDefault[] = "system.posix_acl_default";

struct AclEntry {
  std::uint16_t tag = 0;
  std::uint16_t perm = 0;
  std::uint32_t id = 0;
};

class Acl {
 public:
  static std::optional<Acl> parse(ByteSpan xattr);  // empty: malformed
  Buffer format() const;

  // True if it says no more than the nine mode bits do.
  bool is_mode_only() const;
  // The permission bits of `mode` as this ACL has them.
  mode_t apply_to(mode_t mode) const;
  // chmod: the owner, mask (or group) and other entries follow the mode.
  void set_mode(mode_t mode);
  // Creation under this default ACL: keeps in the entries and in the mode only what both allow.
  mode_t restrict_by(mode_t mode);

 private:
  AclEntry* find(std::uint16_t tag);
  const AclEntry* find(std::uint16_t tag) const;
  std::vector<AclEntry> entries_;
};

}  // namespace tusk::core
