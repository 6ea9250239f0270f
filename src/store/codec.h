// PostgreSQL's binary formats: the one place that knows the byte order of the wire.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "tuskfs/base/bytes.h"
#include "tuskfs/base/ids.h"

namespace tusk::store {

// Element types of the arrays that statements take, by their fixed ids in pg_type.
enum class ElementType : std::uint32_t {
  boolean = 16,
  bytea = 17,
  int8 = 20,
  text = 25,
  uuid = 2950,
};

// A one-dimensional array in binary form, built element by element.
class BinaryArray {
 public:
  explicit BinaryArray(ElementType type) : type_(type) { clear(); }

  void add(const Uuid& value);
  void add(std::int64_t value);
  void add(bool value);
  void add(std::string_view value);
  void add(ByteSpan value);
  void add_null();
  template <class Tag>
  void add(const Id<Tag>& value) {
    add(value.uuid);
  }
  template <class T>
  void add(const std::optional<T>& value) {
    if (value) {
      add(*value);
    } else {
      add_null();
    }
  }

  std::size_t bytes() const { return buffer_.size(); }
  // The finished form; valid until the next add() or clear().
  ByteSpan finish();
  void clear();

 private:
  void add_raw(const void* value, std::size_t size);

  ElementType type_;
  std::uint32_t count_ = 0;
  bool has_nulls_ = false;
  Buffer buffer_;
};

// The parameters of one statement, all in binary form.
class Params {
 public:
  Params& add(const Uuid& value);
  Params& add(std::int64_t value);
  Params& add(bool value);
  Params& add(std::string_view value);
  // Not copied: must outlive the call that sends it.
  Params& add_view(ByteSpan value);
  template <class Tag>
  Params& add(const Id<Tag>& value) {
    return add(value.uuid);
  }

  int count() const { return static_cast<int>(lengths_.size()); }
  // As libpq takes them; valid while this lives and is not added to.
  std::vector<const char*> values() const;
  const int* lengths() const { return lengths_.data(); }
  const int* formats() const { return formats_.data(); }

 private:
  Params& own(const void* value, std::size_t size);

  struct Place {
    const std::uint8_t* outside;  // null: in owned_
    std::size_t offset;
  };
  std::vector<Place> places_;
  Buffer owned_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
};

// One row of a binary result. Columns are told by position, as the statement lists them.
class Row {
 public:
  Row(const PGresult* result, int row) : result_(result), row_(row) {}

  bool is_null(int column) const { return PQgetisnull(result_, row_, column) != 0; }
  std::int64_t integer(int column) const;  // of two, four or eight bytes
  bool is_boolean(int column) const { return PQftype(result_, column) == 16; }
  bool boolean(int column) const { return *PQgetvalue(result_, row_, column) != 0; }
  Uuid uuid(int column) const;
  std::string_view text(int column) const;
  ByteSpan bytes(int column) const;
  // Of int8[]; absent when it is not of one dimension or holds a null.
  std::optional<std::vector<std::int64_t>> integers(int column) const;

 private:
  const PGresult* result_;
  int row_;
};

}  // namespace tusk::store
