#include "tuskfs/fuse/session.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "fuse/bridge.h"
#include "fuse/kernel_mount.h"
#include "fuse/notifier.h"
#include "tuskfs/base/fd.h"
#include "tuskfs/base/log.h"

namespace tusk::fuse {
namespace {

using std::chrono::microseconds, std::chrono::milliseconds;

// A sleeping thread costs tens of microseconds to wake: a busy mount keeps looking this long first.
constexpr std::chrono::nanoseconds kSpin = microseconds(50);
// Once the mount is detached, requests of programs that still use it are answered until there has
// been none for so long.
constexpr std::chrono::nanoseconds kQuiet = milliseconds(50);

struct SessionDeleter {
  void operator()(fuse_session* session) const { fuse_session_destroy(session); }
};

class FuseArgs {
 public:
  FuseArgs() { add("tuskfs"); }
  FuseArgs(const FuseArgs&) = delete;
  FuseArgs& operator=(const FuseArgs&) = delete;
  ~FuseArgs() { fuse_opt_free_args(&args_); }
  void add(const std::string& argument) { fuse_opt_add_arg(&args_, argument.c_str()); }
  void add_option(const std::string& option) {
    add("-o");
    add(option);
  }
  fuse_args* get() { return &args_; }

 private:
  fuse_args args_ = FUSE_ARGS_INIT(0, nullptr);
};

// Commas and backslashes separate and quote in -o lists.
std::string quoted(const std::string& value) {
  std::string out;
  for (const char c : value) {
    if (c == ',' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

void add_options(FuseArgs& args, const MountOptions& options) {
  args.add_option("default_permissions");
  args.add_option("fsname=" + quoted(options.source));
  args.add_option("subtype=tuskfs");  // the last one given counts
  for (const std::string& option : options.fuse_options) args.add_option(option);
}

class FuseSession final : public Session {
 public:
  FuseSession(Reactor& reactor, vfs::Vfs& filesystem, vfs::Meter* meter)
      : reactor_(reactor), bridge_(filesystem, reactor, meter ? *meter : own_meter_) {}
  FuseSession(const FuseSession&) = delete;
  FuseSession& operator=(const FuseSession&) = delete;

  ~FuseSession() override {
    if (mounted_) end_mount();
    std::free(buffer_.mem);
  }

  Result<void> mount(const MountOptions& options);
  int run() override;
  void stop() override;

 private:
  bool ended() const;
  int serve_one();
  bool run_reactor(MonotonicTime now);
  void sleep();
  void begin_unmount();
  void end_mount();

  Reactor& reactor_;
  vfs::Meter own_meter_;
  Bridge bridge_;
  std::string mountpoint_;
  std::unique_ptr<fuse_session, SessionDeleter> session_;
  std::optional<Notifier> notifier_;
  std::optional<Unmounting> unmounting_;
  fuse_buf buffer_{};
  MonotonicTime busy_{};  // when there was work last
  bool mounted_ = false;
  bool served_ = false;
  std::atomic<bool> stop_ = false;
  Fd stop_event_;
};

Result<void> FuseSession::mount(const MountOptions& options) {
  stop_event_ = Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!stop_event_)
    return fail(errno, std::string("cannot make an eventfd: ") + std::strerror(errno));
  TRY_ASSIGN(mountpoint_, usable_mountpoint(options.mountpoint));
  collect_libfuse_messages();
  FuseArgs args;
  add_options(args, options);
  const fuse_lowlevel_ops ops = make_ops();
  session_.reset(fuse_session_new(args.get(), &ops, sizeof ops, &bridge_));
  if (!session_)
    return fail(EINVAL, "a mount option is not known: " + last_libfuse_message(),
                "see tuskfs mount --help");
  TRY(mount_session(session_.get(), mountpoint_, options));
  mounted_ = true;
  const fuse_custom_io io = make_io();
  const int fd = fuse_session_fd(session_.get());
  fuse_session_custom_io(session_.get(), &io, fd);
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  notifier_.emplace(session_.get());
  bridge_.vfs.set_kernel_cache(&*notifier_);
  return {};
}

int FuseSession::run() {
  int result = 0;
  busy_ = reactor_.now();
  while (true) {
    if (stop_.load(std::memory_order_relaxed) && !unmounting_) begin_unmount();
    const int got = serve_one();
    // The second when the unmount overtakes a request that was being read.
    if (got == -ENODEV || got == -ECONNABORTED) break;
    if (got < 0 && got != -EAGAIN && got != -EINTR && got != -ENOENT) {
      result = got;
      break;
    }
    const MonotonicTime now = reactor_.now();
    if (run_reactor(now) || got > 0) {
      busy_ = now;
    } else if (unmounting_ && ended()) {
      break;
    } else if (now - busy_ >= kSpin) {
      sleep();
    } else {
      // Whom a request has just woken (the committer, above all) may wait for this very CPU.
      ::sched_yield();
    }
  }
  end_mount();
  return result;
}

void FuseSession::stop() {
  stop_.store(true, std::memory_order_relaxed);
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(stop_event_.get(), &one, sizeof one);
}

// Whether nothing is left to answer after a stop().
bool FuseSession::ended() const {
  return unmounting_->done() && notifier_->finished() && reactor_.now() - busy_ >= kQuiet;
}

// Bytes of the request served, or -errno.
int FuseSession::serve_one() {
  const int got = fuse_session_receive_buf(session_.get(), &buffer_);
  if (got <= 0) return got == 0 ? -ENODEV : got;
  fuse_session_process_buf(session_.get(), &buffer_);
  if (!served_) raise_readahead(mountpoint_);  // the first request is the handshake
  served_ = true;
  return got;
}

bool FuseSession::run_reactor(MonotonicTime now) {
  const auto due = reactor_.next_deadline();
  if (!reactor_.has_posted() && !(due && *due <= now)) return false;
  try {
    reactor_.run_ready();
  } catch (const std::exception& e) {
    log::error("work of the core thread failed: {}", e.what());
  }
  return true;
}

void FuseSession::sleep() {
  std::array<pollfd, 3> fds{{{fuse_session_fd(session_.get()), POLLIN, 0},
                             {reactor_.event_fd(), POLLIN, 0},
                             {stop_event_.get(), POLLIN, 0}}};
  std::optional<MonotonicTime> until = reactor_.next_deadline();
  const MonotonicTime now = reactor_.now();
  if (unmounting_) {
    fds[2].fd = -1;
    until = std::min(until.value_or(now + kQuiet), now + kQuiet);
  }
  timespec wait{};
  if (until) {
    const auto left = std::max(*until - now, MonotonicTime(0));
    wait = {left.count() / 1'000'000'000, left.count() % 1'000'000'000};
  }
  ::ppoll(fds.data(), fds.size(), until ? &wait : nullptr, nullptr);
  // Woken: what comes next is likely to come soon. Not so while waiting for the end.
  if (!unmounting_) busy_ = reactor_.now();
}

void FuseSession::begin_unmount() {
  bridge_.vfs.set_kernel_cache(nullptr);
  notifier_->stop();
  unmounting_.emplace(mountpoint_);
}

void FuseSession::end_mount() {
  if (!mounted_) return;
  mounted_ = false;
  bridge_.vfs.set_kernel_cache(nullptr);
  notifier_.reset();
  if (served_ || unmounting_) {
    // The mount is gone already. libfuse must not unmount what may be there in its place by now; it
    // does not when its descriptor reports an error, as a pipe that nobody reads does.
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) == 0) {
      const Fd unread(ends[0]), broken(ends[1]);
      ::dup2(broken.get(), fuse_session_fd(session_.get()));
    }
  }
  fuse_session_unmount(session_.get());
}

}  // namespace

Result<std::unique_ptr<Session>> Session::mount(const MountOptions& options, Reactor& reactor,
                                                vfs::Vfs& filesystem, vfs::Meter* meter) {
  auto session = std::make_unique<FuseSession>(reactor, filesystem, meter);
  TRY(session->mount(options));
  return std::unique_ptr<Session>(std::move(session));
}

}  // namespace tusk::fuse
