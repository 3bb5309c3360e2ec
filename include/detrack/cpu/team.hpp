// The threads of a context and their scratch memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/cpu/thread_pool.hpp"
#include "detrack/cpu/workspace.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// Runs independent tasks on up to `threads` threads. What a task computes never depends on which thread runs it, so
/// results do not depend on the number of threads.
template <class T>
class Team {
 public:
  /// 0 = as many as the machine has. Errors: argument (negative), not_available (the system gives no more threads).
  explicit Team(int threads) {
    if (threads < 0) fail(ErrorCode::argument, "cpu::make_context: threads: expected a number >= 0, got ", threads);
    if (threads == 0) threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    scratch_.resize(static_cast<std::size_t>(threads));
    try {
      pool_ = std::make_unique<ThreadPool>(threads);
    } catch (const std::system_error& error) {
      fail(ErrorCode::not_available, "cpu::make_context: threads: expected ", threads, " of the system, got ", error.what());
    }
  }

  int threads() const {
    return static_cast<int>(scratch_.size());
  }

  /// Room for `count` elements a thread, and `shared` for all of them. Call it before parallel().
  void reserve(std::int64_t count, std::int64_t shared = 0) {
    for (auto& scratch : scratch_) scratch.reserve(count);
    shared_.reserve(shared);
  }
  T* shared() const {
    return shared_.data();
  }

  /// f(task, scratch) for every task in [0, tasks); tasks are handed out in order. `work` is a rough count of vector
  /// operations in all: below kSerialWork waking the others costs more than they save.
  template <class F>
  void parallel(std::int64_t tasks, double work, const F& f) {
    if (threads() > 1 && tasks > 1 && work > kSerialWork) {
      pool_->run(tasks, [&](std::int64_t task, int thread) { f(task, scratch_[static_cast<std::size_t>(thread)].data()); });
      return;
    }
    for (std::int64_t task = 0; task < tasks; ++task) f(task, scratch_.front().data());
  }

 private:
  static constexpr double kSerialWork = 20000;
  std::vector<Scratch<T>> scratch_;
  Scratch<T> shared_;
  std::unique_ptr<ThreadPool> pool_;
};

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
