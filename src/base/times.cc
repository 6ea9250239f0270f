#include "tuskfs/base/times.h"

#include <fmt/format.h>
#include <time.h>

#include <cerrno>
#include <regex>

namespace tusk {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
// The whole years that 64 bits of nanoseconds hold.
constexpr int kFirstYear = 1678, kLastYear = 2261;

int number(const std::ssub_match& part) { return part.matched ? std::stoi(part.str()) : 0; }

std::int64_t nanoseconds(const std::ssub_match& fraction) {
  if (!fraction.matched) return 0;
  std::string digits = fraction.str().substr(0, 9);
  digits.resize(9, '0');
  return std::stoll(digits);
}

bool is_calendar(const std::tm& wanted, const std::tm& normal) {
  return wanted.tm_mday == normal.tm_mday && wanted.tm_mon == normal.tm_mon &&
         wanted.tm_hour == normal.tm_hour && wanted.tm_min == normal.tm_min &&
         wanted.tm_sec == normal.tm_sec;
}

}  // namespace

Result<WallTime> parse_time(const std::string& text) {
  static const std::regex kForm(
      R"((\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?)"
      R"((?:(Z)|([+-])(\d\d):?(\d\d))?)");
  std::smatch m;
  const auto no_time = [&] {
    return fail(EINVAL, "'" + text + "' is no time",
                "write it as 2026-11-23T10:00:00Z, 2026-11-23T10:00+02:00 or, in local time, "
                "2026-11-23 10:00");
  };
  if (!std::regex_match(text, m, kForm)) return no_time();
  std::tm parts{};
  if (number(m[1]) < kFirstYear || number(m[1]) > kLastYear) return no_time();
  parts.tm_year = number(m[1]) - 1900;
  parts.tm_mon = number(m[2]) - 1;
  parts.tm_mday = number(m[3]);
  parts.tm_hour = number(m[4]);
  parts.tm_min = number(m[5]);
  parts.tm_sec = number(m[6]);
  parts.tm_isdst = -1;
  const bool is_local = !m[8].matched && !m[9].matched;
  std::tm normal = parts;
  std::int64_t seconds = is_local ? ::mktime(&normal) : ::timegm(&normal);
  if (!is_calendar(parts, normal)) return no_time();
  const int offset = (number(m[10]) * 60 + number(m[11])) * 60;
  seconds -= m[9].str() == "-" ? -offset : offset;
  return WallTime{seconds * kSecond + nanoseconds(m[7])};
}

std::string time_text(WallTime time) {
  const std::time_t seconds = time.ns / kSecond;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     time.ns % kSecond / 1'000'000);
}

}  // namespace tusk
