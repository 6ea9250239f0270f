// flags/NAME/{enabled,percentage,actors,description} and check/ACTOR.
#include <cerrno>

#include "virtual/keyed/places.h"
#include "virtual/keyed/texts.h"

namespace tusk::virt {
namespace {

using store::KeyedQuestion;
using vfs::Outcome;

Outcome<KeyedQuestion> enabled_in(std::string_view text) {
  const std::string_view word = trimmed(text);
  if (word != "0" && word != "1") return vfs::error(EINVAL);
  return KeyedQuestion{"keyed_flag_enabled_write", {std::string(word)}};
}

Outcome<KeyedQuestion> percentage_in(std::string_view text) {
  const std::string_view word = trimmed(text);
  const auto number = number_in(word);
  if (!number) return vfs::error(EINVAL);
  if (*number < 0 || *number > 100) return vfs::error(ERANGE);
  return KeyedQuestion{"keyed_flag_percentage_write", {std::string(word)}};
}

Outcome<KeyedQuestion> actors_in(std::string_view text) {
  return KeyedQuestion{"keyed_flag_actors_write", {std::string(text)}};
}

Outcome<KeyedQuestion> description_in(std::string_view text) {
  return KeyedQuestion{"keyed_flag_description_write", {std::string(text)}};
}

Place text_file(const char* name, std::string statements,
                Outcome<KeyedQuestion> (*parse)(std::string_view)) {
  Place file{.name = name, .mode = S_IFREG | 0644, .read = std::move(statements) + "_read"};
  file.write = parse;
  file.is_believed = true;
  return file;
}

Place check_folder() {
  Place folder{.name = "check", .mode = S_IFDIR | 0111, .is_believed = true};
  folder.places.push_back(
      {.mode = S_IFREG | 0444, .is_believed = true, .read = "keyed_flag_check_read"});
  return folder;
}

}  // namespace

Place flags() {
  Place flag{.find = "keyed_flag_find",
             .make = "keyed_flag_make",
             .remove = "keyed_flag_remove",
             .is_believed = true};
  flag.places.push_back(text_file("enabled", "keyed_flag_enabled", enabled_in));
  flag.places.push_back(text_file("percentage", "keyed_flag_percentage", percentage_in));
  flag.places.push_back(text_file("actors", "keyed_flag_actors", actors_in));
  flag.places.push_back(text_file("description", "keyed_flag_description", description_in));
  flag.places[2].may_be_empty = flag.places[3].may_be_empty = true;
  flag.places.push_back(check_folder());
  Place folder{.name = "flags", .list = "keyed_flag_list"};
  folder.places.push_back(std::move(flag));
  return folder;
}

}  // namespace tusk::virt
