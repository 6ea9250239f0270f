// An object that is being written in frames.
#pragma once

#include <shared_mutex>
#include <vector>

#include "objects/frames.h"

namespace tusk::objects {

// A frame is stored whole until finish(), which makes the last one as short as it has to be. The
// lock makes replacing a frame one step for those who read it: half of one would not open.
class EncryptedUpload final : public Upload {
 public:
  struct Parts {
    std::unique_ptr<Upload> inner;
    FrameKey key;
    std::optional<Base> base;
    std::string url;
  };
  // `plain` reads the base; it outlives the upload.
  EncryptedUpload(Parts parts, Objects& plain) : it_(std::move(parts)), plain_(plain) {}

  // Once, before anything else.
  Result<void> begin();
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override;
  Result<void> read(std::uint64_t offset, std::span<std::uint8_t> into) override;
  Result<void> finish(std::uint64_t size) override;

 private:
  bool is_written(std::uint64_t frame) const { return frame < written_.size() && written_[frame]; }
  Result<void> write_run(std::uint64_t frame, ByteSpan whole_frames);
  Result<void> write_part(std::uint64_t offset, ByteSpan bytes);
  Result<void> write_last(std::uint64_t frame, std::uint64_t bytes);
  Result<void> unseal_last();
  Result<void> read_frame(std::uint64_t frame, std::span<std::uint8_t> whole);
  Result<void> read_base(std::uint64_t frame, std::span<std::uint8_t> whole);

  struct Last {
    std::uint64_t frame, bytes;
  };

  Parts it_;
  Objects& plain_;
  std::shared_mutex mutex_;     // of the stored frames, and of what follows
  std::vector<bool> written_;   // by frame
  std::optional<Last> sealed_;  // the last frame, since finish()
};

}  // namespace tusk::objects
