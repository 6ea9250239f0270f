#include "cli/arguments.h"

#include "cli/object_access.h"

namespace tusk::cli {

void check_source(const Source& source) {
  if (!source.database.empty() && !source.data_dir.empty())
    throw CLI::ValidationError("--data-dir is for the embedded cluster; give it or a database");
}
Source take_source(std::vector<std::string>& words, const std::string& data_dir) {
  Source source{.database = {}, .data_dir = data_dir};
  if (words.size() < 2) return source;
  source.database = words.front();
  if (source.database.empty()) throw CLI::ValidationError("the database's conninfo is empty");
  check_source(source);
  words.erase(words.begin());
  return source;
}

CLI::App* add_verb(CLI::App& app, const char* name, const char* summary) {
  CLI::App* verb = app.add_subcommand(name, summary);
  verb->set_version_flag("--version", kVersionLine);
  return verb;
}
void add_data_dir(CLI::App* verb, std::string& target) {
  verb->add_option("--data-dir", target,
                   "folder of the embedded cluster (default: $TUSKFS_DATA, "
                   "$XDG_DATA_HOME/tuskfs or ~/.local/share/tuskfs)")
      ->type_name("DIR");
}

void add_object_access(CLI::App* verb, objects::Access& access) {
  verb->add_option_function<std::string>(
          "--encrypt-objects",
          [&access](const std::string& v) { access.keyfile = valid(parse_keyfile(v)); },
          "large files outside of the database are encrypted with the key in this file")
      ->type_name("KEYFILE")
      ->envname("TUSKFS_ENCRYPT_OBJECTS");
  verb->add_option_function<std::string>(
          "--object-cache",
          [&access](const std::string& v) { valid(parse_object_cache(access, v)); },
          "where and how much of what lies on S3 is kept here (default: ~/.cache/tuskfs,1G)")
      ->type_name("DIR,SIZE")
      ->envname("TUSKFS_OBJECT_CACHE");
}

void add_json(CLI::App* verb, bool& json) { verb->add_flag("--json", json, "as JSON"); }

}  // namespace tusk::cli
