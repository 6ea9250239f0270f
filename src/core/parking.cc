#include "core/parking.h"

#include <algorithm>

#include "tuskfs/base/log.h"

namespace tusk::core {

void ParkingLot::park(std::unique_ptr<Parked> op, Waiters& on) {
  const std::uint64_t id = next_id_++;
  op->what = on.what_;
  op->since = executor_.now();
  parked_.emplace(id, std::move(op));
  on.ids_.push_back(id);
  watch_deadlines();
}

// Before it is answered: then the time is taken. What no call waits for has no token.
void ParkingLot::note_wait(const Parked& op) {
  if (meter_ && op.token != 0) meter_->note_wait(op.token, op.what, executor_.now() - op.since);
}

void ParkingLot::attempt(std::unique_ptr<Parked> op) {
  if (Waiters* on = op->attempt()) park(std::move(op), *on);
}

void ParkingLot::wake(Waiters& waiters, int code) {
  for (const std::uint64_t id : std::exchange(waiters.ids_, {})) {
    if (auto it = parked_.find(id); it != parked_.end()) {
      ready_.emplace_back(std::move(it->second), code);
      parked_.erase(it);
    }
  }
  if (ready_.empty() || std::exchange(drain_posted_, true)) return;
  executor_.post([this] { drain(); });
}

void ParkingLot::drain() {
  drain_posted_ = false;
  auto ready = std::exchange(ready_, {});
  for (auto& [op, code] : ready) {
    note_wait(*op);
    if (code != 0) {
      op->fail(code);
    } else {
      attempt(std::move(op));
    }
  }
}

void ParkingLot::interrupt(std::uint64_t token) {
  const auto it = std::ranges::find_if(
      parked_, [token](const auto& entry) { return entry.second->token == token; });
  if (it == parked_.end()) return;
  auto op = std::move(it->second);
  parked_.erase(it);
  note_wait(*op);
  op->fail(EINTR);
}

void ParkingLot::watch_deadlines() {
  if (std::exchange(watching_, true)) return;
  executor_.after(std::min<std::chrono::nanoseconds>(patience_, std::chrono::seconds(1)), [this] {
    watching_ = false;
    const MonotonicTime now = executor_.now();
    std::vector<std::unique_ptr<Parked>> late;
    for (auto it = parked_.begin(); it != parked_.end();) {
      if (it->second->deadline > now) {
        ++it;
        continue;
      }
      late.push_back(std::move(it->second));
      it = parked_.erase(it);
    }
    if (!late.empty()) {
      log::error("{} operations waited {} s for the database and failed with EIO", late.size(),
                 std::chrono::duration_cast<std::chrono::seconds>(patience_).count());
    }
    for (auto& op : late) {
      note_wait(*op);
      op->fail(EIO);
    }
    if (!parked_.empty()) watch_deadlines();
  });
}

}  // namespace tusk::core
