// ratelimit/BUCKET/config, and a file for each key: read it to look, write how many to take.
#include <array>
#include <cerrno>

#include "virtual/keyed/places.h"
#include "virtual/keyed/texts.h"

namespace tusk::virt {
namespace {

using store::KeyedQuestion;
using vfs::Outcome;

// Of a period in seconds it is checked here that it is one; the table checks the rest.
Outcome<KeyedQuestion> config_in(std::string_view text) {
  static constexpr std::array<std::string_view, 4> kNames = {"burst", "count", "period",
                                                             "algorithm"};
  auto values = pairs_in(text, kNames);
  if (!values) return std::unexpected(values.error());
  const auto& [burst, count, period] = std::tie((*values)[0], (*values)[1], (*values)[2]);
  if (!burst.empty() && integer_in(burst).value_or(-1) < 0) return vfs::error(EINVAL);
  if (!count.empty() && integer_in(count).value_or(0) < 1) return vfs::error(EINVAL);
  if (!period.empty() && number_in(period).value_or(0) <= 0) return vfs::error(EINVAL);
  return KeyedQuestion{"keyed_bucket_config_write", std::move(*values)};
}

Outcome<KeyedQuestion> quantity_in(std::string_view text) {
  const auto quantity = integer_in(trimmed(text));
  if (!quantity || *quantity < 1) return vfs::error(EINVAL);
  return KeyedQuestion{"keyed_rate_write", {std::to_string(*quantity)}};
}

}  // namespace

Place rate_limits() {
  Place config{.name = "config", .mode = S_IFREG | 0644, .read = "keyed_bucket_config_read"};
  config.write = config_in;
  Place key{.mode = S_IFREG | 0666, .remove = "keyed_rate_remove", .read = "keyed_rate_read"};
  key.is_believed = config.is_believed = true;
  key.write = quantity_in;
  key.writing = Writing::alone;
  Place bucket{.find = "keyed_bucket_find",
               .make = "keyed_bucket_make",
               .remove = "keyed_bucket_remove",
               .is_believed = true,
               .list = "keyed_rate_list"};
  bucket.places.push_back(std::move(config));
  bucket.places.push_back(std::move(key));
  Place folder{.name = "ratelimit", .list = "keyed_bucket_list"};
  folder.places.push_back(std::move(bucket));
  return folder;
}

}  // namespace tusk::virt
