// Runs something that must fail, for its message.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "detrack/core/error.hpp"

namespace detrack::test {

/// The message with which f() fails; fails the test if it does not, or with another code.
template <class F>
std::string error_of(ErrorCode code, F&& f) {
  try {
    f();
  } catch (const Error& error) {
    CHECK(to_string(error.code()) == to_string(code));
    return error.what();
  }
  FAIL_CHECK("no error was thrown");
  return "";
}

}  // namespace detrack::test
