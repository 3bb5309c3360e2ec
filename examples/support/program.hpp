// What every program does the same way: arguments, errors, exit status, Ctrl-C.
#pragma once

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <string>

#include "detrack/core/error.hpp"

namespace detrack::program {

/// Exit status: 0, or 2 where arguments or files cannot be used, or 130 after Ctrl-C, as shells expect.
inline constexpr int kOk = 0, kError = 2, kInterrupted = 130;

namespace detail {
inline volatile std::sig_atomic_t interrupted = 0;
}

/// Whether somebody pressed Ctrl-C (or asked the program to end): finish what is begun and stop. A second time kills.
inline bool interrupted() {
  return detail::interrupted != 0;
}
inline void watch_interrupts() {
  for (const int signal : {SIGINT, SIGTERM})
    std::signal(signal, [](int number) {
      detail::interrupted = 1;
      std::signal(number, SIG_DFL);
    });
}

/// For an option's check(): an empty text would count as not given.
inline CLI::Validator not_empty() {
  return {[](std::string& text) { return std::string(text.empty() ? "expected a name, got an empty text" : ""); }, ""};
}
/// CLI::NonNegativeNumber shows the largest double, digit by digit.
inline CLI::Validator zero_or_more() {
  return {[](std::string& text) {
            std::int64_t number = 0;
            return CLI::detail::lexical_cast(text, number) && number >= 0 ? "" : "expected 0 or more, got " + text;
          },
          "NONNEGATIVE"};
}

/// Parses the arguments into `app`'s options and runs `body`, which returns an exit status. Whatever it throws becomes a
/// line "<program>: <message>" and status 2.
inline int run(CLI::App& app, int argc, char** argv, const std::function<int()>& body) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kError;
  }
  try {
    watch_interrupts();
    return body();
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "%s: out of memory\n", app.get_name().c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", app.get_name().c_str(), error.what());
  }
  return kError;
}

}  // namespace detrack::program
