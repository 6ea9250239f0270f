// Answers to the kernel, as callbacks that a verb may call at once or later.
#pragma once

#include <cerrno>
#include <exception>
#include <utility>

#include "fuse/attr.h"
#include "fuse/bridge.h"
#include "tuskfs/base/log.h"

namespace tusk::fuse {

inline Bridge& bridge_of(fuse_req_t req) { return *static_cast<Bridge*>(fuse_req_userdata(req)); }

inline Ino to_ino(fuse_ino_t ino) { return Ino{ino}; }
inline Handle to_handle(const fuse_file_info* fi) { return Handle{fi ? fi->fh : 0}; }

inline std::shared_ptr<vfs::Access> access_of(fuse_req_t req, const Request& request) {
  const fuse_ctx* ctx = fuse_req_ctx(req);
  return std::make_shared<vfs::Access>(vfs::Access{
      .at = bridge_of(req).clock.wall_now(),
      .uid = ctx->uid,
      .gid = ctx->gid,
      .pid = ctx->pid,
      .operation = vfs::Meter::name_of(request.op),
      .ino = request.ino,
      .name = request.name ? request.name : "",
  });
}

inline void note_waits(vfs::Meter& meter, const Measured& measured, MonotonicTime known) {
  vfs::OpFacts& facts = meter.of(measured.op);
  facts.waited.add(known - measured.begun);
  const vfs::Waits waits = meter.take_waits(measured.token);
  if (waits.database.count() > 0) facts.database.add(waits.database);
  if (waits.lock.count() > 0) facts.lock.add(waits.lock);
}

inline void note_answer(Bridge& bridge, const Measured& measured, MonotonicTime known,
                        bool has_waited, int error) {
  vfs::OpFacts& facts = bridge.meter.of(measured.op);
  const MonotonicTime now = bridge.clock.now();
  facts.time.add(now - measured.begun);
  facts.reply.add(now - known);
  if (has_waited) note_waits(bridge.meter, measured, known);
  if (error != 0) facts.errors[error]++;
  if (!measured.access) [[likely]]
    return;
  measured.access->error = error;
  measured.access->took = now - measured.begun;
  bridge.meter.accesses.note(*measured.access);
}

// A callback that answers `req`: an error by itself, a value by `answer`. Answering frees `req`,
// also when it fails.
template <class T, class Fn>
vfs::Reply<T> reply_with(fuse_req_t req, Fn answer) {
  return [req, measured = bridge_of(req).measured,
          answer = std::move(answer)](vfs::Outcome<T> outcome) mutable {
    Bridge& bridge = bridge_of(req);
    const bool has_waited = bridge.calling != req;
    if (!has_waited) bridge.calling = nullptr;
    const MonotonicTime known = bridge.clock.now();
    const int error = outcome ? 0 : outcome.error().value;
    if (!outcome) {
      fuse_reply_err(req, error);
    } else if constexpr (std::is_void_v<T>) {
      answer();
    } else {
      answer(std::move(*outcome));
    }
    note_answer(bridge, measured, known, has_waited, error);
  };
}

inline vfs::Reply<void> reply_ok(fuse_req_t req) {
  return reply_with<void>(req, [req] { fuse_reply_err(req, 0); });
}

inline vfs::Reply<vfs::Entry> reply_entry(fuse_req_t req) {
  return reply_with<vfs::Entry>(req, [req](const vfs::Entry& entry) {
    vfs::Vfs& vfs = bridge_of(req).vfs;
    const fuse_entry_param param = to_entry(entry.attr);
    // The caller may have given up: then the kernel does not count the lookup.
    if (fuse_reply_entry(req, &param) != 0 && param.ino != 0) vfs.forget(entry.attr.ino, 1);
  });
}

inline vfs::Reply<vfs::Attr> reply_attr(fuse_req_t req) {
  return reply_with<vfs::Attr>(req, [req](const vfs::Attr& attr) {
    const struct stat out = to_stat(attr);
    fuse_reply_attr(req, &out, seconds(attr.valid));
  });
}

// Calls a verb. While it waits, an interrupted caller is passed on to it.
template <class Fn>
void call_verb(fuse_req_t req, const Request& request, Fn&& verb) {
  Bridge& bridge = bridge_of(req);
  const std::uint64_t token = ++bridge.last_token;
  bridge.measured = {request.op, bridge.clock.now(), token};
  if (!bridge.meter.accesses.is_off()) [[unlikely]]
    bridge.measured.access = access_of(req, request);
  bridge.calling = req;
  try {
    verb(bridge.vfs, to_call(req, token));
  } catch (const std::exception& e) {
    // Out of memory, most likely.
    log::error("a request failed: {}", e.what());
    if (bridge.calling == req) fuse_reply_err(req, EIO);
    bridge.calling = nullptr;
    return;
  }
  if (std::exchange(bridge.calling, nullptr) != req) return;
  const auto interrupted = [](fuse_req_t waiting, void* data) {
    bridge_of(waiting).vfs.interrupt(reinterpret_cast<std::uint64_t>(data));
  };
  fuse_req_interrupt_func(req, interrupted, reinterpret_cast<void*>(token));
}

}  // namespace tusk::fuse
