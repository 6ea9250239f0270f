// The operations of a schedule, each done on the core and on the model.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#include <algorithm>

#include "support/sim_world.h"

namespace tusk::testing {

void World::step() {
  for (int i = pick(4); i > 0; i--) turn();
  switch (pick(18)) {
    case 0:
    case 1:
    case 2:
      return do_create();
    case 3:
    case 4:
    case 5:
      return do_write();
    case 6:
      return do_close();
    case 7:
      return do_fsync();
    case 8:
      return do_mkdir();
    case 9:
      return do_unlink();
    case 10:
      return do_rename();
    case 11:
      return do_link();
    case 12:
      return do_truncate();
    case 13:
      return do_read();
    case 14:
      return do_chmod();
    case 15:
      return do_zero();
    case 16:
      return do_move();
    default:
      return pick(8) == 0 ? crash() : pick(2) ? do_rmdir() : pick(3) ? do_copy() : do_clone();
  }
}

void World::do_create() {
  const int folder = any(model_.folders());
  const std::string entry = name();
  std::optional<vfs::Outcome<vfs::Created>> out;
  fs_->create({}, ino(folder), entry, 0644, O_RDWR | O_EXCL, into(out));
  settle(out);
  const int code = model_.create(folder, entry, 0644);
  expect(out, code, "create " + entry);
  if (code == 0 && out && *out) {
    const int node = model_.find(folder, entry);
    inos_[node] = (*out)->entry.attr.ino;
    open_.push_back({node, inos_[node], (*out)->opened.handle});
    remember(node);
  }
}

std::string World::text() {
  const std::size_t sizes[] = {1, 50, 900, 2500, 4000, 70'000, 140'000};
  std::string out(sizes[pick(pick(4) ? 5 : 7)], static_cast<char>('A' + pick(26)));
  const std::string stamp = std::to_string(++stamp_);
  out.replace(0, std::min(stamp.size(), out.size()), stamp.substr(0, out.size()));
  return out;
}

void World::do_write() {
  if (open_.empty()) return;
  const Open file = any(open_);
  const std::string data = text();
  const std::size_t size = model_.at(file.node).current->size();
  const std::size_t places[] = {size, size, 0, size / 2, size + 10, 65'536, 65'530};
  const std::size_t offset = size < 200'000 ? places[pick(7)] : size / 3;
  std::optional<vfs::Outcome<std::size_t>> out;
  const ByteSpan bytes(reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
  fs_->write({}, file.ino, file.handle, offset, bytes, into(out));
  settle(out);
  expect(out, 0,
         "write " + std::to_string(data.size()) + " at " + std::to_string(offset) + " of " +
             std::to_string(size) + " node " + std::to_string(file.node));
  model_.write(file.node, offset, data);
}

void World::close(std::size_t i) {
  const Open file = open_[i];
  open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(i));
  fs_->release(file.ino, file.handle);
  model_.publish(file.node);
  remember(file.node);
  trace<void>("close node " + std::to_string(file.node), {});
}

void World::do_close() {
  if (!open_.empty()) close(static_cast<std::size_t>(pick(static_cast<int>(open_.size()))));
}

void World::do_fsync() {
  if (open_.empty()) return;
  const Open file = any(open_);
  std::optional<vfs::Outcome<void>> out;
  // fsync of a file keeps its last change and all before it; of a folder, everything.
  const bool everything = pick(3) == 0;
  // One state for all that is published at one moment, each file changed by it.
  std::vector<int> published;
  for (const Open& open : open_) {
    const ModelNode& node = model_.at(open.node);
    if ((everything || open.node == file.node) && *node.published != *node.current)
      published.push_back(open.node);
  }
  for (const int node : published) model_.publish(node);
  remember(published);
  const std::size_t synced = everything ? forgotten_ + past_.size() - 1 : changed_[file.node];
  if (everything) {
    fs_->fsyncdir({}, kRootIno, into(out));
  } else {
    fs_->fsync({}, file.ino, file.handle, into(out));
  }
  settle(out);
  ASSERT_TRUE(out);
  trace((everything ? "fsync all" : "fsync node " + std::to_string(file.node)) + " up to " +
            std::to_string(synced),
        *out);
  if (!*out) {
    ASSERT_EQ(out->error().value, ENOSPC) << "seed " << seed_;
    return;
  }
  forget_before(synced);
}

void World::do_mkdir() {
  const auto folders = model_.folders();
  if (folders.size() > 6) return;
  const int folder = any(folders);
  const std::string entry = name();
  std::optional<vfs::Outcome<vfs::Entry>> out;
  fs_->mkdir({}, ino(folder), entry, 0755, into(out));
  settle(out);
  expect(out, model_.mkdir(folder, entry, 0755), "mkdir");
  remember();
}

void World::do_unlink() {
  const int folder = any(model_.folders());
  const std::string entry = name();
  std::optional<vfs::Outcome<void>> out;
  fs_->unlink({}, ino(folder), entry, into(out));
  settle(out);
  const int node = model_.find(folder, entry);
  expect(out, model_.unlink(folder, entry), "unlink");
  remember(node);
}

void World::do_rmdir() {
  const int folder = any(model_.folders());
  const std::string entry = name();
  const int node = model_.find(folder, entry);
  std::optional<vfs::Outcome<void>> out;
  fs_->rmdir({}, ino(folder), entry, into(out));
  settle(out);
  const int code = model_.rmdir(folder, entry);
  expect(out, code, "rmdir");
  if (code == 0) inos_.erase(node);
  remember();
}

void World::do_rename() {
  const int folder = any(model_.folders()), to = any(model_.folders());
  const std::string entry = name(), new_entry = name();
  const bool exchange = pick(4) == 0;
  std::optional<vfs::Outcome<void>> out;
  const Ino from_ino = ino(folder), to_ino = ino(to);
  fs_->rename({}, from_ino, entry, to_ino, new_entry, exchange ? 2u : 0u, into(out));
  settle(out);
  const int node = model_.find(folder, entry);
  expect(out, model_.rename(folder, entry, to, new_entry, exchange), "rename");
  remember(node);
}

std::optional<int> World::some_file() {
  std::vector<int> files;
  for (const auto& [id, node] : model_.nodes()) {
    if (!node.folder && node.names > 0) files.push_back(id);
  }
  if (files.empty()) return std::nullopt;
  return any(files);
}

void World::do_link() {
  const auto node = some_file();
  if (!node) return;
  const int folder = any(model_.folders());
  const std::string entry = name();
  std::optional<vfs::Outcome<vfs::Entry>> out;
  const Ino file_ino = ino(*node), folder_ino = ino(folder);
  fs_->link({}, file_ino, folder_ino, entry, into(out));
  settle(out);
  expect(out, model_.link(*node, folder, entry), "link");
  remember(*node);
}

void World::do_truncate() {
  if (open_.empty()) return;
  const Open file = any(open_);
  const std::size_t sizes[] = {0, 10, 1500, 65'536, 66'000, 200'000};
  const std::size_t size = sizes[pick(6)];
  std::optional<vfs::Outcome<vfs::Attr>> out;
  vfs::AttrChange change;
  change.size = size;
  fs_->setattr({}, file.ino, change, into(out));
  settle(out);
  expect(out, 0, "truncate node " + std::to_string(file.node) + " to " + std::to_string(size));
  model_.truncate(file.node, size);
}

void World::do_zero() {
  if (open_.empty()) return;
  const Open file = any(open_);
  const std::size_t size = model_.at(file.node).current->size();
  const std::size_t places[] = {0, 100, 65'530, 65'536};
  const std::size_t lengths[] = {10, 3000, 65'536, 140'000};
  const std::size_t offset = places[pick(4)], length = lengths[pick(4)];
  const int mode = pick(2) ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : FALLOC_FL_ZERO_RANGE;
  std::optional<vfs::Outcome<void>> out;
  fs_->fallocate({}, file.ino, file.handle, mode, offset, length, into(out));
  settle(out);
  expect(out, 0, "zero " + std::to_string(length) + " at " + std::to_string(offset));
  const bool grows = mode == FALLOC_FL_ZERO_RANGE && offset + length > size;
  if (offset < size)
    model_.write(file.node, offset, std::string(std::min(length, size - offset), '\0'));
  if (grows) model_.truncate(file.node, offset + length);
}

// Between rows and objects, which nobody sees.
void World::do_move() {
  if (open_.empty()) return;
  const Open file = any(open_);
  const std::string tier = pick(2) ? "external" : "db";
  const ByteSpan value(reinterpret_cast<const std::uint8_t*>(tier.data()), tier.size());
  if (has_objects()) {
    model_.publish(file.node);
    remember(file.node);
  }
  std::optional<vfs::Outcome<void>> out;
  fs_->setxattr({}, file.ino, "user.tusk.tier", value, 0, into(out));
  settle(out);
  expect(out, has_objects() ? 0 : EOPNOTSUPP, "move to " + tier);
}

void World::do_chmod() {
  const auto node = some_file();
  if (!node) return;
  const unsigned mode = pick(2) ? 0600 : 0640;
  std::optional<vfs::Outcome<vfs::Attr>> out;
  vfs::AttrChange change;
  change.mode = mode;
  fs_->setattr({}, ino(*node), change, into(out));
  settle(out);
  expect(out, 0, "chmod");
  model_.chmod(*node, mode);
  remember(*node);
}

void World::do_copy() {
  if (open_.size() < 2) return;
  const Open from = any(open_), to = any(open_);
  if (from.node == to.node) return;
  std::optional<vfs::Outcome<std::size_t>> out;
  fs_->copy_file_range({}, {from.ino, 0, to.ino, to.handle, 0, 1 << 20}, into(out));
  settle(out);
  expect(out, 0, "copy_file_range");
  if (!out || !*out || **out == 0) return;
  model_.write(to.node, 0, model_.at(from.node).current->substr(0, **out));
  // Sharing publishes the source, then the target; closing them in that order makes it certain.
  for (const int node : {from.node, to.node}) {
    for (std::size_t i = open_.size(); i-- > 0;) {
      if (open_[i].node != node) continue;
      const Open file = open_[i];
      open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(i));
      fs_->release(file.ino, file.handle);
    }
  }
  model_.publish(from.node);
  remember(from.node);
  model_.publish(to.node);
  remember(to.node);
}

void World::do_clone() {
  std::vector<int> sources;
  for (const int folder : model_.folders()) {
    for (const auto& [entry, node] : model_.at(folder).entries) sources.push_back(node);
  }
  if (sources.empty() || sources.size() > 30) return;
  const int source = any(sources), folder = any(model_.folders());
  const bool is_folder = model_.at(source).folder;
  const std::string entry = name();
  if (model_.find(folder, entry) >= 0) return;
  if (is_folder) {
    std::optional<vfs::Outcome<vfs::Entry>> made;
    fs_->mkdir({}, ino(folder), entry, 0755, into(made));
    settle(made);
    expect(made, model_.mkdir(folder, entry, 0755), "mkdir for a clone");
  } else {
    std::optional<vfs::Outcome<vfs::Created>> made;
    fs_->create({}, ino(folder), entry, 0644, O_WRONLY | O_EXCL, into(made));
    settle(made);
    expect(made, model_.create(folder, entry, 0644), "create for a clone");
    if (made && *made) fs_->release((*made)->entry.attr.ino, (*made)->opened.handle);
  }
  const int target = model_.find(folder, entry);
  remember(target);
  std::vector<int> published;
  for (const Open& open : open_) {
    const ModelNode& node = model_.at(open.node);
    if ((is_folder || open.node == source) && *node.published != *node.current)
      published.push_back(open.node);
  }
  std::optional<vfs::Outcome<void>> out;
  fs_->clone({}, ino(source), ino(target), into(out));
  settle(out);
  const int code = model_.is_below(source, target) ? EINVAL : 0;
  expect(out, code, "clone of node " + std::to_string(source) + " as " + std::to_string(target));
  if (code != 0) return;
  for (const int node : published) model_.publish(node);
  remember(published);
  model_.clone(source, target);
  remember(target);
}

void World::do_read() {
  if (!open_.empty() && pick(2)) {
    const Open file = any(open_);
    return check_content(file.ino, *model_.at(file.node).current);
  }
  if (const auto node = some_file()) check_content(ino(*node), *model_.at(*node).current);
}

}  // namespace tusk::testing
