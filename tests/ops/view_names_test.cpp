// The names of an operation's views are texts: where they lie in memory says nothing.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "detrack/ops/reference_backend.hpp"
#include "tests/support/op_errors.hpp"

using namespace detrack;

namespace {

/// Its names are at other addresses each time, as those of literals may be in different files of a program.
struct WanderingNames {
  static constexpr const char* kName = "wandering_names";
  View<const float> x{};
  View<float> y{};

  template <class F>
  void views(F&& f) const {
    static std::vector<std::string> all;  // kept, that no address comes twice
    all.reserve(64);
    f(all.emplace_back("x").c_str(), x);
    f(all.emplace_back("y").c_str(), y);
  }
  void check() const {}
};

}  // namespace

TEST_CASE("op: an output is told from the other views by its name's text") {
  auto ctx = reference_context<float>();
  std::vector<float> x(4), y(4);
  ops::detail::check(ctx, WanderingNames{.x = View<const float>(x.data(), {4}), .y = View<float>(y.data(), {4})});
  CHECK(test::throws(ErrorCode::alias, "y: expected memory of its own, got an overlap with x", [&] {
    ops::detail::check(ctx, WanderingNames{.x = View<const float>(x.data(), {4}), .y = View<float>(x.data(), {4})});
  }));
}
