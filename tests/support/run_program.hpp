// Runs a program as a person would, and keeps what it says.
#pragma once

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

namespace detrack::test {

struct Outcome {
  int status = -1;     ///< exit status; 128 + the signal's number if one ended it
  std::string output;  ///< stdout and stderr as they came

  bool says(const std::string& text) const { return output.find(text) != std::string::npos; }
};

/// `command` is given to the shell. Quiet programs that hang are the test runner's to end.
inline Outcome run_program(const std::string& command) {
  std::FILE* pipe = ::popen(("{ " + command + "\n} 2>&1 </dev/null").c_str(), "r");
  if (!pipe) throw std::runtime_error("cannot start: " + command);
  Outcome outcome;
  std::array<char, 4096> buffer;
  for (std::size_t count; (count = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    outcome.output.append(buffer.data(), count);
  const int status = ::pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

}  // namespace detrack::test
