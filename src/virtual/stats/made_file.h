// A live file whose text a function makes.
#pragma once

#include <functional>
#include <utility>

#include "virtual/live.h"
#include "virtual/stats/text.h"

namespace tusk::virt {

class MadeFile final : public LiveFile {
 public:
  struct How {
    mode_t permissions = 0444;
    std::chrono::nanoseconds fresh_for = std::chrono::seconds(1);
  };
  using Make = std::function<void(std::move_only_function<void(std::string, WallTime)>)>;
  MadeFile(How how, Make make) : how_(how), make_(std::move(make)) {}

  mode_t permissions() const override { return how_.permissions; }
  std::chrono::nanoseconds fresh_for() const override { return how_.fresh_for; }
  void render(vfs::Reply<Rendered> done) override {
    make_([done = std::move(done)](std::string text, WallTime measured_at) mutable {
      done(Rendered{std::make_shared<const std::string>(std::move(text)), measured_at});
    });
  }

 private:
  const How how_;
  const Make make_;
};

inline std::string pretty(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace tusk::virt
