// The checkers of histories on histories made by hand: they pass what may be, and find what may
// not.
#include <gtest/gtest.h>

#include <cerrno>

#include "support/names_check.h"
#include "support/register_check.h"

namespace tusk::test {
namespace {

RegisterHistory written(std::vector<RegisterWrite> writes, std::vector<RegisterRead> reads) {
  return {"r", "0", std::move(writes), std::move(reads)};
}
std::size_t faults(const RegisterHistory& history, Order order = Order::close_to_open) {
  return faults_of(history, order).size();
}

TEST(RegisterCheck, reads_of_the_last_write_and_of_those_under_way_are_legal) {
  EXPECT_EQ(faults(written({{"1", {10, 20}}, {"2", {30, 40}}}, {{"0", {1, 5}},
                                                                {"0", {12, 14}},
                                                                {"1", {13, 18}},
                                                                {"1", {25, 28}},
                                                                {"1", {31, 50}},
                                                                {"2", {31, 35}},
                                                                {"2", {60, 70}}})),
            0u);
}

TEST(RegisterCheck, a_stale_read_is_found) {
  EXPECT_EQ(faults(written({{"1", {10, 20}}}, {{"0", {21, 30}}})), 1u);
  EXPECT_EQ(faults(written({{"1", {10, 20}}, {"2", {30, 40}}}, {{"1", {41, 50}}})), 1u);
}

TEST(RegisterCheck, a_value_out_of_thin_air_or_of_the_future_is_found) {
  EXPECT_EQ(faults(written({{"1", {10, 20}}}, {{"half of 1", {12, 14}}})), 1u);
  EXPECT_EQ(faults(written({{"1", {10, 20}}}, {{"1", {1, 9}}})), 1u);
}

TEST(RegisterCheck, a_write_that_comes_back_over_a_later_one_is_found) {
  // Both reads are after both writes: only one can be the last.
  EXPECT_EQ(faults(written({{"1", {10, 30}}, {"2", {10, 30}}}, {{"1", {40, 41}}, {"2", {50, 51}}})),
            1u);
}

TEST(RegisterCheck, a_cycle_over_three_writes_is_found) {
  EXPECT_EQ(faults(written({{"1", {10, 100}}, {"2", {10, 100}}, {"3", {10, 20}}},
                           {{"3", {101, 102}}, {"1", {103, 104}}, {"2", {105, 106}}})) > 0,
            true);
}

TEST(RegisterCheck, what_was_cut_short_may_have_happened_late_or_never) {
  EXPECT_EQ(faults(written({{"1", {10, kNever}}, {"2", {30, 40}}}, {{"2", {50, 60}}})), 0u);
  EXPECT_EQ(faults(written({{"1", {10, kNever}}, {"2", {30, 40}}},
                           {{"2", {50, 60}}, {"1", {70, 80}}, {"1", {90, 91}}})),
            0u);
  EXPECT_EQ(faults(written({{"1", {10, kNever}}, {"2", {30, 40}}, {"3", {85, 86}}},
                           {{"1", {70, 80}}, {"1", {90, 91}}})),
            1u);
}

TEST(RegisterCheck, only_the_atomic_order_forbids_to_see_a_write_under_way_and_then_not) {
  const auto history = written({{"1", {10, 50}}}, {{"1", {20, 25}}, {"0", {30, 35}}});
  EXPECT_EQ(faults(history, Order::close_to_open), 0u);
  EXPECT_EQ(faults(history, Order::atomic), 1u);
}

TEST(RegisterCheck, nothing_is_there_only_while_somebody_writes_so) {
  const RegisterWrite in_place{.value = "1", .span = {10, 20}, .empties = true};
  EXPECT_EQ(faults(written({in_place}, {{"", {12, 14}}})), 0u);
  EXPECT_EQ(faults(written({in_place}, {{"", {21, 22}}})), 1u);
  EXPECT_EQ(faults(written({{"1", {10, 20}}}, {{"", {12, 14}}})), 1u);
  const RegisterWrite cut{.value = "1", .span = {10, kNever}, .empties = true, .told = 20};
  EXPECT_EQ(faults(written({cut}, {{"", {90, 91}}})), 0u);
  EXPECT_EQ(faults(written({cut, {"2", {30, 40}}}, {{"", {90, 91}}})), 1u);
}

TEST(RegisterCheck, only_reads_that_may_lag_may_miss_what_is_shown_later) {
  const RegisterWrite write{.value = "1", .span = {10, 20}, .shown = 100};
  EXPECT_EQ(faults(written({write}, {{"0", {50, 60}, true}})), 0u);
  EXPECT_EQ(faults(written({write}, {{"0", {101, 110}, true}})), 1u);
  EXPECT_EQ(faults(written({write}, {{"0", {50, 60}, false}})), 1u);
}

using Kind = NameStep::Kind;

class NamesCheckTest : public ::testing::Test {
 protected:
  enum { a, b, folder, below };
  const NameSpace names_{{{"a"}, {"b"}, {"d"}, {"d/x", folder}}};

  static NameStep step(Kind kind, int name, int outcome, Moment begun, Moment ended) {
    return {.kind = kind, .name = name, .outcome = outcome, .span = {begun, ended}};
  }
  static NameStep move(int name, int other, int outcome, Moment begun, Moment ended,
                       Kind kind = Kind::rename) {
    return {kind, name, other, outcome, {begun, ended}};
  }
  bool may_be(const std::vector<NameStep>& steps, Moment lag = 0) const {
    return names_fault(names_, steps, lag).empty();
  }
};

TEST_F(NamesCheckTest, one_after_the_other_as_the_calls_are_described) {
  EXPECT_TRUE(may_be(
      {step(Kind::create, a, 0, 1, 2), step(Kind::create, a, EEXIST, 3, 4),
       step(Kind::make_folder, a, EEXIST, 5, 6), move(a, b, 0, 7, 8),
       step(Kind::unlink, a, ENOENT, 9, 10), step(Kind::remove_folder, b, ENOTDIR, 11, 12),
       step(Kind::create, below, ENOENT, 13, 14), step(Kind::make_folder, folder, 0, 15, 16),
       move(b, folder, EISDIR, 17, 18), move(folder, b, ENOTDIR, 19, 20),
       step(Kind::link, below, 0, 21, 22), step(Kind::remove_folder, folder, ENOTEMPTY, 23, 24),
       step(Kind::link, a, 0, 25, 26), move(a, below, 0, 27, 28), step(Kind::look, a, 0, 29, 30),
       move(a, b, EEXIST, 31, 32, Kind::rename_noreplace),
       step(Kind::unlink, folder, EISDIR, 33, 34)}));
}

TEST_F(NamesCheckTest, a_name_that_two_created_is_found) {
  EXPECT_FALSE(may_be({step(Kind::create, a, 0, 1, 10), step(Kind::create, a, 0, 2, 9)}));
  EXPECT_TRUE(may_be({step(Kind::create, a, 0, 1, 10), step(Kind::unlink, a, 0, 1, 10),
                      step(Kind::create, a, 0, 2, 9)}));
}

TEST_F(NamesCheckTest, a_rename_that_another_did_meanwhile_may_have_done_nothing) {
  const auto story = [](Moment begun) {
    return std::vector{step(Kind::create, a, 0, 1, 2), move(a, b, 0, 3, 10),
                       move(a, b, 0, begun, 20)};
  };
  EXPECT_TRUE(may_be(story(9), 5));
  EXPECT_TRUE(may_be(story(14), 5));
  EXPECT_FALSE(may_be(story(16), 5));
  auto another_file = story(14);
  another_file[1] = step(Kind::create, b, 0, 3, 10);
  another_file.push_back(step(Kind::unlink, a, 0, 4, 8));
  EXPECT_FALSE(may_be(another_file, 5));
}

TEST_F(NamesCheckTest, a_rename_may_be_refused_for_what_its_names_were_one_after_the_other) {
  // First a is a file, then b a folder.
  const std::vector<NameStep> story = {
      step(Kind::create, a, 0, 1, 2), step(Kind::unlink, a, 0, 3, 10),
      step(Kind::make_folder, b, 0, 11, 12), move(a, b, EISDIR, 14, 15)};
  EXPECT_TRUE(may_be(story, 5));
  EXPECT_FALSE(may_be(story, 3));
  EXPECT_FALSE(may_be(story));
}

TEST_F(NamesCheckTest, a_lost_rename_is_found) {
  const std::vector<NameStep> story = {step(Kind::create, a, 0, 1, 2), move(a, b, 0, 3, 4)};
  auto is_lost = story, is_kept = story;
  is_lost.push_back(step(Kind::look, b, ENOENT, 5, 6));
  is_kept.push_back(step(Kind::look, b, 0, 5, 6));
  EXPECT_FALSE(may_be(is_lost));
  EXPECT_TRUE(may_be(is_kept));
  auto is_still_there = story;
  is_still_there.push_back(step(Kind::unlink, a, 0, 5, 6));
  EXPECT_FALSE(may_be(is_still_there));
}

TEST_F(NamesCheckTest, one_file_moved_by_two_is_found) {
  EXPECT_FALSE(may_be({step(Kind::create, a, 0, 1, 2), move(a, b, 0, 3, 10), move(a, b, 0, 4, 9)}));
}

TEST_F(NamesCheckTest, a_folder_removed_with_something_in_it_is_found) {
  EXPECT_FALSE(may_be({step(Kind::make_folder, folder, 0, 1, 2), step(Kind::create, below, 0, 3, 4),
                       step(Kind::remove_folder, folder, 0, 5, 6)}));
}

TEST_F(NamesCheckTest, a_refusal_that_nobody_caused_is_found) {
  EXPECT_FALSE(may_be({step(Kind::create, a, EEXIST, 1, 2)}));
  EXPECT_TRUE(may_be({step(Kind::create, a, EEXIST, 1, 5), step(Kind::link, a, 0, 3, 8)}));
  EXPECT_FALSE(may_be({step(Kind::create, a, EEXIST, 1, 2), step(Kind::link, a, 0, 3, 8)}));
}

TEST_F(NamesCheckTest, what_was_cut_short_happened_by_its_end_or_never) {
  NameStep cut = step(Kind::create, a, 0, 1, 20);
  cut.certain = false;
  EXPECT_TRUE(may_be({cut, step(Kind::unlink, a, 0, 5, 6), step(Kind::look, a, ENOENT, 30, 31)}));
  EXPECT_TRUE(may_be({cut, step(Kind::look, a, ENOENT, 5, 6), step(Kind::unlink, a, 0, 30, 31)}));
  EXPECT_FALSE(may_be({cut, step(Kind::unlink, a, 0, 5, 6), step(Kind::unlink, a, 0, 7, 8)}));
  EXPECT_FALSE(may_be({cut, step(Kind::look, a, ENOENT, 22, 23), step(Kind::look, a, 0, 24, 25)}));
}

TEST_F(NamesCheckTest, only_what_changes_nothing_may_lag) {
  const std::vector<NameStep> refused = {step(Kind::create, a, 0, 1, 2),
                                         step(Kind::unlink, a, 0, 3, 4),
                                         step(Kind::create, a, EEXIST, 50, 60)};
  EXPECT_FALSE(may_be(refused));
  EXPECT_FALSE(may_be(refused, 10));
  EXPECT_TRUE(may_be(refused, 47));
  EXPECT_FALSE(may_be({step(Kind::create, a, 0, 1, 2), step(Kind::unlink, a, 0, 3, 4),
                       step(Kind::unlink, a, 0, 50, 60)},
                      1000));
}

}  // namespace
}  // namespace tusk::test
