#include "support/objects_place.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>

#include "objects/location.h"
#include "support/s3_server.h"

namespace tusk::test {

ObjectsPlace::ObjectsPlace(PlaceKind kind) {
  options_.location = temp_.path() / "place";
  options_.access.cache_folder = temp_.path() / "cache";
  options_.tree = TenantId{new_id()};
  if (kind.s3) options_.location = shared_s3_server().location();
  if (!kind.encrypted) return;
  options_.access.keyfile = temp_.path() / "key";
  write_file(options_.access.keyfile, pattern(32, 4711));
}

std::unique_ptr<objects::Objects> ObjectsPlace::open(bool fresh) const {
  return must(objects::open(options_, fresh));
}

std::filesystem::path ObjectsPlace::file_of(Uuid id) const {
  return std::filesystem::path(options_.location) / options_.tree.uuid.text() / objects::key_of(id);
}

Uuid new_id() {
  static std::atomic<std::uint64_t> next = 1;
  static const std::uint64_t run = std::random_device()();
  return Uuid::v7(1'700'000'000'000, run, run << 32 | next++);
}

Buffer pattern(std::size_t bytes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Buffer content(bytes);
  for (std::size_t i = 0; i < bytes; i += 8) {
    const std::uint64_t word = random();
    std::memcpy(content.data() + i, &word, std::min<std::size_t>(8, bytes - i));
  }
  return content;
}

void write_file(const std::filesystem::path& path, ByteSpan bytes, unsigned mode) {
  std::filesystem::remove(path);
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd || ::write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
      ::fchmod(fd.get(), mode) != 0)
    throw std::runtime_error("cannot write " + path.string());
}

Buffer read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return {text.begin(), text.end()};
}

void put(objects::Objects& at, Uuid id, ByteSpan content) {
  const auto upload = must(at.create(id, std::nullopt));
  must(upload->write(0, content));
  must(upload->finish(content.size()));
}

Buffer get(objects::Objects& at, Uuid id, std::uint64_t offset, std::size_t bytes) {
  Buffer into(bytes);
  into.resize(must(at.read(id, offset, into)));
  return into;
}

}  // namespace tusk::test
