#include "codec.h"

#include <endian.h>

#include <cstring>

namespace tusk::store {
namespace {

// ndim, has_nulls, element type, length, lower bound: 32 bits each.
constexpr std::size_t kArrayHeaderBytes = 20;
constexpr std::uint32_t kNullLength = 0xffffffff;

void put32(std::uint8_t* at, std::uint32_t value) {
  const std::uint32_t wire = htobe32(value);
  std::memcpy(at, &wire, sizeof wire);
}

std::uint32_t get32(const std::uint8_t* at) {
  std::uint32_t wire;
  std::memcpy(&wire, at, sizeof wire);
  return be32toh(wire);
}

std::int64_t get64(const std::uint8_t* at) {
  std::uint64_t wire;
  std::memcpy(&wire, at, sizeof wire);
  return static_cast<std::int64_t>(be64toh(wire));
}

}  // namespace

void BinaryArray::add_raw(const void* value, std::size_t size) {
  const std::size_t at = buffer_.size();
  buffer_.resize(at + 4 + size);
  put32(buffer_.data() + at, static_cast<std::uint32_t>(size));
  if (size > 0) std::memcpy(buffer_.data() + at + 4, value, size);
  count_++;
}

void BinaryArray::add(const Uuid& value) { add_raw(value.bytes.data(), value.bytes.size()); }
void BinaryArray::add(std::int64_t value) {
  const std::uint64_t wire = htobe64(static_cast<std::uint64_t>(value));
  add_raw(&wire, sizeof wire);
}
void BinaryArray::add(bool value) {
  const std::uint8_t wire = value ? 1 : 0;
  add_raw(&wire, sizeof wire);
}
void BinaryArray::add(std::string_view value) { add_raw(value.data(), value.size()); }
void BinaryArray::add(ByteSpan value) { add_raw(value.data(), value.size()); }

void BinaryArray::add_null() {
  const std::size_t at = buffer_.size();
  buffer_.resize(at + 4);
  put32(buffer_.data() + at, kNullLength);
  has_nulls_ = true;
  count_++;
}

ByteSpan BinaryArray::finish() {
  std::uint8_t* header = buffer_.data();
  put32(header, 1);
  put32(header + 4, has_nulls_ ? 1 : 0);
  put32(header + 8, static_cast<std::uint32_t>(type_));
  put32(header + 12, count_);
  put32(header + 16, 1);
  return buffer_;
}

void BinaryArray::clear() {
  buffer_.resize(kArrayHeaderBytes);
  count_ = 0;
  has_nulls_ = false;
}

Params& Params::own(const void* value, std::size_t size) {
  places_.push_back({nullptr, owned_.size()});
  owned_.resize(owned_.size() + size);
  if (size > 0) std::memcpy(owned_.data() + places_.back().offset, value, size);
  lengths_.push_back(static_cast<int>(size));
  formats_.push_back(1);
  return *this;
}

Params& Params::add_view(ByteSpan value) {
  places_.push_back({value.data(), 0});
  lengths_.push_back(static_cast<int>(value.size()));
  formats_.push_back(1);
  return *this;
}

std::vector<const char*> Params::values() const {
  std::vector<const char*> out;
  out.reserve(places_.size());
  for (std::size_t i = 0; i < places_.size(); i++) {
    const std::uint8_t* at =
        places_[i].outside ? places_[i].outside : owned_.data() + places_[i].offset;
    // A null pointer would mean SQL null.
    out.push_back(lengths_[i] == 0 ? "" : reinterpret_cast<const char*>(at));
  }
  return out;
}

Params& Params::add(const Uuid& value) { return own(value.bytes.data(), value.bytes.size()); }
Params& Params::add(std::int64_t value) {
  const std::uint64_t wire = htobe64(static_cast<std::uint64_t>(value));
  return own(&wire, sizeof wire);
}
Params& Params::add(bool value) {
  const std::uint8_t wire = value ? 1 : 0;
  return own(&wire, sizeof wire);
}
Params& Params::add(std::string_view value) { return own(value.data(), value.size()); }

std::int64_t Row::integer(int column) const {
  const ByteSpan wire = bytes(column);
  switch (wire.size()) {
    case 2:
      return static_cast<std::int16_t>(wire[0] << 8 | wire[1]);
    case 4:
      return static_cast<std::int32_t>(get32(wire.data()));
    case 8:
      return get64(wire.data());
    default:
      return 0;
  }
}

Uuid Row::uuid(int column) const {
  Uuid id;
  const ByteSpan wire = bytes(column);
  if (wire.size() == id.bytes.size()) std::memcpy(id.bytes.data(), wire.data(), wire.size());
  return id;
}

std::string_view Row::text(int column) const {
  return {PQgetvalue(result_, row_, column),
          static_cast<std::size_t>(PQgetlength(result_, row_, column))};
}

ByteSpan Row::bytes(int column) const {
  return {reinterpret_cast<const std::uint8_t*>(PQgetvalue(result_, row_, column)),
          static_cast<std::size_t>(PQgetlength(result_, row_, column))};
}

std::optional<std::vector<std::int64_t>> Row::integers(int column) const {
  const ByteSpan wire = bytes(column);
  if (wire.size() < 12) return std::nullopt;
  const std::uint32_t dimensions = get32(wire.data());
  if (dimensions == 0) return std::vector<std::int64_t>{};
  if (dimensions != 1 || get32(wire.data() + 4) != 0 || wire.size() < kArrayHeaderBytes) {
    return std::nullopt;
  }
  const std::size_t count = get32(wire.data() + 12);
  constexpr std::size_t kElementBytes = 12;
  if (wire.size() != kArrayHeaderBytes + count * kElementBytes) return std::nullopt;
  std::vector<std::int64_t> values(count);
  for (std::size_t i = 0; i < count; i++) {
    values[i] = get64(wire.data() + kArrayHeaderBytes + i * kElementBytes + 4);
  }
  return values;
}

}  // namespace tusk::store
