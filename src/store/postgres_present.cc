#include "postgres_present.h"

#include <cerrno>

#include "past_content.h"
#include "tuskfs/base/log.h"

namespace tusk::store {
namespace {

VersionContent content_of(const FileRow& row) {
  return {row.id, row.version, row.size, row.holes, row.checksum, row.object};
}

// Content that is not there is damage only where the row still says that it should be.
template <class T>
Result<T> or_replaced(Loader& loader, const FileRow& row, Result<T> content) {
  if (content || (content.error().code != ENOENT && content.error().code != EIO)) return content;
  TRY_ASSIGN(const EntryRows now, loader.entries({row.id.uuid}));
  if (now.files.empty() || now.files.front().version != row.version)
    return fail(ESTALE, "another version has taken its place");
  log::error("{}", content.error().what);
  return fail(EIO, content.error().what);
}

}  // namespace

void PostgresPresent::past_inline(const FileRow& row, Callback<Result<SharedBytes>> callback) {
  loads_.ask<SharedBytes>(
      [row](Loader& loader) {
        return or_replaced(loader, row, inline_content_of(loader, content_of(row)));
      },
      std::move(callback));
}

void PostgresPresent::past_chunks(const FileRow& row, ChunkRange range,
                                  Callback<Result<std::vector<SharedBytes>>> callback) {
  loads_.ask<std::vector<SharedBytes>>(
      [this, row, range](Loader& loader) {
        return or_replaced(loader, row, chunks_of(tiers_, loader, content_of(row), range));
      },
      std::move(callback));
}

}  // namespace tusk::store
