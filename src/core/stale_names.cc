#include "core/stale_names.h"

#include <chrono>

namespace tusk::core {
namespace {

// Requests that were on their way when the kernel was told have come by then, and whoever was told
// to look a name up has done so.
constexpr auto kAMoment = std::chrono::seconds(1);
constexpr std::size_t kFew = 100;

}  // namespace

bool StaleNames::is_recent(MonotonicTime time) const { return executor_.now() - time < kAMoment; }

void StaleNames::lost(Ino ino, std::uint64_t round) { lost_[ino] = {.round = round}; }

void StaleNames::told_kernel(std::uint64_t round) {
  std::erase_if(lost_, [this](const auto& each) {
    return each.second.told && !is_recent(*each.second.told);
  });
  for (auto& [ino, lost] : lost_)
    if (lost.round <= round && !lost.told) lost.told = executor_.now();
}

bool StaleNames::is_doubtful(Ino ino) const {
  const auto it = lost_.find(ino);
  return it != lost_.end() && (!it->second.told || is_recent(*it->second.told));
}

void StaleNames::told(const vfs::Call& call, Ino ino) {
  if (told_.size() > kFew)
    std::erase_if(told_, [this](const auto& each) { return !is_recent(each.second.at); });
  told_[call.pid] = {.at = executor_.now(), .asked = ino};
}

void StaleNames::found(const vfs::Call& call, Ino ino) {
  const auto it = told_.find(call.pid);
  if (it != told_.end()) it->second.found = ino;
}

StaleNames::Retry StaleNames::retry_of(const vfs::Call& call, Ino ino) {
  const auto it = told_.find(call.pid);
  if (it == told_.end()) return Retry::no;
  const Told told = it->second;
  told_.erase(it);
  if (!is_recent(told.at) || told.found.value_or(told.asked) != ino) return Retry::no;
  return told.found ? Retry::looked_up : Retry::by_no_name;
}

}  // namespace tusk::core
