// An object on its way to S3.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "objects/s3/ranges.h"
#include "objects/s3/spool.h"
#include "objects/s3/verbs.h"
#include "tuskfs/objects/objects.h"

namespace tusk::objects {

// What is written lies in a spool. Parts that are complete go up while more is written; finish()
// sends the rest, and again what was written over.
//
// 1. A part is up when it was sent as it is now: its generation, which every write raises after it
//    is in the spool, is the one that the sender saw before it read.
// 2. Parts are sent by the threads alone; each has one part at a time, and no part two threads.
// 3. What fails before finish() is only a head start lost: finish() tries again and tells.
class S3Upload final : public Upload {
 public:
  struct Base {
    std::string key;
    std::uint64_t size = 0;
    std::function<Result<std::size_t>(std::uint64_t, std::span<std::uint8_t>)> read;
  };
  struct Parts {
    std::string key;
    Spool spool;
    std::optional<Base> base;
    std::function<void()> ended;
  };
  S3Upload(S3Client& client, Parts parts);
  ~S3Upload() override;

  Result<void> write(std::uint64_t offset, ByteSpan bytes) override;
  Result<void> read(std::uint64_t offset, std::span<std::uint8_t> into) override;
  Result<void> finish(std::uint64_t size) override;

 private:
  struct Part {
    std::uint64_t generation = 0;
    std::uint64_t sent_generation = 0;
    std::uint64_t sent_bytes = 0;
    std::string etag;  // empty: not sent

    bool is_up(std::uint64_t bytes) const {
      return !etag.empty() && sent_generation == generation && sent_bytes == bytes;
    }
  };
  struct Job {
    std::uint64_t part;
    std::uint64_t size;  // of the object, as far as it is known
    bool finishing;
  };

  void note_write(Extent);
  void queue_complete_parts();
  void enqueue(Job);
  void send_jobs(const std::stop_token& stop);
  Result<void> send(const Job&, const std::stop_token& stop);
  Result<std::string> send_part(const Job&, const S3Multipart&, const std::stop_token& stop);
  Result<S3Multipart> multipart(const std::stop_token& stop);
  bool may_copy(const Job&);
  Result<void> fill_from_base(Extent);
  Result<void> cut(std::uint64_t size);
  Result<void> put_whole(std::uint64_t size);
  Result<void> send_all(std::uint64_t size);
  Result<void> complete(std::uint64_t size);
  Result<void> check_size(std::uint64_t size);

  S3Client& client_;
  Parts it_;

  std::mutex begin_mutex_;  // before mutex_; one upload is begun once
  std::mutex mutex_;        // of everything below
  std::condition_variable_any changed_;
  Ranges written_;
  std::vector<Part> parts_;
  std::uint64_t next_part_ = 0;  // the first that has not been queued as complete
  std::deque<Job> jobs_;
  std::size_t busy_ = 0;
  std::optional<Error> failed_;  // the first error since it was taken
  std::optional<S3Multipart> multipart_;
  bool copies_parts_ = true;                // until the server says it does not
  std::optional<std::uint64_t> completed_;  // with this size
  std::vector<std::jthread> threads_;
};

}  // namespace tusk::objects
