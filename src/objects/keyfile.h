// The key that objects are encrypted with, and the file it comes from.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "tuskfs/base/result.h"

namespace tusk::objects {

// Wiped when it goes.
struct MasterKey {
  std::array<std::uint8_t, 32> bytes{};
  MasterKey() = default;
  MasterKey(const MasterKey&) = default;
  MasterKey& operator=(const MasterKey&) = default;
  ~MasterKey();
};

// 32 bytes: as they are, as 64 hexadecimal digits or in base64. EACCES: others may read the file.
Result<MasterKey> read_keyfile(const std::string& path);

// Tells keys apart and says nothing of the key.
using KeyId = std::array<std::uint8_t, 16>;
KeyId id_of(const MasterKey&);

}  // namespace tusk::objects
