#include "objects/s3/s3.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "objects/location.h"
#include "objects/s3/pieces.h"
#include "objects/s3/upload.h"
#include "objects/s3/verbs.h"
#include "tuskfs/base/times.h"

namespace tusk::objects {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kFileBytesAtOnce = 8 << 20;

// Ids of objects that are being written; outlives the uploads.
class Writing {
 public:
  bool enter(Uuid id) {
    const std::lock_guard lock(mutex_);
    return ids_.insert(id).second;
  }
  void leave(Uuid id) {
    const std::lock_guard lock(mutex_);
    ids_.erase(id);
  }

 private:
  std::mutex mutex_;
  std::set<Uuid> ids_;
};

class S3Objects final : public Place {
 public:
  struct Parts {
    S3Place place;
    Credentials credentials;
    Patience patience;
    std::string folder;
    std::uint64_t cache_bytes;
  };
  explicit S3Objects(Parts parts)
      : client_(std::move(parts.place), std::move(parts.credentials), parts.patience),
        folder_(std::move(parts.folder)),
        pieces_(folder_, {.disk_pieces = parts.cache_bytes / kPieceBytes},
                [this](const PieceId& id) { return fetch(id); }) {}

  Result<void> open(const Opening& opening);
  const std::string& mark() const override { return mark_; }
  Result<void> change_mark(const std::string& text) override;

  Result<std::unique_ptr<Upload>> create(Uuid id, std::optional<Base> base) override;
  Result<std::size_t> read(Uuid id, std::uint64_t offset, std::span<std::uint8_t> into) override {
    return pieces_.read(id, offset, into);
  }
  Result<void> remove(Uuid id) override;
  Result<void> list(const std::function<void(const Listed&)>& found) override;
  Result<void> save_as(Uuid id, const fs::path& target) override;
  Result<void> restore_from(Uuid id, const fs::path& source) override;
  Result<std::optional<std::uint64_t>> size(Uuid id) override {
    return s3_size(client_, name_of(id));
  }
  std::string url(Uuid id) const override {
    return fmt::format("s3://{}/{}", client_.place().bucket, name_of(id));
  }

 private:
  std::string name_of(Uuid id) const { return client_.place().prefix + key_of(id); }
  std::optional<Listed> listed(const S3Item& item) const;
  Result<Pieces::Fetched> fetch(const PieceId& id);
  Result<void> abort_uploads(const std::string& key);
  Result<void> download(Uuid id, const Fd& to, const fs::path& target);

  S3Client client_;
  const std::string folder_;
  Writing writing_;
  std::string mark_;
  Pieces pieces_;
};

Result<void> S3Objects::open(const Opening& opening) {
  TRY_ASSIGN(auto mark, s3_get_small(client_, client_.place().prefix + kMark));
  if (mark) {
    mark_ = std::move(*mark);
    return {};
  }
  if (opening.fresh) return change_mark(opening.mark);
  return fail(ENOENT, fmt::format("s3://{}/{} does not hold the objects of this tree",
                                  client_.place().bucket, client_.place().prefix));
}

Result<void> S3Objects::change_mark(const std::string& text) {
  TRY(s3_put(client_, client_.place().prefix + kMark, {.bytes = bytes_of(text)}));
  mark_ = text;
  return {};
}

Result<std::unique_ptr<Upload>> S3Objects::create(Uuid id, std::optional<Base> base) {
  const std::string key = name_of(id);
  const auto exists = [&] {
    return fail(EEXIST, fmt::format("cannot create {}: it exists", url(id)));
  };
  if (!writing_.enter(id)) return exists();
  std::shared_ptr<void> left(nullptr, [this, id](void*) { writing_.leave(id); });
  TRY_ASSIGN(const auto size, s3_size(client_, key));
  if (size) return exists();
  std::optional<S3Upload::Base> from;
  if (base) {
    TRY_ASSIGN(const auto there, s3_size(client_, name_of(base->id)));
    if (!there) return fail(ENOENT, fmt::format("cannot copy {}: it is not there", url(base->id)));
    from = {.key = name_of(base->id),
            .size = std::min(*there, base->size),
            .read = [this, of = base->id](std::uint64_t offset, std::span<std::uint8_t> into) {
              return read(of, offset, into);
            }};
  }
  TRY_ASSIGN(Spool spool, Spool::open(folder_));
  return std::make_unique<S3Upload>(client_,
                                    S3Upload::Parts{.key = key,
                                                    .spool = std::move(spool),
                                                    .base = std::move(from),
                                                    .ended = [left]() mutable { left.reset(); }});
}

Result<Pieces::Fetched> S3Objects::fetch(const PieceId& id) {
  TRY_ASSIGN(S3Piece piece, s3_get(client_, name_of(id.object),
                                   {.offset = id.number * kPieceBytes, .bytes = kPieceBytes}));
  return Pieces::Fetched{.bytes = std::move(piece.bytes), .object_bytes = piece.object_bytes};
}

// A finished object has no parts lying about, so most removals are two short requests.
Result<void> S3Objects::remove(Uuid id) {
  pieces_.drop(id);
  const std::string key = name_of(id);
  TRY_ASSIGN(const auto size, s3_size(client_, key));
  if (size) return s3_delete(client_, key);
  return abort_uploads(key);
}

Result<void> S3Objects::abort_uploads(const std::string& key) {
  std::vector<S3Multipart> left;
  TRY(s3_list_uploads(client_, key, [&](const S3Item& item) {
    if (item.key == key) left.push_back({.key = key, .id = item.upload_id});
  }));
  for (const S3Multipart& each : left) TRY(s3_abort(client_, each, 0));
  return {};
}

std::optional<Listed> S3Objects::listed(const S3Item& item) const {
  if (!item.key.starts_with(client_.place().prefix)) return std::nullopt;
  const std::string key = item.key.substr(client_.place().prefix.size());
  const auto id = id_in(key);
  if (!id || key != key_of(*id)) return std::nullopt;
  const auto changed = parse_time(item.changed);
  return Listed{.id = *id, .bytes = item.bytes, .changed = changed.value_or(WallTime{})};
}

Result<void> S3Objects::list(const std::function<void(const Listed&)>& found) {
  const S3Found pass = [&](const S3Item& item) {
    if (const auto one = listed(item)) found(*one);
  };
  TRY(s3_list(client_, client_.place().prefix, pass));
  return s3_list_uploads(client_, client_.place().prefix, pass);
}

Result<void> S3Objects::save_as(Uuid id, const fs::path& target) {
  const auto failed = [&](const char* what) {
    return fail(errno,
                fmt::format("cannot {} {}: {}", what, target.string(), std::strerror(errno)));
  };
  const Fd to(::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400));
  if (!to) return failed("create");
  auto saved = download(id, to, target);
  if (saved && ::fsync(to.get()) != 0) saved = failed("make durable");
  if (!saved) ::unlink(target.c_str());
  return saved;
}

Result<void> S3Objects::download(Uuid id, const Fd& to, const fs::path& target) {
  std::uint64_t at = 0;
  for (;;) {
    TRY_ASSIGN(const S3Piece piece,
               s3_get(client_, name_of(id), {.offset = at, .bytes = kFileBytesAtOnce}));
    if (!write_all(to.get(), piece.bytes)) {
      return fail(errno, fmt::format("cannot write {}: {}", target.string(), std::strerror(errno)));
    }
    at += piece.bytes.size();
    if (at >= piece.object_bytes.value_or(at)) return {};
  }
}

Result<void> S3Objects::restore_from(Uuid id, const fs::path& source) {
  const auto failed = [&](const char* what) {
    return fail(errno,
                fmt::format("cannot {} {}: {}", what, source.string(), std::strerror(errno)));
  };
  const Fd from(::open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!from) return failed("open");
  TRY(remove(id));
  TRY_ASSIGN(const auto upload, create(id, std::nullopt));
  Buffer piece(kFileBytesAtOnce);
  for (std::uint64_t at = 0;;) {
    const ssize_t n = ::pread(from.get(), piece.data(), piece.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("read");
    if (n == 0) return upload->finish(at);
    TRY(upload->write(at, ByteSpan(piece).first(static_cast<std::size_t>(n))));
    at += static_cast<std::uint64_t>(n);
  }
}

}  // namespace

Result<std::unique_ptr<Place>> open_s3(const Options& options, const Opening& opening,
                                       const Patience& patience) {
  TRY_ASSIGN(S3Place place, s3_place(options));
  TRY_ASSIGN(Credentials credentials, find_credentials());
  std::string folder = options.access.cache_folder;
  if (folder.empty()) folder = default_cache_folder();
  auto objects =
      std::make_unique<S3Objects>(S3Objects::Parts{.place = std::move(place),
                                                   .credentials = std::move(credentials),
                                                   .patience = patience,
                                                   .folder = std::move(folder),
                                                   .cache_bytes = options.access.cache_bytes});
  TRY(objects->open(opening));
  return objects;
}

}  // namespace tusk::objects
