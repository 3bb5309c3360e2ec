// A progress line on stderr: rewritten in place on a terminal, a line every few seconds in a log.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>

namespace detrack::program {

class Progress {
 public:
  explicit Progress(bool quiet) : quiet_(quiet), terminal_(::isatty(STDERR_FILENO) == 1) {}
  ~Progress() { end(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Whether it is time for another line: asking is cheap, wording is not.
  bool due() const { return !quiet_ && Clock::now() >= next_; }
  void show(const std::string& line) {
    if (quiet_) return;
    // \x1b[K clears what a longer line has left behind.
    std::fprintf(stderr, terminal_ ? "\r%s\x1b[K" : "%s\n", line.c_str());
    std::fflush(stderr);
    shown_ = true;
    next_ = Clock::now() + std::chrono::milliseconds(terminal_ ? 200 : 5000);
  }
  /// Leaves the last line where it is.
  void end() {
    if (shown_ && terminal_) std::fputc('\n', stderr);
    shown_ = false;
  }

 private:
  using Clock = std::chrono::steady_clock;
  bool quiet_, terminal_, shown_ = false;
  Clock::time_point next_ = Clock::now();
};

/// "1:02:03" or "2:03".
inline std::string clock_text(double seconds) {
  const long s = static_cast<long>(seconds + 0.5);
  char text[32];
  if (s >= 3600)
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  else
    std::snprintf(text, sizeof text, "%ld:%02ld", s / 60, s % 60);
  return text;
}

}  // namespace detrack::program
