#include "core/dir.h"

#include <gtest/gtest.h>

#include "core/node.h"

namespace tusk::core {
namespace {

TEST(Dir, positions_stay_true_while_entries_come_and_go) {
  Dir dir;
  Node node;
  dir.open_handles = 1;
  for (int i = 0; i < 200; i++) dir.add("n" + std::to_string(i), node);
  const std::size_t position = dir.position("n150");
  for (int i = 0; i < 150; i++) dir.remove("n" + std::to_string(i));
  EXPECT_EQ(dir.position("n150"), position);
  EXPECT_EQ(dir.size(), 50u);
}

TEST(Dir, forgets_gone_positions_once_nobody_reads_it) {
  Dir dir;
  Node node;
  for (int i = 0; i < 200; i++) dir.add("n" + std::to_string(i), node);
  for (int i = 0; i < 199; i++) dir.remove("n" + std::to_string(i));
  EXPECT_LT(dir.slots().size(), 100u);
  EXPECT_EQ(dir.find("n199"), &node);
  EXPECT_EQ(dir.find("n0"), nullptr);
}

TEST(Dir, replacing_a_name_keeps_its_position) {
  Dir dir;
  Node one, two;
  dir.add("a", one);
  dir.add("b", one);
  dir.replace("a", two);
  EXPECT_EQ(dir.find("a"), &two);
  EXPECT_EQ(dir.position("a"), 0u);
}

}  // namespace
}  // namespace tusk::core
