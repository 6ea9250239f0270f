// The content of one open file of .tusk. Inline content is loaded once; chunks in windows, of which
// a few are kept, the next one ahead of who reads on and on.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "virtual/asking.h"
#include "virtual/item.h"

namespace tusk::virt {

class Reader : public std::enable_shared_from_this<Reader> {
 public:
  Reader(store::PastStore& store, Asker& asker, store::FileRow row)
      : store_(store), asker_(asker), row_(std::move(row)) {}

  void read(std::uint64_t offset, std::size_t size, vfs::Reply<vfs::Content> reply);
  // All of it; of inline content only.
  void whole(vfs::Reply<ByteSpan> reply);

 private:
  struct Window {
    bool loaded = false;
    std::vector<SharedBytes> chunks;
    std::vector<vfs::Reply<void>> waiting;
    std::uint64_t used = 0;
  };
  using WindowPtr = std::shared_ptr<Window>;
  struct Range {
    std::uint64_t offset, end;
  };

  void need_inline(vfs::Reply<void> then);
  // The window, being loaded at least.
  WindowPtr window(std::int64_t number);
  void loaded(std::int64_t number, vfs::Outcome<std::vector<SharedBytes>> chunks);
  void read_windows(Range range, std::vector<WindowPtr> windows, std::size_t next,
                    vfs::Reply<vfs::Content> reply);
  void drop_old_windows();
  std::int64_t windows_in_file() const;

  store::PastStore& store_;
  Asker& asker_;
  const store::FileRow row_;
  SharedBytes inline_;
  std::map<std::int64_t, WindowPtr> windows_;
  std::int64_t last_window_ = -1;
  std::uint64_t uses_ = 0;
};

}  // namespace tusk::virt
