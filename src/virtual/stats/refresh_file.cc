#include "virtual/stats/refresh_file.h"

#include <fmt/format.h>

#include <cerrno>

namespace tusk::virt {
namespace {

class RefreshFile final : public LiveFile {
 public:
  explicit RefreshFile(Statistics& statistics) : statistics_(statistics) {}

  mode_t permissions() const override { return 0644; }
  bool renews_all() const override { return true; }

  void render(vfs::Reply<Rendered> done) override {
    std::string age = "-";
    if (const auto last = statistics_.last_collected()) {
      const auto passed = statistics_.elapsed() - *last;
      age = std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(passed).count());
    }
    done(Rendered{std::make_shared<const std::string>(fmt::format("last_ms_ago {}\n", age)),
                  statistics_.now()});
  }

  void take(std::string_view text, vfs::Reply<void> done) override {
    if (text != "1") return done(vfs::error(EINVAL));
    statistics_.forget();
    done({});
  }

 private:
  Statistics& statistics_;
};

}  // namespace

std::unique_ptr<LiveFile> refresh_file(Statistics& statistics) {
  return std::make_unique<RefreshFile>(statistics);
}

}  // namespace tusk::virt
