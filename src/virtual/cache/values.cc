#include "virtual/cache/values.h"

namespace tusk::virt {

Value* Values::find(Ino ino) {
  const auto found = values_.find(static_cast<std::uint64_t>(ino));
  return found == values_.end() ? nullptr : found->second.get();
}

Value* Values::current(const std::string& key) {
  const auto found = current_.find(key);
  if (found == current_.end()) return nullptr;
  const auto& end = found->second->entry.expires_at;
  if (!end || executor_.wall_now() < *end) return found->second;
  forget_key(key);
  return nullptr;
}

Value& Values::make(const std::string& key) {
  const Ino ino{++last_ino_};
  auto& value = values_[static_cast<std::uint64_t>(ino)];
  value = std::make_unique<Value>();
  value->ino = ino;
  value->entry.key = key;
  return *value;
}

Value& Values::writers(const std::string& key) {
  Value*& value = writers_[key];
  if (!value) value = &make(key);
  return *value;
}

Value* Values::being_written(const std::string& key) {
  const auto found = writers_.find(key);
  return found == writers_.end() || !found->second->is_in_use() ? nullptr : found->second;
}

void Values::end_writers(const Value& value) {
  if (!value.is_in_use() && !value.is_lasting) drop_writers(value);
}

void Values::drop_writers(const Value& value) {
  const auto found = writers_.find(value.entry.key);
  if (found != writers_.end() && found->second == &value) writers_.erase(found);
}

Value& Values::install(store::CacheEntry entry) {
  if (Value* known = current(entry.key)) {
    const bool same =
        known->entry.created_at == entry.created_at && known->entry.size == entry.size;
    if (same) {
      known->entry.expires_at = entry.expires_at;
      if (entry.bytes) keep_bytes(*known, std::move(entry.bytes));
      return *known;
    }
  }
  Value& value = make(entry.key);
  settle(value, std::move(entry));
  return value;
}

void Values::settle(Value& value, store::CacheEntry entry) {
  forget_key(entry.key);
  value.entry.key = entry.key;
  drop_writers(value);
  const SharedBytes bytes = std::exchange(entry.bytes, nullptr);
  value.entry = std::move(entry);
  value.current = true;
  current_[value.entry.key] = &value;
  if (bytes) keep_bytes(value, bytes);
}

void Values::keep_bytes(Value& value, SharedBytes bytes) {
  if (value.entry.bytes) return;
  bytes_ += bytes->size();
  value.entry.bytes = std::move(bytes);
  recent_.push_front(value.ino);
  value.used = recent_.begin();
  trim();
}

// The one just used is at the front, and stays.
void Values::trim() {
  while ((bytes_ > kMostBytes || recent_.size() > kMostValues) && recent_.size() > 1) {
    Value& value = *find(recent_.back());
    bytes_ -= value.entry.bytes->size();
    value.entry.bytes = nullptr;
    recent_.pop_back();
    release(value);
  }
}

void Values::forget_key(const std::string& key) {
  outdated_(key);
  const auto found = current_.find(key);
  if (found == current_.end()) return;
  Value& value = *found->second;
  value.current = false;
  current_.erase(found);
  release(value);
}

void Values::forget_all_keys() {
  outdated_({});
  for (const auto& [key, value] : std::exchange(current_, {})) {
    value->current = false;
    release(*value);
  }
}

void Values::move(const std::string& key, const std::string& new_key) {
  const auto found = current_.find(key);
  outdated_(key);
  forget_key(new_key);
  if (found == current_.end()) return;
  Value* value = found->second;
  current_.erase(found);
  value->entry.key = new_key;
  current_[new_key] = value;
}

void Values::release(Value& value) {
  if (value.lookups > 0 || value.is_in_use()) return;
  if (value.current && value.entry.bytes) return;
  drop_writers(value);
  if (value.current) current_.erase(value.entry.key);
  if (value.entry.bytes) {
    bytes_ -= value.entry.bytes->size();
    recent_.erase(value.used);
  }
  values_.erase(static_cast<std::uint64_t>(value.ino));
}

}  // namespace tusk::virt
