// Takes samples for alerts as long as somebody reads or watches them, and else does nothing.
#pragma once

#include <memory>
#include <vector>

#include "tuskfs/base/executor.h"
#include "tuskfs/store/collector.h"
#include "tuskfs/vfs/vfs.h"
#include "virtual/stats/text.h"

namespace tusk::virt {

struct AlertsNow {
  // {"severity", "name", "since", "value", "threshold", "message", "state", "silenced_until"}
  // each; state is open, acknowledged or silenced.
  Json open = Json::array();
  Json events = Json::array();  // {"at", "event", "name", …}, newest last
  WallTime measured_at{};
  std::string problem = {};  // why what is known is not of now
};

class AlertSampler {
 public:
  AlertSampler(Executor& executor, store::Collector& collector, std::chrono::milliseconds every)
      : executor_(executor), collector_(collector), every_(every) {}

  // What is known, once a sample has been taken not long ago. Samples are taken for a while then.
  using Shared = std::shared_ptr<const AlertsNow>;
  void get(std::move_only_function<void(Shared)> done);
  // Called once, when an alert has come, gone or become another; values alone do not count. Samples
  // are taken until then. Empty: nobody watches any more.
  void watch(std::move_only_function<void()> changed);
  // "ack NAME", "silence NAME 2h", "unsilence NAME": EINVAL for what is none of these, ENOENT.
  void take(std::string_view text, vfs::Reply<void> done);

 private:
  void run();
  void sample();
  void on_sample(Result<store::Alerts> alerts);
  void know(const store::Alerts& alerts);
  bool is_recent() const;

  Executor& executor_;
  store::Collector& collector_;
  const std::chrono::milliseconds every_;
  bool running_ = false, sampling_ = false, ticking_ = false;
  MonotonicTime wanted_at_{}, sampled_at_{};
  Shared known_;
  std::vector<std::move_only_function<void(Shared)>> waiters_;
  std::vector<std::move_only_function<void()>> watchers_;
};

}  // namespace tusk::virt
