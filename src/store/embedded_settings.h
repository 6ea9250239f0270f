// The settings of an embedded cluster.
#pragma once

#include <string>

namespace tusk::store::embedded {

inline constexpr const char* kSettingsFile = "tuskfs.conf";

// Content of kSettingsFile, which the cluster's postgresql.conf includes. Written anew at each
// start; ALTER SYSTEM has the last word.
std::string settings(bool with_lz4);

}  // namespace tusk::store::embedded
