// Hooks around every operation, for profilers and benchmarks; off unless a program installs one.
#pragma once

namespace detrack {

/// Told when each operation begins and ends, in the thread that runs the context. Must not throw.
class Profiler {
 public:
  virtual ~Profiler() = default;
  virtual void begin(const char* operation) noexcept = 0;
  virtual void end(const char* operation) noexcept = 0;
};

class ProfileRange {
 public:
  ProfileRange(Profiler* profiler, const char* operation) : profiler_(profiler), operation_(operation) {
    if (profiler_) profiler_->begin(operation_);
  }
  ProfileRange(const ProfileRange&) = delete;
  ProfileRange& operator=(const ProfileRange&) = delete;
  ~ProfileRange() {
    if (profiler_) profiler_->end(operation_);
  }

 private:
  Profiler* profiler_;
  const char* operation_;
};

}  // namespace detrack
