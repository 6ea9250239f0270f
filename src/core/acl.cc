#include "core/acl.h"

#include <cstring>

namespace tusk::core {
namespace {

// From the kernel's include/uapi/linux/posix_acl{,_xattr}.h; all little-endian.
constexpr std::uint32_t kVersion = 2;
constexpr std::size_t kHeaderBytes = 4, kEntryBytes = 8;
constexpr std::uint16_t kUserObj = 0x01, kUser = 0x02, kGroupObj = 0x04, kGroup = 0x08,
                        kMask = 0x10, kOther = 0x20;

template <class T>
T get(const std::uint8_t* at) {
  T value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) value = static_cast<T>(value << 8 | at[i]);
  return value;
}

template <class T>
void put(Buffer& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); i++)
    out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

constexpr bool known(std::uint16_t tag) {
  return tag == kUserObj || tag == kUser || tag == kGroupObj || tag == kGroup || tag == kMask ||
         tag == kOther;
}

}  // namespace

std::optional<Acl> Acl::parse(ByteSpan xattr) {
  if (xattr.size() < kHeaderBytes || (xattr.size() - kHeaderBytes) % kEntryBytes != 0) return {};
  if (get<std::uint32_t>(xattr.data()) != kVersion) return {};
  Acl acl;
  for (std::size_t at = kHeaderBytes; at < xattr.size(); at += kEntryBytes) {
    const std::uint8_t* entry = xattr.data() + at;
    acl.entries_.push_back(
        {get<std::uint16_t>(entry), get<std::uint16_t>(entry + 2), get<std::uint32_t>(entry + 4)});
    if (!known(acl.entries_.back().tag) || acl.entries_.back().perm > 7) return {};
  }
  if (!acl.find(kUserObj) || !acl.find(kGroupObj) || !acl.find(kOther)) return {};
  return acl;
}

Buffer Acl::format() const {
  Buffer out;
  put<std::uint32_t>(out, kVersion);
  for (const AclEntry& entry : entries_) {
    put(out, entry.tag);
    put(out, entry.perm);
    put(out, entry.id);
  }
  return out;
}

AclEntry* Acl::find(std::uint16_t tag) {
  for (AclEntry& entry : entries_) {
    if (entry.tag == tag) return &entry;
  }
  return nullptr;
}

const AclEntry* Acl::find(std::uint16_t tag) const { return const_cast<Acl*>(this)->find(tag); }

bool Acl::is_mode_only() const { return entries_.size() == 3; }

mode_t Acl::apply_to(mode_t mode) const {
  const AclEntry* group = find(kMask) ? find(kMask) : find(kGroupObj);
  const mode_t bits = static_cast<mode_t>(find(kUserObj)->perm) << 6 |
                      static_cast<mode_t>(group->perm) << 3 | find(kOther)->perm;
  return (mode & ~mode_t{0777}) | bits;
}

void Acl::set_mode(mode_t mode) {
  find(kUserObj)->perm = static_cast<std::uint16_t>(mode >> 6 & 7);
  AclEntry* group = find(kMask) ? find(kMask) : find(kGroupObj);
  group->perm = static_cast<std::uint16_t>(mode >> 3 & 7);
  find(kOther)->perm = static_cast<std::uint16_t>(mode & 7);
}

mode_t Acl::restrict_by(mode_t mode) {
  AclEntry* group = find(kMask) ? find(kMask) : find(kGroupObj);
  find(kUserObj)->perm &= static_cast<std::uint16_t>(mode >> 6 & 7);
  group->perm &= static_cast<std::uint16_t>(mode >> 3 & 7);
  find(kOther)->perm &= static_cast<std::uint16_t>(mode & 7);
  return apply_to(mode);
}

}  // namespace tusk::core
