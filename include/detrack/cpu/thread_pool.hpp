// Threads that share out the tasks of one loop after another, thousands of times a second.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "detrack/cpu/isa.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// The caller's thread and `threads - 1` of its own. A loop ends when its tasks are done: a thread that the system has not
/// got round to waking is not waited for, the others do its share. That is why this is no OpenMP loop: those end when every
/// thread has come, and a forward pass is hundreds of them (see HACKING.md for what that costs on a busy machine).
/// Threads that have nothing to do look out for the next loop for a moment and then sleep.
class ThreadPool {
 public:
  /// Returns when all threads run: what a thread allocates at its start is no part of any loop.
  /// Throws std::system_error where the system gives no more threads.
  explicit ThreadPool(int threads) {
    try {
      for (int i = 1; i < threads; ++i) {
        inside_.fetch_add(1);
        workers_.emplace_back([this, i] { work(i); });
      }
    } catch (...) {
      stop();
      throw;
    }
    while (inside_.load() != 0) std::this_thread::yield();
  }
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() { stop(); }

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// f(task, thread) for every task in [0, tasks), handed out in order; returns when all are done. Not from within f, and
  /// from one thread at a time. f must not throw.
  template <class F>
  void run(std::int64_t tasks, const F& f) {
    call_ = [](const void* function, std::int64_t task, int thread) { (*static_cast<const F*>(function))(task, thread); };
    function_ = &f;
    tasks_ = tasks;
    next_.store(0, std::memory_order_relaxed);
    const std::uint32_t open = phase_.load(std::memory_order_relaxed) + 1;  // odd: a loop is open
    phase_.store(open);
    phase_.notify_all();
    take_tasks(0);
    // Closed before looking who is inside: whoever comes later sees that and touches nothing of this loop.
    phase_.store(open + 1);
    for (int looks = 0; inside_.load() != 0; ++looks) looks < kLooks ? pause() : std::this_thread::yield();
  }

 private:
  static constexpr int kLooks = 2000;  ///< tens of microseconds: the serial stretches between two loops

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  void take_tasks(int thread) {
    for (std::int64_t task; (task = next_.fetch_add(1, std::memory_order_relaxed)) < tasks_;) call_(function_, task, thread);
  }

  void stop() {
    stop_.store(true);
    phase_.fetch_add(2);
    phase_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  void work(int thread) {
    inside_.fetch_sub(1);  // the constructor waits for this
    for (std::uint32_t seen = 0;;) {
      std::uint32_t phase = phase_.load();
      for (int looks = 0; phase == seen && looks < kLooks; ++looks, phase = phase_.load()) pause();
      if (phase == seen) {
        phase_.wait(seen);
        continue;
      }
      if (stop_.load()) return;
      seen = phase;
      if (phase % 2 == 0) continue;
      // First inside, then a second look: either this sees that the loop was closed, or run() sees this thread inside.
      inside_.fetch_add(1);
      if (phase_.load() == phase) take_tasks(thread);
      inside_.fetch_sub(1);
    }
  }

  // The loop at hand: written by run() while nobody is inside.
  void (*call_)(const void*, std::int64_t, int) = nullptr;
  const void* function_ = nullptr;
  std::int64_t tasks_ = 0;

  alignas(64) std::atomic<std::uint32_t> phase_{0};  ///< counts openings and closings; sequentially consistent throughout
  std::atomic<bool> stop_{false};
  alignas(64) std::atomic<std::int64_t> next_{0};
  alignas(64) std::atomic<int> inside_{0};  ///< threads of our own that may touch the loop
  std::vector<std::thread> workers_;        ///< last: they use all of the above
};

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
