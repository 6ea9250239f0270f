// A mount of the sidecar alone, by the real binary; gone at the end of the test however that ends.
#pragma once

#include <string>

#include "support/mount.h"
#include "support/process.h"

namespace tusk::test {

class SidecarMount {
 public:
  explicit SidecarMount(const std::string& conninfo);
  ~SidecarMount();
  SidecarMount(const SidecarMount&) = delete;
  SidecarMount& operator=(const SidecarMount&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path stats(const std::string& name) const { return path_ / "stats" / name; }

 private:
  TempFolder temp_;
  std::filesystem::path path_;
  Child driver_;
};

}  // namespace tusk::test
