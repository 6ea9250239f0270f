// Distinct types for distinct identities.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tusk {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  auto operator<=>(const Uuid&) const = default;

  // The random low 62 bits: unique within a tree for ids of version 7, and good enough a start for
  // any other (two ids that collide are told apart in memory).
  std::uint64_t low62() const {
    std::uint64_t v = 0;
    for (int i = 8; i < 16; i++) v = v << 8 | bytes[static_cast<std::size_t>(i)];
    return v & ((std::uint64_t{1} << 62) - 1);
  }

  std::string text() const;
  static std::optional<Uuid> parse(std::string_view text);

  // Time-ordered (version 7) id: `unix_ms` in the first 48 bits, the rest from `random_high` and
  // `random_low`. The caller owns the source of randomness, so a simulation can replay it.
  static Uuid v7(std::uint64_t unix_ms, std::uint64_t random_high, std::uint64_t random_low);
};

template <class Tag>
struct Id {
  Uuid uuid;
  auto operator<=>(const Id&) const = default;
};

using FileId = Id<struct FileTag>;
using FolderId = Id<struct FolderTag>;
using TenantId = Id<struct TenantTag>;

// Inode number as the kernel sees it; the root of a mount is always kRootIno.
enum class Ino : std::uint64_t {};
inline constexpr Ino kRootIno{1};

// An open file or folder handle, chosen by the implementer of the Vfs.
enum class Handle : std::uint64_t {};

// Number of a transaction group; consecutive within a mount.
enum class GroupNo : std::int64_t {};

// A file's published contents are numbered from 1; 0 has never been published.
using Version = std::int64_t;

}  // namespace tusk

template <>
struct std::hash<tusk::Uuid> {
  std::size_t operator()(const tusk::Uuid& id) const noexcept {
    std::uint64_t low;
    std::memcpy(&low, id.bytes.data() + 8, 8);
    return static_cast<std::size_t>(low * 0x9e3779b97f4a7c15u);
  }
};
template <class Tag>
struct std::hash<tusk::Id<Tag>> {
  std::size_t operator()(const tusk::Id<Tag>& id) const noexcept {
    return std::hash<tusk::Uuid>{}(id.uuid);
  }
};
