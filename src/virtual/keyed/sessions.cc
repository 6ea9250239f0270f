// sessions/HASH: what an application keeps of a client. They are listed by the hashes of their
// tokens, and found by hash or token.
#include "virtual/keyed/places.h"

namespace tusk::virt {

Place sessions() {
  Place session{.mode = S_IFREG | 0600,
                .find = "keyed_session_find",
                .remove = "keyed_session_remove",
                .read = "keyed_session_read"};
  session.write = [](std::string_view text) -> vfs::Outcome<store::KeyedQuestion> {
    return store::KeyedQuestion{"keyed_session_write", {std::string(text)}};
  };
  session.writing = Writing::at_close;
  session.most = 8u << 20;
  Place ttl =
      ttl_folder("keyed_session_ttl_list", "keyed_session_ttl_read", "keyed_session_ttl_write", {});
  ttl.mode = S_IFDIR | 0700;
  ttl.places[0].mode = S_IFREG | 0600;
  Place folder{.name = "sessions", .mode = S_IFDIR | 0700, .list = "keyed_session_list"};
  folder.places.push_back(std::move(ttl));
  folder.places.push_back(std::move(session));
  return folder;
}

}  // namespace tusk::virt
