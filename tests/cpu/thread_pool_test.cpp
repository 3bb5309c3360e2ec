// The threads of the CPU backend: every task once, loop after loop, with more threads than cores and with sleeping ones.
#include "detrack/cpu/thread_pool.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <vector>

using detrack::cpu::ThreadPool;

TEST_CASE("thread pool: every task runs once, on a thread of the pool, before run() returns") {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    CHECK(pool.threads() == threads);
    std::vector<int> count(1000);  // not atomic: that each task runs once is what is tested
    std::vector<std::int64_t> of_thread(static_cast<std::size_t>(threads));
    std::int64_t expected = 0;
    for (int loop = 0; loop < 2000; ++loop) {
      const std::int64_t tasks = loop % 7 == 0 ? 0 : 1 + loop * 31 % 97;
      pool.run(tasks, [&](std::int64_t task, int thread) {
        ++count[static_cast<std::size_t>(task)];
        ++of_thread[static_cast<std::size_t>(thread)];
      });
      expected += tasks;
      if (loop % 500 == 250) std::this_thread::sleep_for(std::chrono::milliseconds(5));  // they fall asleep
    }
    std::int64_t all = 0, by_thread = 0;
    for (const int c : count) all += c;
    for (const std::int64_t c : of_thread) by_thread += c;
    CHECK(all == expected);
    CHECK(by_thread == expected);
  }
}

TEST_CASE("thread pool: pools come and go, used or not") {
  for (int i = 0; i < 200; ++i) {
    ThreadPool pool(3);
    int sum = 0;
    if (i % 2 == 0) pool.run(1, [&](std::int64_t, int) { ++sum; });
    CHECK(sum == (i % 2 == 0 ? 1 : 0));
  }
}
