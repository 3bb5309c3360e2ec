// Errors: codes and messages.
#include "detrack/core/error.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <locale>
#include <string>

#include "detrack/core/device.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;

namespace {

struct Grouping : std::numpunct<char> {
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

}  // namespace

TEST_CASE("error: code and message") {
  CHECK(test::error_of(ErrorCode::config, [] {
          fail(ErrorCode::config, "x: expected ", 3, ", got ", std::int64_t{-4}, ' ', 0.5);
        }) == "x: expected 3, got -4 0.5");
  CHECK_THROWS_AS(fail(ErrorCode::io, "x"), std::runtime_error);
}

TEST_CASE("error: every code has a name of its own") {
  for (int code = 0; code <= static_cast<int>(ErrorCode::cublas); ++code) {
    CHECK(to_string(static_cast<ErrorCode>(code)) != "unknown");
    for (int other = 0; other < code; ++other)
      CHECK(to_string(static_cast<ErrorCode>(code)) != to_string(static_cast<ErrorCode>(other)));
  }
}

TEST_CASE("error: messages do not depend on the program's locale") {
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Grouping));
  const std::string message = detail::concat("got ", 1234567);
  std::locale::global(before);
  CHECK(message == "got 1234567");
}

TEST_CASE("error: device names") {
  CHECK(to_string(Device{}) == "cpu");
  CHECK(to_string(Device{DeviceKind::cuda, 2}) == "cuda:2");
  CHECK(to_string(Device{DeviceKind::plan, 0}) == "plan");
}
