#include "virtual/keyed/texts.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <sstream>

namespace tusk::virt {
namespace {

constexpr std::string_view kBlank = " \t\r\n";
constexpr std::int64_t kLongest = 100LL * 366 * 86400;

template <class T>
std::optional<T> all_of(std::string_view text) {
  T value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  const std::size_t from = text.find_first_not_of(kBlank);
  if (from == text.npos) return {};
  return text.substr(from, text.find_last_not_of(kBlank) - from + 1);
}

std::optional<std::int64_t> integer_in(std::string_view text) { return all_of<std::int64_t>(text); }

std::optional<double> number_in(std::string_view text) {
  const bool is_plain = text.find_first_not_of("0123456789.-") == text.npos;
  return is_plain ? all_of<double>(text) : std::nullopt;
}

vfs::Outcome<std::vector<std::string>> pairs_in(std::string_view text,
                                                std::span<const std::string_view> names) {
  std::vector<std::string> values(names.size());
  std::istringstream words{std::string(text)};
  std::string name, value;
  bool has_any = false;
  while (words >> name) {
    const auto known = std::ranges::find(names, name);
    if (known == names.end() || !(words >> value)) return vfs::error(EINVAL);
    values[static_cast<std::size_t>(known - names.begin())] = value;
    has_any = true;
  }
  if (!has_any) return vfs::error(EINVAL);
  return values;
}

vfs::Outcome<std::int64_t> ttl_in(std::string_view text) {
  const auto seconds = integer_in(trimmed(text));
  if (!seconds || *seconds < -1) return vfs::error(EINVAL);
  if (*seconds > kLongest) return vfs::error(ERANGE);
  return *seconds;
}

}  // namespace tusk::virt
