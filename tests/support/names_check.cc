#include "support/names_check.h"

#include <algorithm>
#include <bitset>
#include <cerrno>
#include <compare>
#include <cstring>
#include <map>
#include <set>
#include <tuple>
#include <unordered_set>

#include "support/names_model.h"

namespace tusk::test {
namespace {

constexpr std::size_t kSlots = 8192;  // of operations that are under way at one time
constexpr std::size_t kMostConfigs = 100'000;

// A state, and which of the operations that are under way have taken effect.
struct Config {
  NameState state;
  std::bitset<kSlots> done;
  std::bitset<kSlots>
      idle;  // had nothing to do at some time, and counts as done if it does nothing later
  bool operator==(const Config&) const = default;
};

struct ConfigHash {
  std::size_t operator()(const Config& config) const {
    const std::hash<std::bitset<kSlots>> hash;
    std::size_t h = hash(config.done) * 31 + hash(config.idle);
    for (const Thing thing : config.state) h = (h ^ thing) * 0x9e3779b97f4a7c15u;
    return h;
  }
};

using Configs = std::unordered_set<Config, ConfigHash>;

// Walks through the questions and answers in the order of time with all configurations that there
// may be; at an answer those stay in which the operation has taken effect.
class NamesCheck {
 public:
  NamesCheck(const NameSpace& names, const std::vector<NameStep>& steps, Moment lag)
      : names_(names), steps_(steps), lag_(lag) {
    for (std::size_t i = 0; i < steps.size(); i++) {
      const bool may_lag = (reads(steps[i]) || may_be_idle(steps[i])) && lag > 0;
      events_.push_back({steps[i].span.begun - (may_lag ? lag : 0), false, i});
      if (steps[i].span.ended != kNever) events_.push_back({steps[i].span.ended, true, i});
    }
    std::ranges::sort(events_);
    for (std::size_t slot = kSlots; slot-- > 0;) free_.push_back(slot);
    slots_.resize(steps.size());
    configs_.insert({NameState{}, {}, {}});
  }

  std::string run() {
    for (const auto& [at, is_answer, step] : events_) {
      now_ = at;
      if (free_.empty()) return "too much was under way: " + story(step);
      if (!is_answer) asked(step);
      const bool is_explained = !is_answer || answered(step);
      if (is_too_much_) return "too much may have been: " + story(step);
      if (!is_explained) return "no order explains " + story(step) + "\nin " + left_;
    }
    return "";
  }

 private:
  // Changes nothing, whatever else happens.
  static bool reads(const NameStep& step) {
    return step.kind == NameStep::Kind::look || (step.certain && step.outcome != 0);
  }

  // Of two names of one file rename(2) changes nothing.
  static bool may_be_idle(const NameStep& step) {
    return step.certain && step.outcome == 0 && step.kind == NameStep::Kind::rename;
  }

  void asked(std::size_t step) {
    slots_[step] = free_.back();
    free_.pop_back();
    open_.push_back(step);
    if (!reads(steps_[step]) && !may_be_idle(steps_[step])) return;
    Configs next;
    for (Config config : configs_) {
      see(config);
      next.insert(std::move(config));
    }
    configs_ = std::move(next);
  }

  bool answered(std::size_t step) {
    const std::size_t slot = slots_[step];
    Configs next;
    std::vector<Config> work(configs_.begin(), configs_.end());
    Configs seen = std::move(configs_);
    while (!work.empty() && !is_too_much_) {
      Config config = std::move(work.back());
      work.pop_back();
      if (config.done[slot] || config.idle[slot] || !steps_[step].certain) {
        Config kept = config;
        kept.done.reset(slot);
        kept.idle.reset(slot);
        next.insert(std::move(kept));
      }
      if (config.done[slot]) continue;
      for (Config& further : after(config))
        if (seen.insert(further).second) work.push_back(std::move(further));
      is_too_much_ = seen.size() > kMostConfigs;
    }
    std::erase(open_, step);
    pieces_.erase(step);
    free_.push_back(slot);
    configs_ = std::move(next);
    if (configs_.empty()) left_ = states_of(seen);
    return !configs_.empty();
  }

  // One further change among those under way has happened.
  std::vector<Config> after(const Config& config) {
    std::vector<Config> result;
    for (const std::size_t step : open_) {
      if (config.done[slots_[step]] || reads(steps_[step])) continue;
      Config next = config;
      const Effect effect = take(names_, steps_[step], made_by(step), next.state);
      if (!effect.changes || steps_[step].span.begun > now_) continue;
      next.done.set(slots_[step]);
      see(next);
      result.push_back(std::move(next));
    }
    return result;
  }

  // What only reads is done, and what may be idle is, as soon as it may be: that takes no other way
  // away.
  void see(Config& config) {
    for (const std::size_t step : open_) {
      const std::size_t slot = slots_[step];
      if (config.done[slot]) continue;
      const bool is_read = reads(steps_[step]);
      if (!is_read && !may_be_idle(steps_[step])) continue;
      if (changes_nothing(step, config.state) || is_seen_in_pieces(step, config.state))
        (is_read ? config.done : config.idle).set(slot);
    }
  }
  bool changes_nothing(std::size_t step, NameState state) const {
    const Effect effect = take(names_, steps_[step], made_by(step), state);
    return effect.outcome == steps_[step].outcome && !effect.changes;
  }

  // The kernel looks for the two names of a rename one after the other, and of each it may have
  // heard by then or not: where answers may lag, each name counts as it was at any time since then.
  struct Piece {
    Thing thing;
    bool has_place;
    auto operator<=>(const Piece&) const = default;
  };
  struct Pieces {
    std::set<Piece> old_name, new_name;
    bool explain = false;
  };
  bool is_seen_in_pieces(std::size_t step, const NameState& state) {
    const int from = steps_[step].name, to = steps_[step].other;
    if (lag_ == 0 || to < 0 || from == to) return false;
    Pieces& seen = pieces_[step];
    const Piece old_name = piece_of(state, from), new_name = piece_of(state, to);
    if (seen.old_name.insert(old_name).second)
      for (const Piece& each : seen.new_name) seen.explain |= explain(step, old_name, each);
    if (seen.new_name.insert(new_name).second)
      for (const Piece& each : seen.old_name) seen.explain |= explain(step, each, new_name);
    return seen.explain;
  }
  Piece piece_of(const NameState& state, int name) const {
    const auto at = static_cast<std::size_t>(name);
    const int inside = names_.names[at].inside;
    return {state[at], inside < 0 || state[static_cast<std::size_t>(inside)] == kFolder};
  }
  bool explain(std::size_t step, const Piece& old_name, const Piece& new_name) const {
    NameState state{};
    for (const auto& name : names_.names)
      if (name.inside >= 0) state[static_cast<std::size_t>(name.inside)] = kFolder;
    state[static_cast<std::size_t>(steps_[step].name)] = old_name.thing;
    state[static_cast<std::size_t>(steps_[step].other)] = new_name.thing;
    if (!old_name.has_place || !new_name.has_place) return steps_[step].outcome == ENOENT;
    return changes_nothing(step, state);
  }

  // What the names may mean now.
  std::string states_of(const Configs& configs) const {
    std::set<std::string> all;
    for (const Config& config : configs) {
      std::string text;
      for (std::size_t name = 0; name < names_.names.size(); name++)
        text += " " + names_.names[name].path + ":" + std::to_string(config.state[name]);
      all.insert(text);
    }
    std::string text = std::to_string(configs.size()) + " states:";
    for (const std::string& each : all) text += "\n " + each;
    return text;
  }

  static Thing made_by(std::size_t step) { return kFirstFile + static_cast<Thing>(step); }

  std::string story(std::size_t step) const {
    std::string text = to_string(names_, steps_[step]) + "\nafter";
    std::vector<std::size_t> order(steps_.size());
    for (std::size_t i = 0; i < order.size(); i++) order[i] = i;
    std::erase_if(order, [&](std::size_t i) {
      return steps_[i].span.begun > steps_[step].span.ended ||
             steps_[i].span.ended < steps_[step].span.begun - 500'000'000;
    });
    std::ranges::sort(order, {}, [&](std::size_t i) { return steps_[i].span.begun; });
    if (order.size() > 80) order.erase(order.begin(), order.end() - 80);
    for (const std::size_t i : order) text += "\n  " + to_string(names_, steps_[i]);
    return text;
  }

  const NameSpace& names_;
  const std::vector<NameStep>& steps_;
  const Moment lag_;
  std::vector<std::tuple<Moment, bool, std::size_t>> events_;  // a question before an answer
  std::vector<std::size_t> free_, slots_, open_;
  Configs configs_;
  std::map<std::size_t, Pieces> pieces_;
  bool is_too_much_ = false;
  std::string left_;
  Moment now_ = kLongAgo;
};

}  // namespace

std::string to_string(const NameSpace& names, const NameStep& step) {
  static constexpr const char* kKinds[] = {
      "create", "mkdir", "rmdir", "unlink", "link", "rename", "rename_noreplace", "look"};
  const auto path = [&](int name) { return names.names[static_cast<std::size_t>(name)].path; };
  std::string text = step.by + " " + kKinds[static_cast<int>(step.kind)] + " " + path(step.name);
  if (step.other >= 0) text += " " + path(step.other);
  text += step.certain ? " = " + std::string(step.outcome ? ::strerrorname_np(step.outcome) : "0")
                       : " cut short";
  const auto us = [](Moment at) {
    return at == kNever ? std::string("never") : std::to_string(at / 1000);
  };
  return text + " [" + us(step.span.begun) + " " + us(step.span.ended) + "]";
}

std::string names_fault(const NameSpace& names, const std::vector<NameStep>& steps, Moment lag) {
  return NamesCheck(names, steps, lag).run();
}

}  // namespace tusk::test
