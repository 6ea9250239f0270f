// Every kind of place that objects may lie at, each empty and of the test's own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "support/mount.h"
#include "tuskfs/objects/objects.h"

namespace tusk::test {

struct PlaceKind {
  bool s3 = false;
  bool encrypted = false;
  std::string name() const {
    return std::string(s3 ? "S3" : "Local") + (encrypted ? "Encrypted" : "");
  }
};

class ObjectsPlace {
 public:
  explicit ObjectsPlace(PlaceKind kind);

  // Throws when it cannot be opened.
  std::unique_ptr<objects::Objects> open(bool fresh = true) const;
  const objects::Options& options() const { return options_; }
  const std::filesystem::path& folder() const { return temp_.path(); }
  // Of a local place: the file of an object.
  std::filesystem::path file_of(Uuid id) const;

 private:
  TempFolder temp_;
  objects::Options options_;
};

// Ids of a random tree of the test's own.
Uuid new_id();
// Bytes that differ everywhere, the same for the same seed.
Buffer pattern(std::size_t bytes, std::uint64_t seed);
void write_file(const std::filesystem::path& path, ByteSpan bytes, unsigned mode = 0600);
Buffer read_file(const std::filesystem::path& path);

// As the door's own, but what fails throws, with the error's text.
void put(objects::Objects& at, Uuid id, ByteSpan content);
Buffer get(objects::Objects& at, Uuid id, std::uint64_t offset, std::size_t bytes);
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().what);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace tusk::test
