#include "objects/s3/upload.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <exception>

#include "objects/s3/parts.h"
#include "tuskfs/base/log.h"

namespace tusk::objects {
namespace {

constexpr std::size_t kThreads = 3;
constexpr std::size_t kFillBytes = 1 << 20;
// S3 takes no smaller part but the last one.
constexpr std::uint64_t kSmallestCopy = 5 << 20;

}  // namespace

S3Upload::S3Upload(S3Client& client, Parts parts) : client_(client), it_(std::move(parts)) {}

S3Upload::~S3Upload() {
  for (auto& thread : threads_) thread.request_stop();
  changed_.notify_all();
  threads_.clear();
  if (multipart_ && !completed_) {
    // Once: what is left is found by remove().
    if (auto given_up = s3_abort(client_, *multipart_, 1); !given_up)
      log::debug("{}", given_up.error().what);
  }
  it_.ended();
}

Result<void> S3Upload::write(std::uint64_t offset, ByteSpan bytes) {
  if (bytes.empty()) return {};
  if (offset + bytes.size() > kLargestObject)
    return fail(EFBIG, fmt::format("{} would be too large for S3", it_.key));
  TRY(it_.spool.write(offset, bytes));
  note_write({offset, offset + bytes.size()});
  return {};
}

void S3Upload::note_write(Extent extent) {
  const std::lock_guard lock(mutex_);
  written_.add(extent);
  const std::uint64_t last = part_at(extent.end - 1);
  if (parts_.size() <= last) parts_.resize(last + 1);
  for (std::uint64_t part = part_at(extent.begin); part <= last; part++) parts_[part].generation++;
  completed_.reset();
  queue_complete_parts();
}

// With mutex_.
void S3Upload::queue_complete_parts() {
  while (!failed_ && written_.covers({part_begin(next_part_), part_begin(next_part_ + 1)})) {
    enqueue({.part = next_part_, .size = part_begin(next_part_ + 1), .finishing = false});
    next_part_++;
  }
}

// With mutex_.
void S3Upload::enqueue(Job job) {
  jobs_.push_back(job);
  if (threads_.size() < std::min(kThreads, jobs_.size() + busy_)) {
    threads_.emplace_back([this](const std::stop_token& stop) { send_jobs(stop); });
    ::pthread_setname_np(threads_.back().native_handle(), "tusk-upload");
  }
  changed_.notify_all();
}

void S3Upload::send_jobs(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !jobs_.empty(); })) {
    if (stop.stop_requested()) return;
    const Job job = jobs_.front();
    jobs_.pop_front();
    // After an error the rest would only fail as slowly.
    if (!failed_) {
      busy_++;
      lock.unlock();
      auto sent = send(job, stop);
      lock.lock();
      busy_--;
      if (!sent && !failed_) failed_ = std::move(sent).error();
    }
    changed_.notify_all();
  }
}

Result<void> S3Upload::send(const Job& job, const std::stop_token& stop) try {
  const Extent extent = part_extent(job.part, job.size);
  TRY_ASSIGN(const S3Multipart upload, multipart(stop));
  std::uint64_t generation = 0;
  {
    const std::lock_guard lock(mutex_);
    generation = parts_[job.part].generation;
  }
  TRY_ASSIGN(std::string etag, send_part(job, upload, stop));
  const std::lock_guard lock(mutex_);
  Part& part = parts_[job.part];
  part.etag = std::move(etag);
  part.sent_generation = generation;
  part.sent_bytes = extent.end - extent.begin;
  return {};
} catch (const std::exception& broken) {
  return fail(ENOMEM, fmt::format("cannot write {}: {}", it_.key, broken.what()));
}

Result<std::string> S3Upload::send_part(const Job& job, const S3Multipart& upload,
                                        const std::stop_token& stop) {
  const Extent extent = part_extent(job.part, job.size);
  const int number = static_cast<int>(job.part) + 1;
  const std::uint64_t bytes = extent.end - extent.begin;
  if (may_copy(job)) {
    TRY_ASSIGN(auto etag, s3_copy_part(client_, upload, number,
                                       {.from_key = it_.base->key,
                                        .range = {.offset = extent.begin, .bytes = bytes}}));
    if (etag) return std::move(*etag);
    const std::lock_guard lock(mutex_);
    copies_parts_ = false;
  }
  if (job.finishing) {
    TRY(fill_from_base(extent));
  }
  return s3_put_part(client_, upload, number,
                     {.bytes = {}, .fd = it_.spool.fd(), .offset = extent.begin, .size = bytes},
                     stop);
}

Result<S3Multipart> S3Upload::multipart(const std::stop_token& stop) {
  const std::lock_guard begin(begin_mutex_);
  {
    const std::lock_guard lock(mutex_);
    if (multipart_) return *multipart_;
  }
  TRY_ASSIGN(S3Multipart begun, s3_begin(client_, it_.key, stop));
  const std::lock_guard lock(mutex_);
  multipart_ = begun;
  return begun;
}

// The server can copy what is of the base alone.
bool S3Upload::may_copy(const Job& job) {
  const Extent extent = part_extent(job.part, job.size);
  const std::lock_guard lock(mutex_);
  return job.finishing && copies_parts_ && it_.base && extent.end <= it_.base->size &&
         extent.end - extent.begin >= kSmallestCopy && !written_.touches(extent);
}

Result<void> S3Upload::fill_from_base(Extent extent) {
  if (!it_.base) return {};
  std::vector<Extent> gaps;
  {
    const std::lock_guard lock(mutex_);
    extent.end = std::min(extent.end, it_.base->size);
    gaps = extent.begin < extent.end ? written_.gaps(extent) : gaps;
  }
  Buffer buffer(kFillBytes);
  for (Extent gap : gaps) {
    while (gap.begin < gap.end) {
      const auto wanted =
          std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), gap.end - gap.begin));
      TRY_ASSIGN(const std::size_t n, it_.base->read(gap.begin, wanted));
      if (n < wanted.size())
        return fail(EIO, fmt::format("{} is shorter than it was", it_.base->key));
      TRY(it_.spool.write(gap.begin, wanted));
      const std::lock_guard lock(mutex_);
      written_.add({gap.begin, gap.begin + n});
      gap.begin += n;
    }
  }
  return {};
}

Result<void> S3Upload::read(std::uint64_t offset, std::span<std::uint8_t> into) {
  std::vector<Extent> gaps;
  std::uint64_t base_size = 0;
  {
    const std::lock_guard lock(mutex_);
    base_size = it_.base ? it_.base->size : 0;
    gaps = written_.gaps({offset, offset + into.size()});
  }
  TRY(it_.spool.read(offset, into));
  for (const Extent gap : gaps) {
    if (gap.begin >= base_size) break;
    const std::uint64_t n = std::min(gap.end, base_size) - gap.begin;
    TRY(it_.base->read(gap.begin, into.subspan(gap.begin - offset, n)));
  }
  return {};
}

Result<void> S3Upload::finish(std::uint64_t size) {
  if (size > kLargestObject) return fail(EFBIG, fmt::format("{} is too large for S3", it_.key));
  if (completed_ == size) return check_size(size);
  TRY(cut(size));
  // The parts of a small object may be up already: then the object is complete with them.
  if (size == 0 || (!multipart_ && size <= kFirstPartBytes)) {
    TRY(put_whole(size));
  } else {
    TRY(send_all(size));
    TRY(complete(size));
  }
  return check_size(size);
}

// Nothing is under way afterwards.
Result<void> S3Upload::cut(std::uint64_t size) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return jobs_.empty() && busy_ == 0; });
  failed_.reset();
  written_.cut(size);
  if (it_.base) it_.base->size = std::min(it_.base->size, size);
  parts_.resize(parts_of(size));
  next_part_ = std::min<std::uint64_t>(next_part_, parts_.size());
  return it_.spool.cut(size);
}

Result<void> S3Upload::put_whole(std::uint64_t size) {
  TRY(fill_from_base({0, size}));
  TRY(s3_put(client_, it_.key, {.bytes = {}, .fd = it_.spool.fd(), .offset = 0, .size = size}));
  // An empty object has no parts to be completed with.
  if (multipart_) {
    TRY(s3_abort(client_, *multipart_, 0));
    multipart_.reset();
  }
  completed_ = size;
  return {};
}

Result<void> S3Upload::send_all(std::uint64_t size) {
  std::unique_lock lock(mutex_);
  for (std::uint64_t part = 0; part < parts_.size(); part++) {
    const Extent extent = part_extent(part, size);
    if (!parts_[part].is_up(extent.end - extent.begin))
      enqueue({.part = part, .size = size, .finishing = true});
  }
  changed_.wait(lock, [this] { return jobs_.empty() && busy_ == 0; });
  if (failed_) return std::unexpected(*std::exchange(failed_, std::nullopt));
  return {};
}

Result<void> S3Upload::complete(std::uint64_t size) {
  std::vector<std::string> etags;
  for (const Part& part : parts_) etags.push_back(part.etag);
  TRY(s3_complete(client_, *multipart_, etags));
  completed_ = size;
  return {};
}

Result<void> S3Upload::check_size(std::uint64_t size) {
  TRY_ASSIGN(const auto stored, s3_size(client_, it_.key));
  if (stored == size) return {};
  completed_.reset();
  // Its parts are gone, or were not what they should be: from the start, if it is tried again.
  multipart_.reset();
  for (Part& part : parts_) part.etag.clear();
  return fail(EIO, fmt::format("s3://{}/{} has {} bytes instead of {} after it was written",
                               client_.place().bucket, it_.key,
                               stored ? std::to_string(*stored) : "no", size));
}

}  // namespace tusk::objects
