// When a key comes to its end, as extended attributes: user.tusk.ttl in seconds (-1: never),
// user.tusk.expires_at as a time.
#include <fmt/format.h>
#include <sys/xattr.h>

#include <charconv>

#include "tuskfs/base/times.h"
#include "virtual/cache/cache_tree.h"

namespace tusk::virt {
namespace {

using vfs::Outcome;
using vfs::Reply;

constexpr std::string_view kTtl = "user.tusk.ttl", kExpiresAt = "user.tusk.expires_at";
constexpr std::int64_t kSecond = 1'000'000'000;

std::optional<std::int64_t> seconds_in(std::string_view text) {
  std::int64_t seconds = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return seconds;
}

}  // namespace

void CacheTree::expire(const vfs::Call& call, const Value& value, std::optional<WallTime> at,
                       Reply<void> reply) {
  const std::string key = value.entry.key;
  begin_question(key);
  store().expire(
      key, at,
      [this, key, at, held = waiting_.hold(call, std::move(reply))](Result<bool> done) mutable {
        const bool newest = end_question(key);
        if (!done) return held(vfs::error(errno_of(done.error())));
        outdate(key);
        Value* known = values_.current(key);
        if (known && newest) known->entry.expires_at = at;
        drop_name(key);  // it may end sooner than the kernel believes
        if (known && at && *at <= executor_.wall_now()) values_.forget_key(key);
        held({});
      });
}

void CacheTree::setxattr(const vfs::Call& call, Ino ino, std::string_view name, ByteSpan bytes,
                         int flags, Reply<void> reply) {
  const Value* value = values_.find(ino);
  if (!value || (name != kTtl && name != kExpiresAt)) return reply(vfs::error(ENOTSUP));
  if (flags & XATTR_CREATE) return reply(vfs::error(EEXIST));
  const std::string text(bytes.begin(), bytes.end());
  if (name == kExpiresAt) {
    const auto at = parse_time(text);
    if (!at) return reply(vfs::error(EINVAL));
    return expire(call, *value, *at, std::move(reply));
  }
  const auto seconds = seconds_in(text);
  constexpr std::int64_t kMost = 100LL * 366 * 86400;
  if (!seconds || *seconds < -1 || *seconds > kMost) return reply(vfs::error(EINVAL));
  if (*seconds == -1) return expire(call, *value, std::nullopt, std::move(reply));
  expire(call, *value, WallTime{executor_.wall_now().ns + *seconds * kSecond}, std::move(reply));
}

void CacheTree::getxattr(const vfs::Call& call, Ino ino, std::string_view name,
                         Reply<ByteSpan> reply) {
  const Value* value = values_.find(ino);
  if (!value || (name != kTtl && name != kExpiresAt)) return reply(vfs::error(ENODATA));
  // Of a value on its way only the database knows it.
  if (const std::string key = value->entry.key;
      coming_.contains(key) || sending_keys_.contains(key)) {
    return wait_for(
        call, key,
        [this, call, ino, name = std::string(name), reply = std::move(reply)](
            vfs::Outcome<void>) mutable { getxattr(call, ino, name, std::move(reply)); });
  }
  const auto& end = shown_as(*value).entry.expires_at;
  if (name == kExpiresAt) {
    if (!end) return reply(vfs::error(ENODATA));
    return reply(bytes_of(time_text(*end)));
  }
  const std::int64_t left = end ? (end->ns - executor_.wall_now().ns + kSecond / 2) / kSecond : -1;
  reply(bytes_of(std::to_string(end ? std::max<std::int64_t>(left, 0) : -1)));
}

void CacheTree::listxattr(const vfs::Call&, Ino ino, Reply<std::string_view> reply) {
  const Value* value = values_.find(ino);
  std::string names;
  if (value) names = std::string(kTtl) + '\0';
  if (value && shown_as(*value).entry.expires_at) names += std::string(kExpiresAt) + '\0';
  reply(std::string_view(names));
}

void CacheTree::removexattr(const vfs::Call& call, Ino ino, std::string_view name,
                            Reply<void> reply) {
  const Value* value = values_.find(ino);
  if (!value || (name != kTtl && name != kExpiresAt)) return reply(vfs::error(ENODATA));
  expire(call, *value, std::nullopt, std::move(reply));
}

}  // namespace tusk::virt
