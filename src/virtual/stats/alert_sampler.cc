#include "virtual/stats/alert_sampler.h"

#include <cerrno>
#include <charconv>
#include <sstream>
#include <utility>

#include "tuskfs/base/log.h"

namespace tusk::virt {
namespace {

// Who has read wants to know for so long.
constexpr auto kInterest = std::chrono::seconds(60);
constexpr std::int64_t kLongestSilence = 366 * 86400;

// The server writes times in UTC, as 2026-11-24T02:28:00.123456+00:00.
Json time_of(const Json& object, const char* key) {
  const std::string text = object.value(key, "");
  return text.size() < 19 ? Json(nullptr) : Json(text.substr(0, 19) + "Z");
}

Json field(const Json& object, const char* key) {
  return object.contains(key) ? object[key] : Json(nullptr);
}

Json open_of(const Json& state) {
  Json open = Json::array();
  for (const auto& [name, alert] : state.items()) {
    if (!alert.contains("since")) continue;
    const bool acknowledged = alert.value("acknowledged", false);
    const char* const spoken = acknowledged ? "acknowledged" : "open";
    open.push_back({{"severity", field(alert, "severity")},
                    {"name", name},
                    {"since", time_of(alert, "since")},
                    {"value", field(alert, "value")},
                    {"threshold", field(alert, "threshold")},
                    {"message", field(alert, "message")},
                    {"state", alert.contains("silenced_until") ? "silenced" : spoken},
                    {"silenced_until", time_of(alert, "silenced_until")}});
  }
  return open;
}

Json events_of(Json events) {
  for (Json& event : events) event["at"] = time_of(event, "at");
  return events;
}

// What has to change for who watches to be woken.
std::string gist_of(const Json& open) {
  std::string gist;
  for (const Json& alert : open)
    gist += alert["severity"].dump() + alert["name"].dump() + alert["state"].dump() +
            alert["silenced_until"].dump();
  return gist;
}

std::optional<std::chrono::seconds> duration_in(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end + 1 != text.data() + text.size()) return std::nullopt;
  constexpr std::string_view kUnits = "smhd";
  constexpr std::int64_t kSeconds[] = {1, 60, 3600, 86400};
  const std::size_t unit = kUnits.find(*end);
  if (unit == std::string_view::npos || number <= 0 || number > kLongestSilence / kSeconds[unit])
    return std::nullopt;
  return std::chrono::seconds(number * kSeconds[unit]);
}

std::optional<store::AlertCommand> command_in(std::string_view text) {
  std::istringstream words{std::string(text)};
  store::AlertCommand command;
  std::string rest;
  if (!(words >> command.verb >> command.name)) return std::nullopt;
  if (command.verb == "silence") {
    words >> rest;
    const auto duration = duration_in(rest);
    if (!duration) return std::nullopt;
    command.duration = *duration;
  } else if (command.verb != "ack" && command.verb != "unsilence") {
    return std::nullopt;
  }
  // The server takes no NUL, and no name has anything but letters.
  const bool is_plain =
      command.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos;
  if (words >> rest) return std::nullopt;
  if (!is_plain) command.name.clear();
  return command;
}

}  // namespace

bool AlertSampler::is_recent() const {
  return known_ && executor_.now() - sampled_at_ < 2 * every_;
}

void AlertSampler::get(std::move_only_function<void(Shared)> done) {
  wanted_at_ = executor_.now();
  if (is_recent()) {
    done(known_);
  } else {
    waiters_.push_back(std::move(done));
  }
  run();
}

void AlertSampler::watch(std::move_only_function<void()> changed) {
  if (!changed) return watchers_.clear();
  watchers_.push_back(std::move(changed));
  run();
}

void AlertSampler::run() {
  if (running_) {
    if (!waiters_.empty()) sample();
    return;
  }
  running_ = true;
  sample();
}

void AlertSampler::sample() {
  if (std::exchange(sampling_, true)) return;
  // A little less, as timers of two mounts are never quite apart.
  collector_.check_alerts(every_ * 8 / 10,
                          [this](Result<store::Alerts> alerts) { on_sample(std::move(alerts)); });
}

void AlertSampler::on_sample(Result<store::Alerts> alerts) {
  sampling_ = false;
  sampled_at_ = executor_.now();
  if (alerts) {
    know(*alerts);
  } else {
    auto now = std::make_shared<AlertsNow>(known_ ? *known_ : AlertsNow{});
    if (!known_) now->measured_at = executor_.wall_now();
    now->problem = problem_of(alerts.error());
    known_ = std::move(now);
  }
  for (auto& waiter : std::exchange(waiters_, {})) waiter(known_);
  if (std::exchange(ticking_, true)) return;
  executor_.after(every_, [this] {
    ticking_ = false;
    const bool is_wanted = executor_.now() - wanted_at_ < kInterest || !watchers_.empty();
    if (is_wanted) return sample();
    running_ = false;
  });
}

void AlertSampler::know(const store::Alerts& alerts) {
  auto now = std::make_shared<AlertsNow>();
  now->open = open_of(Json::parse(alerts.state));
  now->events = events_of(Json::parse(alerts.events));
  now->measured_at = executor_.wall_now();
  const bool is_other = known_ && gist_of(known_->open) != gist_of(now->open);
  known_ = std::move(now);
  if (is_other)
    for (auto& changed : std::exchange(watchers_, {})) changed();
}

void AlertSampler::take(std::string_view text, vfs::Reply<void> done) {
  const auto command = command_in(text);
  if (!command) return done(vfs::error(EINVAL));
  if (command->name.empty()) return done(vfs::error(ENOENT));
  collector_.command_alert(*command, [this, name = command->name, done = std::move(done)](
                                         Result<store::Alerts> alerts) mutable {
    if (alerts) {
      know(*alerts);
      return done({});
    }
    const int code = alerts.error().code;
    if (code != ENOENT) log::error("the alert {} is as it was: {}", name, alerts.error().what);
    done(vfs::error(code == ENOTCONN ? EIO : code));
  });
}

}  // namespace tusk::virt
