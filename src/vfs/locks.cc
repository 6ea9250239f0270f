#include "tuskfs/vfs/locks.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

namespace tusk::vfs {
namespace {

bool overlap(const Lock& a, const Lock& b) { return a.first <= b.last && b.first <= a.last; }

bool is_in_the_way(const Lock& held, const Lock& wanted) {
  return held.owner.is_range == wanted.owner.is_range && held.owner != wanted.owner &&
         overlap(held, wanted) &&
         (held.type == LockType::exclusive || wanted.type == LockType::exclusive);
}

const Lock* blocker_of(const std::vector<Lock>& held, const Lock& wanted) {
  if (wanted.type == LockType::none) return nullptr;
  const auto it =
      std::ranges::find_if(held, [&](const Lock& lock) { return is_in_the_way(lock, wanted); });
  return it == held.end() ? nullptr : &*it;
}

bool goes_on(const Lock& one, const Lock& next) {
  return one.owner == next.owner && one.type == next.type && one.via == next.via &&
         one.last + 1 == next.first;
}

// What is held once `change` is made: where it lies it replaces what its owner had, and neighbours
// of one type become one.
std::vector<Lock> with(const std::vector<Lock>& held, const Lock& change) {
  std::vector<Lock> all;
  for (const Lock& lock : held) {
    if (lock.owner != change.owner || !overlap(lock, change)) {
      all.push_back(lock);
      continue;
    }
    if (lock.first < change.first) (all.emplace_back(lock)).last = change.first - 1;
    if (lock.last > change.last) (all.emplace_back(lock)).first = change.last + 1;
  }
  if (change.type != LockType::none) all.push_back(change);
  std::ranges::sort(all, {}, [](const Lock& lock) { return std::pair(lock.owner, lock.first); });
  std::vector<Lock> joined;
  for (const Lock& lock : all) {
    if (!joined.empty() && goes_on(joined.back(), lock)) {
      joined.back().last = lock.last;
    } else {
      joined.push_back(lock);
    }
  }
  return joined;
}

std::vector<Lock> of_owner(const std::vector<Lock>& held, const LockOwner& owner) {
  std::vector<Lock> own;
  std::ranges::copy_if(held, std::back_inserter(own),
                       [&](const Lock& lock) { return lock.owner == owner; });
  return own;
}

Lock freed(const Lock& lock) {
  Lock none = lock;
  none.type = LockType::none;
  return none;
}

}  // namespace

void Locks::find(Ino ino, const Lock& wanted, Reply<Lock> reply) {
  if (const auto it = files_.find(ino); it != files_.end())
    if (const Lock* const lock = blocker_of(it->second.held, wanted)) return reply(*lock);
  if (!arbiter_ || !arbiter_->is_needed()) return reply(freed(wanted));
  arbiter_->find(ino, wanted,
                 [wanted, reply = std::move(reply)](Outcome<std::optional<Lock>> found) mutable {
                   if (!found) return reply(std::unexpected(found.error()));
                   reply(found->value_or(freed(wanted)));
                 });
}

void Locks::set(Ino ino, const Lock& wanted, bool waits, std::uint64_t token, Reply<void> reply) {
  // Every close asks for this.
  if (wanted.type == LockType::none && !has(ino)) return reply({});
  files_[ino].waiting.push_back(
      {.wanted = wanted, .waits = waits, .token = token, .reply = std::move(reply)});
  retry(ino);
}

void Locks::closed(Ino ino, Handle handle) {
  const auto it = files_.find(ino);
  if (it == files_.end()) return;
  std::set<LockOwner> owners;
  for (const Lock& lock : it->second.held)
    if (lock.owner.is_range && lock.via == handle) owners.insert(lock.owner);
  for (const LockOwner& owner : owners) set(ino, {.owner = owner}, false, 0, [](Outcome<void>) {});
}

bool Locks::interrupt(std::uint64_t token) {
  for (auto& [ino, file] : files_) {
    if (file.asking == token) {
      file.is_interrupted = true;
      return true;
    }
    const auto it = std::ranges::find(file.waiting, token, &Request::token);
    if (it == file.waiting.end()) continue;
    Request request = std::move(*it);
    file.waiting.erase(it);
    tidy(ino);
    request.reply(error(EINTR));
    return true;
  }
  return false;
}

void Locks::freed_elsewhere(Ino ino) {
  const auto it = files_.find(ino);
  if (it == files_.end()) return;
  for (Request& request : it->second.waiting) request.is_refused = false;
  retry(ino);
}

bool Locks::is_refused_elsewhere() const {
  return std::ranges::any_of(files_, [](const auto& entry) {
    return std::ranges::any_of(entry.second.waiting, &Request::is_refused);
  });
}

void Locks::try_refused() {
  std::vector<Ino> all;
  for (const auto& [ino, file] : files_)
    if (std::ranges::any_of(file.waiting, &Request::is_refused)) all.push_back(ino);
  for (const Ino ino : all) freed_elsewhere(ino);
}

void Locks::restate(std::function<void(Ino, const Lock&)> lost, Wake done) {
  // Told once the last of these is answered.
  const auto all = std::shared_ptr<Wake>(new Wake(std::move(done)), [](Wake* wake) {
    (*wake)();
    delete wake;
  });
  std::vector<Ino> inos;
  for (auto& [ino, file] : files_) {
    for (const Lock& lock : file.held) {
      file.waiting.push_back(
          {.wanted = lock, .is_held = true, .reply = [lost, all, ino, lock](Outcome<void> kept) {
             if (!kept && kept.error().value == EAGAIN) lost(ino, lock);
           }});
    }
    inos.push_back(ino);
  }
  for (const Ino ino : inos) retry(ino);
}

// Those who came first come first. What one lets go of may be what an earlier one waits for.
void Locks::retry(Ino ino) {
  bool again = true;
  while (again) {
    again = false;
    auto requests = std::exchange(files_[ino].waiting, {});
    while (!requests.empty()) {
      Request request = std::move(requests.front());
      requests.pop_front();
      again |= attempt(ino, std::move(request));
    }
  }
  tidy(ino);
}

// True: something was let go of.
bool Locks::attempt(Ino ino, Request request) {
  File& file = files_[ino];
  if (file.asking || request.is_refused) {
    file.waiting.push_back(std::move(request));
    return false;
  }
  if (request.is_held && std::ranges::find(file.held, request.wanted) == file.held.end()) {
    request.reply({});  // it was let go of meanwhile
    return false;
  }
  if (request.is_held || !blocker_of(file.held, request.wanted))
    return take(ino, std::move(request));
  if (!request.waits) {
    request.reply(error(EAGAIN));
  } else if (would_deadlock(file, request.wanted)) {
    request.reply(error(EDEADLK));
  } else {
    file.waiting.push_back(std::move(request));
  }
  return false;
}

bool Locks::take(Ino ino, Request request) {
  File& file = files_[ino];
  if (arbiter_ && arbiter_->is_needed()) {
    ask(ino, file, std::move(request));
    return false;
  }
  return finish(file, std::move(request));
}

bool Locks::finish(File& file, Request request) {
  if (!request.is_held) file.held = with(file.held, request.wanted);
  request.reply({});
  return request.wanted.type != LockType::exclusive && !request.is_held;
}

void Locks::ask(Ino ino, File& file, Request request) {
  file.asking = request.token;
  file.is_interrupted = false;
  LockArbiter::Question question{
      .ino = ino,
      .wanted = request.wanted,
      .then = of_owner(with(file.held, request.wanted), request.wanted.owner),
      .waits = request.waits};
  arbiter_->ask(std::move(question),
                [this, ino, request = std::move(request)](Outcome<bool> given) mutable {
                  answered(ino, std::move(request), given);
                });
}

void Locks::answered(Ino ino, Request request, Outcome<bool> given) {
  File& file = files_[ino];
  file.asking.reset();
  if (!given) {
    request.reply(std::unexpected(given.error()));
  } else if (*given) {
    finish(file, std::move(request));
  } else if (request.is_held) {
    file.held = with(file.held, freed(request.wanted));
    request.reply(error(EAGAIN));
  } else if (!request.waits || file.is_interrupted) {
    request.reply(error(file.is_interrupted ? EINTR : EAGAIN));
  } else {
    request.is_refused = true;
    file.waiting.push_front(std::move(request));
  }
  retry(ino);
}

// Whoever is in the way waits, over others perhaps, for something that the one who asks has.
bool Locks::would_deadlock(const File& file, const Lock& wanted) const {
  if (!wanted.owner.is_range) return false;
  std::set<LockOwner> seen;
  std::vector<LockOwner> next;
  const auto add_blockers = [&](const std::vector<Lock>& held, const Lock& of) {
    for (const Lock& lock : held)
      if (is_in_the_way(lock, of) && seen.insert(lock.owner).second) next.push_back(lock.owner);
  };
  add_blockers(file.held, wanted);
  while (!next.empty()) {
    const LockOwner owner = next.back();
    next.pop_back();
    if (owner == wanted.owner) return true;
    for (const auto& [ino, other] : files_)
      for (const Request& request : other.waiting)
        if (request.wanted.owner == owner && !request.is_held)
          add_blockers(other.held, request.wanted);
  }
  return false;
}

void Locks::tidy(Ino ino) {
  const auto it = files_.find(ino);
  if (it == files_.end()) return;
  const File& file = it->second;
  if (file.held.empty() && file.waiting.empty() && !file.asking) files_.erase(it);
}

}  // namespace tusk::vfs
