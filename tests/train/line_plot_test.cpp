// Plots of a training report: ticks and numbers, whatever the values.
#include "detrack/train/line_plot.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

using namespace detrack;

namespace {

std::string plot_of(std::vector<double> y) {
  std::vector<double> x;
  for (std::size_t i = 0; i < y.size(); ++i) x.push_back(static_cast<double>(i));
  return detail::line_plot("loss", std::vector<detail::PlotLine>{{x, std::move(y)}});
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("line plot: ticks are round numbers between the least and the largest value") {
  const std::string plot = plot_of({-0.25, 1.1, 0.4});
  for (const char* number : {">0<", ">0.5<", ">1<", ">1.5<", ">2<"}) CHECK(plot.find(number) != std::string::npos);
  CHECK(plot.find(">-0") == std::string::npos);
  CHECK(count_of(plot, "text-anchor=\"end\"") == 3);
  CHECK(count_of(plot, "text-anchor=\"middle\"") == 5);
  CHECK(plot_of({}) == "<p class=\"soft\">nothing yet</p>\n");
}

TEST_CASE("line plot: no values make it long, or write what is no number") {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  for (const std::vector<double>& y : std::vector<std::vector<double>>{{1e16, 1e16 + 2},
                                                                       {-1e16 - 2, -1e16},
                                                                       {0x1p54},
                                                                       {1e300, -1e300},
                                                                       {1e308, 1},
                                                                       {-1e308, 1e308, 2},
                                                                       {5e-324, 0},
                                                                       {1e-299, 2e-299},
                                                                       {1, 1 + 1e-15},
                                                                       {kInf, 3, -kInf, -kInf + kInf, 4}}) {
    CAPTURE(y[0]);
    const std::string plot = plot_of(y);
    CHECK(plot.size() < 3000);
    CHECK(plot.find("inf") == std::string::npos);
    CHECK(plot.find("nan") == std::string::npos);
    const std::size_t ticks = count_of(plot, "text-anchor=\"end\"");
    CHECK(ticks >= 1);
    CHECK(ticks <= 7);
  }
}

TEST_CASE("short numbers: so many digits, and thousands and millions by their letters") {
  CHECK(detail::short_number(0.25) == "0.25");
  CHECK(detail::short_number(12345) == "12.3k");
  CHECK(detail::short_number(-3.42e6) == "-3.42M");
  CHECK(detail::short_number(1.23456789, 6) == "1.23457");
  CHECK(detail::short_number(1e-5) == "1e-05");
}
