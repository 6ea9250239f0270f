#include "virtual/stats/access_stream.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "virtual/stats/text.h"

namespace tusk::virt {
namespace {

// A reader that is this far behind loses lines.
constexpr std::size_t kMostKept = 1 << 20;

std::string escaped_name(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// Without the newline at its end; what could be mistaken for the end of a field or line is escaped.
std::string line_of(const vfs::Access& access) {
  const char* result = access.error == 0 ? "ok" : ::strerrorname_np(access.error);
  std::string out = fmt::format("{} uid={} gid={} pid={} op={} ino={}", time_text(access.at),
                                access.uid, access.gid, access.pid, access.operation, access.ino);
  if (!access.name.empty()) out += " name=" + escaped_name(access.name);
  out += fmt::format(" result={} us={:.1f}",
                     result ? std::string(result) : std::to_string(access.error),
                     static_cast<double>(access.took.count()) / 1000);
  return out;
}

class AccessStream final : public LiveStream, vfs::AccessListener {
 public:
  AccessStream(vfs::AccessLog& log, Ino own) : log_(log), own_(static_cast<std::uint64_t>(own)) {
    log_.add(this);
  }
  ~AccessStream() override { log_.remove(this); }
  AccessStream(const AccessStream&) = delete;
  AccessStream& operator=(const AccessStream&) = delete;

  bool has_some() const override { return !kept_.empty(); }

  std::string take(std::size_t most) override {
    std::string out = kept_.substr(0, most);
    kept_.erase(0, out.size());
    return out;
  }

  void on_some(vfs::Wake wake) override { wake_ = std::move(wake); }

  // Reading it would else go on for ever about itself.
  void on_access(const vfs::Access& access) override {
    if (access.ino == own_) return;
    std::string line = line_of(access) + "\n";
    if (lost_ > 0) line = fmt::format("# {} lines lost\n", lost_) + line;
    if (kept_.size() + line.size() > kMostKept) {
      lost_++;
      return;
    }
    lost_ = 0;
    kept_ += line;
    if (wake_) std::exchange(wake_, nullptr)();
  }

 private:
  vfs::AccessLog& log_;
  const std::uint64_t own_;
  std::string kept_;
  std::uint64_t lost_ = 0;
  vfs::Wake wake_;
};

class AccessFile final : public LiveFile {
 public:
  explicit AccessFile(vfs::AccessLog& log) : log_(log) {}

  mode_t permissions() const override { return 0400; }
  void render(vfs::Reply<Rendered> done) override { done(Rendered{}); }
  bool is_stream() const override { return true; }
  std::unique_ptr<LiveStream> open_stream(Ino own) override {
    return std::make_unique<AccessStream>(log_, own);
  }

 private:
  vfs::AccessLog& log_;
};

}  // namespace

std::unique_ptr<LiveFile> access_file(vfs::AccessLog& log) {
  return std::make_unique<AccessFile>(log);
}

}  // namespace tusk::virt
