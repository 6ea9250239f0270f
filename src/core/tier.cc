#include "core/tier.h"

#include <algorithm>

#include "core/content_ops.h"
#include "core/core.h"
#include "core/loads.h"
#include "core/policy.h"
#include "core/publish.h"

namespace tusk::core {
namespace {

using store::ChunkSource;
using store::Form;

// A file that shrinks comes back into the database; one larger than this only by a command, as its
// chunks pass through memory.
constexpr std::uint64_t kComesBack = 64 << 20;
constexpr std::int64_t kMovedAtOnce = 64;

// What the next cut may still add to.
ContentLayer* coming(Content& content) {
  if (content.layers.empty() || content.layers.back().ended) return nullptr;
  return &content.layers.back();
}

// Everything that the coming content does not bring itself.
ChunkSource base_of(const Node& node) {
  const FileState& file = node.file;
  const Content& content = *file.content;
  // Rows staged ahead count as well; what is a hole in the end is not asked for.
  const ChunkSource rows{file.version + 1, {}, kMostBytes, {}};
  if (content.staged) return rows;
  if (content.rewritten || content.published->form == Form::inline_data) return {};
  if (!file.object) return rows;
  return {0, file.object, content.published->size, content.published->holes};
}

}  // namespace

bool has_object(const Node& node) {
  const Content* content = node.file.content.get();
  return node.file.object || (content && !content->layers.empty());
}

bool goes_out(Core& core, Node& node) {
  const auto limit = external_above(core, node);
  if (!limit) return false;
  Content& content = *node.file.content;
  // Shares of rows are rows.
  if (content.delta && !content.delta->shares.empty()) return false;
  if (content.moving) return content.moving->out;
  if (node.file.size > *limit) return true;
  const ContentLayer* layer = coming(content);
  const bool has_begun = layer && layer->object;
  return has_begun || (node.file.object && node.file.size > kComesBack);
}

ContentLayer& coming_object(Core& core, Node& node) {
  Content& content = *node.file.content;
  ContentLayer* layer = coming(content);
  if (!layer) {
    content.layers.push_back({.base = base_of(node)});
    layer = &content.layers.back();
  }
  if (!layer->object) layer->object = core.new_id();
  return *layer;
}

void publish_out(Core& core, Node& node, GroupNo group) {
  ContentLayer& layer = coming_object(core, node);
  layer.finished = group;
  node.file.object = layer.object;
}

void publish_in(Node& node, GroupNo group) {
  const auto object = std::exchange(node.file.object, std::nullopt);
  if (!object) return;
  Content& content = *node.file.content;
  // Nothing but what is put: no chunk comes from there.
  if (content.rewritten) return;
  // Nor do those that were staged as rows.
  IntervalSet void_of(content.published->holes);
  for (const auto& range : content.touched.ranges()) void_of.add(range.first, range.last);
  content.layers.push_back(
      {.base = {0, object, content.published->size, void_of.ranges()}, .finished = group});
}

void publish_adopted(Node& node, Uuid object) {
  abandon_coming(node);
  node.file.object = object;
}

void abandon_coming(Node& node) {
  Content& content = *node.file.content;
  if (content.layers.empty()) return;
  if (!content.delta) content.delta = std::make_unique<Delta>();
  for (const ContentLayer& layer : content.layers) {
    if (layer.object && layer.opened != GroupNo{} && !layer.ended)
      content.delta->abandoned.push_back(*layer.object);
  }
  content.layers.clear();
}

Attempt<void> move_tier(Core& core, Node& node, bool out) {
  if (!core.has_objects) return error(EOPNOTSUPP);
  if (!node.is_regular()) return error(EINVAL);
  ATTEMPT(core.txg.admit(0));
  if (!node.file.content || !node.file.content->moving) {
    publish(core, node);
    if (node.file.size == 0 || out == node.file.object.has_value()) return {};
    // From where it is, not from where it is to be.
    if (!core.txg.is_committed(node.group)) return wait_on(core.txg.want_commit());
    if (node.file.form == Form::inline_data) {
      if (!out) return {};
      ATTEMPT(load_whole(core, node));
      to_chunks(core, node);
    }
    begin_change(core, node).moving = TierMove{.out = out};
  }
  TierMove& move = *node.file.content->moving;
  // What goes out is copied by the store; what comes in passes through here, some of it at a time.
  while (!move.out && move.next < chunks_in(node.file.size)) {
    ATTEMPT(core.txg.admit(kMovedAtOnce * store::kChunkBytes));
    const std::int64_t last = std::min(move.next + kMovedAtOnce, chunks_in(node.file.size));
    ATTEMPT(load_chunks(core, node, move.next, last));
    rewrite_chunks(core, node, {move.next, last});
    move.next = last;
  }
  publish(core, node);
  return {};
}

void settle_layers(const Core& core, Content& content) {
  auto& layers = content.layers;
  while (!layers.empty() && layers.front().ended && core.txg.is_committed(layers.front().finished))
    layers.erase(layers.begin());
}

bool rows_are_leaving(const Core& core, Content& content) {
  settle_layers(core, content);
  return std::ranges::any_of(content.layers, [](const ContentLayer& layer) {
    return layer.ended && layer.object && !layer.base.object && layer.base.size > 0;
  });
}

bool is_staged_row(const Node& node, std::int64_t chunk) {
  const Content& content = *node.file.content;
  if (content.staged && content.touched.contains(chunk)) return true;
  return std::ranges::any_of(content.layers, [chunk](const ContentLayer& layer) {
    return !layer.object &&
           (chunk >= chunks_in(layer.base.size) || IntervalSet(layer.base.holes).contains(chunk));
  });
}

store::ChunkQuery chunk_query(Core& core, Node& node, store::ChunkRange range) {
  Content& content = *node.file.content;
  settle_layers(core, content);
  const bool in_row = is_staged_row(node, range.first);
  store::ChunkQuery query{node.file_id(),
                          range,
                          node.file.version + (content.staged ? 1 : 0),
                          {},
                          in_row ? std::nullopt : node.file.object};
  if (content.layers.empty()) return query;
  for (auto layer = content.layers.rbegin(); layer != content.layers.rend(); ++layer) {
    const bool is_there = layer->opened != GroupNo{} && core.txg.is_committed(layer->opened);
    if (layer->object && is_there) query.writing.push_back(*layer->object);
  }
  if (in_row) return query;
  const ChunkSource& bottom = content.layers.front().base;
  query.object = bottom.object;
  if (!bottom.object && bottom.version > 0) query.version = bottom.version;
  return query;
}

}  // namespace tusk::core
