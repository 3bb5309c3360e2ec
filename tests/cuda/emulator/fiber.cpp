// The scheduler of the emulator: who runs next, and what barriers wait for.
#include "fiber.hpp"

#include <algorithm>
#include <cstring>

namespace detrack::emulator {

namespace {

/// Fibers of launches that are over, for those to come: a stack is dear to make.
std::vector<std::unique_ptr<Fiber>>& spare_fibers() {
  static thread_local std::vector<std::unique_ptr<Fiber>> fibers;
  return fibers;
}

}  // namespace

void Grid::fiber_main() {
  for (;;) {
    Grid& grid = *current();
    (*grid.body_)();
    grid.finish();
  }
}

const char* Grid::run(const std::function<void()>& body) {
  body_ = &body;
  blockDim = block_, gridDim = grid_;
  Grid* const outer = current();
  current() = this;
  const unsigned count = block_.x * block_.y * block_.z;
  const char* problem = nullptr;
  for (blockIdx.z = 0; blockIdx.z < grid_.z && !problem; ++blockIdx.z)
    for (blockIdx.y = 0; blockIdx.y < grid_.y && !problem; ++blockIdx.y)
      for (blockIdx.x = 0; blockIdx.x < grid_.x && !problem; ++blockIdx.x) {
        std::memset(shared_.data(), 0xff, shared_.size());  // NaN: shared memory starts as anything
        threads_.assign(count, Thread{});
        warps_.assign((count + kWarp - 1) / kWarp, Warp{});
        turn_.resize(count);
        alive_ = count, arrived_ = 0;
        for (unsigned i = 0; i < count; ++i) {
          threads_[i].linear = i;
          threads_[i].index = {i % block_.x, i / block_.x % block_.y, i / block_.x / block_.y};
          ++warps_[i / kWarp].alive;
          turn_[i] = order_ == Order::reverse ? count - 1 - i : i;
        }
        if (order_ == Order::shuffled)
          for (unsigned i = count; i > 1; --i) {
            random_ = random_ * 6364136223846793005u + 1442695040888963407u;
            std::swap(turn_[i - 1], turn_[(random_ >> 33) % i]);
          }
        while (alive_ > 0) {
          bool moved = false;
          for (const unsigned i : turn_)
            if (runnable(threads_[i])) moved = true, switch_to(threads_[i]);
          if (!moved) {  // their stacks are in the middle of something and never come back
            problem = "threads of a block wait at different barriers";
            break;
          }
        }
      }
  current() = outer;
  return problem;
}

bool Grid::runnable(const Thread& thread) const {
  if (thread.done) return false;
  if (thread.waits_block) return generation_ != thread.generation;
  if (thread.waits_warp) return warps_[thread.linear / kWarp].generation != thread.generation;
  return true;
}

void Grid::switch_to(Thread& thread) {
  thread.waits_block = thread.waits_warp = false;
  if (!thread.started) {
    thread.started = true;
    auto& spare = spare_fibers();
    if (spare.empty()) spare.push_back(std::make_unique<Fiber>(&Grid::fiber_main));
    thread.fiber = spare.back().release();
    spare.pop_back();
  }
  current_ = &thread;
  threadIdx = thread.index;
  thread.fiber->switch_from(scheduler_);
}

void Grid::wait() {
  scheduler_.switch_from(*current_->fiber);
}

/// The thread is over: whoever waits for the rest of its block or warp no longer waits for it. Its fiber serves another.
void Grid::finish() {
  Thread& thread = *current_;
  thread.done = true;
  Warp& w = warp();
  if (--w.alive > 0 && w.arrived == w.alive) w.arrived = 0, ++w.generation;
  if (--alive_ > 0 && arrived_ == alive_) arrived_ = 0, ++generation_;
  spare_fibers().emplace_back(thread.fiber);
  wait();
}

void Grid::block_barrier() {
  if (++arrived_ == alive_) {
    arrived_ = 0, ++generation_;
    return;
  }
  current_->waits_block = true, current_->generation = generation_;
  wait();
}

void Grid::warp_barrier() {
  Warp& w = warp();
  if (++w.arrived == w.alive) {
    w.arrived = 0, ++w.generation;
    return;
  }
  current_->waits_warp = true, current_->generation = w.generation;
  wait();
}

Warp& Grid::exchange(const void* value, std::size_t bytes, unsigned& set) {
  Warp& w = warp();
  set = ++current_->exchanges % 2;
  w.brought[set][lane()] = current_->exchanges;
  std::memcpy(w.slots[set][lane()], value, bytes);
  warp_barrier();
  return w;
}

}  // namespace detrack::emulator
