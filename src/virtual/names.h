// Names made up for what has none of its own.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>

namespace tusk::virt {

inline constexpr std::size_t kNameMax = 255;

// Whether a folder can hold the name.
bool is_name(std::string_view name);

// Names of one folder, each given out once.
class Names {
 public:
  // `stem` and `suffix`, with "~2" and so on after them if that is taken; a long stem is shortened.
  std::string take(std::string_view stem, std::string_view suffix);

 private:
  std::unordered_set<std::string> taken_;
};

}  // namespace tusk::virt
