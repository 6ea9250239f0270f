#include "tuskfs/base/reactor.h"

#include <gtest/gtest.h>

#include <thread>

namespace tusk {
namespace {

TEST(Reactor, runs_what_another_thread_posts) {
  auto reactor = *Reactor::create();
  bool ran = false;
  std::jthread other([&] { reactor->post([&] { ran = true; }); });
  while (!ran) reactor->wait_and_run(std::chrono::seconds(10));
  EXPECT_FALSE(reactor->has_posted());
}

TEST(Reactor, timers_run_in_order_of_time_then_of_asking) {
  auto reactor = *Reactor::create();
  std::string order;
  reactor->after(std::chrono::milliseconds(2), [&] { order += 'c'; });
  reactor->after(std::chrono::milliseconds(1), [&] { order += 'a'; });
  reactor->after(std::chrono::milliseconds(1), [&] { order += 'b'; });
  while (order.size() < 3) reactor->wait_and_run(std::chrono::seconds(10));
  EXPECT_EQ(order, "abc");
  EXPECT_FALSE(reactor->next_deadline());
}

TEST(Reactor, what_a_task_posts_runs_in_a_later_turn) {
  auto reactor = *Reactor::create();
  int turns = 0;
  reactor->post([&] {
    reactor->post([&] { turns = 2; });
    turns = 1;
  });
  reactor->run_ready();
  EXPECT_EQ(turns, 1);
  reactor->run_ready();
  EXPECT_EQ(turns, 2);
}

}  // namespace
}  // namespace tusk
