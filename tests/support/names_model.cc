#include "support/names_model.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tusk::test {
namespace {

class Taker {
 public:
  Taker(const NameSpace& names, NameState& state) : names_(names), state_(state) {}

  Effect make(int name, Thing made) {
    if (!has_place(name)) return {ENOENT};
    if (at(name) != kNothing) return {EEXIST};
    at(name) = made;
    return {0, true};
  }
  Effect remove_folder(int name) {
    if (!has_place(name) || at(name) == kNothing) return {ENOENT};
    if (at(name) != kFolder) return {ENOTDIR};
    if (holds_something(name)) return {ENOTEMPTY};
    at(name) = kNothing;
    return {0, true};
  }
  Effect unlink(int name) {
    if (!has_place(name) || at(name) == kNothing) return {ENOENT};
    if (at(name) == kFolder) return {EISDIR};
    at(name) = kNothing;
    return {0, true};
  }
  // In the order in which Linux looks: the old name, whether the new one is free, their kinds.
  Effect rename(int from, int to, bool replace) {
    if (!has_place(from) || !has_place(to) || at(from) == kNothing) return {ENOENT};
    if (!replace && at(to) != kNothing) return {EEXIST};
    if (from == to || is_same_file(from, to)) return {0};
    if (at(to) != kNothing && at(from) == kFolder && at(to) != kFolder) return {ENOTDIR};
    if (at(to) == kFolder && at(from) != kFolder) return {EISDIR};
    at(to) = std::exchange(at(from), kNothing);
    return {0, true};
  }
  Effect look(int name) {
    if (!has_place(name) || at(name) == kNothing) return {ENOENT};
    return {at(name) == kFolder ? EISDIR : 0};
  }

 private:
  Thing& at(int name) { return state_[static_cast<std::size_t>(name)]; }
  bool has_place(int name) {
    const int inside = names_.names[static_cast<std::size_t>(name)].inside;
    return inside < 0 || at(inside) == kFolder;
  }
  bool holds_something(int folder) {
    for (std::size_t i = 0; i < names_.names.size(); i++)
      if (names_.names[i].inside == folder && state_[i] != kNothing) return true;
    return false;
  }
  bool is_same_file(int a, int b) { return at(a) == at(b) && at(a) >= kLinked; }

  const NameSpace& names_;
  NameState& state_;
};

}  // namespace

Effect take(const NameSpace& names, const NameStep& step, Thing made, NameState& state) {
  Taker taker(names, state);
  switch (step.kind) {
    case NameStep::Kind::create:
      return taker.make(step.name, made);
    case NameStep::Kind::make_folder:
      return taker.make(step.name, kFolder);
    case NameStep::Kind::link:
      return taker.make(step.name, kLinked);
    case NameStep::Kind::remove_folder:
      return taker.remove_folder(step.name);
    case NameStep::Kind::unlink:
      return taker.unlink(step.name);
    case NameStep::Kind::rename:
    case NameStep::Kind::rename_noreplace:
      return taker.rename(step.name, step.other, step.kind == NameStep::Kind::rename);
    case NameStep::Kind::look:
      return taker.look(step.name);
  }
  return {EINVAL};
}

}  // namespace tusk::test
