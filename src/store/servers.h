// Which of the servers that a connection string names is talked to.
//
// 1. They are tried one by one, the one that served last first. Of several, only one that takes
//    writes will do, unless the string says otherwise (target_session_attrs).
// 2. A primary whose timeline is older than one that was seen is a former primary that came back:
//    it is not used, whatever it answers.
//
// Any thread.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "conninfo.h"
#include "pg_failure.h"

namespace tusk::store {

struct PgConnDeleter {
  void operator()(PGconn* conn) const { PQfinish(conn); }
};
using PgConn = std::unique_ptr<PGconn, PgConnDeleter>;

// A session as libpq hands it over, and whose it is.
struct ServerSession {
  PgConn conn;
  std::string address;        // as the string names it; empty: it names only one
  int backend_pid = 0;        // the server's own, also behind a pooler
  bool is_pooled = false;     // somebody between passes it on
  bool is_standby = false;    // takes no writes
  std::int64_t timeline = 0;  // of a primary; 0: not known
};

class Servers {
 public:
  // A standby is preferred for reading alone; where none can be had, the primary will do.
  enum class Wanted { primary, standby };

  explicit Servers(Wanted wanted = Wanted::primary) : wanted_(wanted) {}

  PgExpected<ServerSession> connect(const std::string& conninfo);
  // Whether another server has become the primary since `address` was, on that timeline. Asked when
  // an answer is late: a host that vanished, or froze, tells nobody.
  bool has_successor(const std::string& conninfo, const std::string& address,
                     std::int64_t timeline);

 private:
  struct Manner {
    const char* session_attrs = nullptr;  // unless the string says them
    const char* connect_timeout = nullptr;
  };

  PgExpected<ServerSession> connect_any(const std::string& conninfo,
                                        const std::vector<ServerAddress>& addresses,
                                        const Manner& manner);
  PgExpected<ServerSession> connect_to(const std::string& conninfo, const ServerAddress& address,
                                       const Manner& manner);
  PgExpected<void> note(const ServerSession& session);
  void begin_with_last(std::vector<ServerAddress>& addresses);

  const Wanted wanted_;
  std::mutex mutex_;
  std::string last_;           // that served; guarded by mutex_
  std::int64_t timeline_ = 0;  // the newest seen; guarded by mutex_
};

}  // namespace tusk::store
