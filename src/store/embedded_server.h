// The server of one embedded cluster: made, started, looked at and stopped. Callers hold the
// folder's start lock.
#pragma once

#include <string>

#include "store/embedded_programs.h"
#include "tuskfs/base/fd.h"
#include "tuskfs/base/result.h"

namespace tusk::store::embedded {

// Layout of a data folder: cluster/ (PostgreSQL's own), the socket, start.lock and claims.lock.
inline constexpr const char* kClusterFolder = "cluster";
inline constexpr const char* kDatabase = "tuskfs";
inline constexpr const char* kRole = "tuskfs";

class Server {
 public:
  // `data_dir` is absolute and belongs to `identity`; what is already there must be ours.
  Server(std::string data_dir, Identity identity);

  Result<void> ensure_made();
  Result<void> ensure_running();
  // Does nothing when it is down.
  Result<void> stop();
  bool running() const;

 private:
  Result<Finished> run_on(const std::string& cluster, const std::string& program,
                          std::vector<std::string> args) const;
  Result<Finished> run_in(const Fd& folder, const std::string& cluster, const std::string& program,
                          std::vector<std::string> args) const;
  Result<void> make(const Programs& programs) const;
  Result<void> write_settings(const Programs& programs) const;
  bool is_abandoned(const Fd& cluster) const;
  Result<bool> await_server_or_none(const Fd& cluster) const;
  void forget_crashed_server() const;
  Result<void> await_ready() const;
  Result<Programs> programs() const;
  bool answers() const;
  bool reachable(const std::string& folder) const;
  std::string why_it_did_not_start() const;

  std::string data_dir_, cluster_;
  Identity identity_;
};

}  // namespace tusk::store::embedded
