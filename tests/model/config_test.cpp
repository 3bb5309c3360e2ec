// Configurations: presets, JSON, and errors that name the field.
#include "detrack/model/config_json.hpp"

#include <doctest/doctest.h>

#include <locale>
#include <string>

namespace {

using detrack::Config;

/// What validating or reading complains about, or "" if it does not.
template <class F>
std::string complaint(F&& f) {
  try {
    f();
  } catch (const detrack::Error& error) {
    CHECK(error.code() == detrack::ErrorCode::config);
    return error.what();
  }
  return "";
}

bool names(const std::string& message, const std::string& field) {
  return message.find("config: " + field + ": expected") == 0;
}

std::string replaced(std::string json, const std::string& from, const std::string& to) {
  const auto at = json.find(from);
  REQUIRE(at != std::string::npos);
  return json.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("config: the presets are valid and hold the table's numbers") {
  CHECK(detrack::presets().size() == 5);
  for (const Config& c : detrack::presets()) {
    CAPTURE(c.name);
    detrack::validate(c);
    CHECK(c.width / c.heads == 64);
    CHECK(c.heads == c.refine_heads);
    CHECK(c.depth == 12);
    CHECK(c.template_size * 2 == c.search_size);
  }
  const Config n = detrack::preset("detrack-n128");
  CHECK(n.width == 192);
  CHECK(n.templates == 2);
  CHECK(n.refine_layers == 3);
  CHECK(n.words() == 800);
  CHECK(n.search_tokens() == 64);
  CHECK(n.template_tokens() == 16);
  const Config b = detrack::preset("detrack-b384");
  CHECK(b.width == 768);
  CHECK(b.words() == 1200);
  CHECK(b.search_factor == 5);
  CHECK(b.coord_min() == -0.5);
  CHECK(detrack::preset("detrack-t256").heads == 3);
  CHECK(detrack::preset("detrack-s256").heads == 6);
  CHECK(detrack::preset("detrack-b256") == Config{});
  CHECK(complaint([] { detrack::preset("b256"); }).find("detrack-b256") != std::string::npos);
}

TEST_CASE("config: JSON round trip, defaults, and the fields a file must have") {
  for (const Config& c : detrack::presets()) CHECK(detrack::config_from_json(detrack::to_json(c)) == c);
  const std::string json = detrack::to_json(Config{});
  CHECK(detrack::config_from_json(replaced(json, "\"noise_steps\":1000,", "")).noise_steps == 1000);
  CHECK(names(complaint([&] { detrack::config_from_json(replaced(json, "\"width\":768,", "")); }), "width"));

  Config ablated;
  ablated.noise_prediction = ablated.denoising_attention = false;
  CHECK(detrack::config_from_json(detrack::to_json(ablated)) == ablated);
  for (const char* field : {"noise_prediction", "denoising_attention"}) {  // files from before there were switches
    const std::string entry = std::string(",\"") + field + "\":true";
    CHECK(detrack::config_from_json(replaced(json, entry, "")) == Config{});
    CHECK(names(complaint([&] { detrack::config_from_json(replaced(json, entry, entry + "1")); }), "(whole)"));
    CHECK(names(complaint([&] { detrack::config_from_json(replaced(json, entry, std::string(",\"") + field + "\":1")); }),
                field));
  }
}

TEST_CASE("config: hostile JSON is refused and the field named") {
  const std::string json = detrack::to_json(Config{});
  const auto refused = [&](const std::string& from, const std::string& to) {
    return complaint([&] { detrack::config_from_json(replaced(json, from, to)); });
  };
  CHECK(names(refused("\"width\":768", "\"width\":\"768\""), "width"));
  CHECK(names(refused("\"width\":768", "\"width\":768.5"), "width"));
  CHECK(names(refused("\"width\":768", "\"width\":-768"), "width"));
  CHECK(names(refused("\"width\":768", "\"width\":18446744073709551615"), "width"));
  CHECK(names(refused("\"width\":768", "\"width\":1e300"), "width"));
  CHECK(names(refused("\"depth\":12", "\"depth\":4000000000"), "depth"));
  CHECK(names(refused("\"depth\":12", "\"depht\":12"), "depth"));
  CHECK(names(refused("\"depth\":12", "\"depth\":12,\"depths\":12"), "depths"));
  CHECK(names(refused("\"name\":\"detrack-b256\"", "\"name\":5"), "name"));
  CHECK(names(refused("\"mean\":[", "\"mean\":[1,"), "mean"));
  CHECK(names(refused("\"std\":[0.229", "\"std\":[0"), "std"));
  CHECK(names(refused("\"std\":[0.229", "\"std\":[null"), "std"));
  CHECK(names(complaint([] { detrack::config_from_json("[]"); }), "(whole)"));
  // To write that out takes a deep stack.
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  CHECK(complaint([&] { detrack::config_from_json(deep); }) == "config: (whole): expected a JSON object, got a list");
  CHECK(refused("\"width\":768", "\"width\":" + deep) == "config: width: expected an integer, got a list");
  CHECK(names(complaint([] { detrack::config_from_json("{"); }), "(whole)"));
  CHECK(names(complaint([] { detrack::config_from_json(""); }), "(whole)"));
}

TEST_CASE("config: inconsistent fields are refused and named") {
  const auto with = [](auto change) {
    Config c;
    change(c);
    return complaint([&] { detrack::validate(c); });
  };
  CHECK(with([](Config&) {}).empty());
  CHECK(names(with([](Config& c) { c.heads = 7; }), "width"));
  CHECK(names(with([](Config& c) { c.refine_heads = 5; }), "width"));
  CHECK(names(with([](Config& c) { c.width = 90, c.heads = c.refine_heads = 9; }), "width"));
  CHECK(names(with([](Config& c) { c.search_size = 250; }), "search_size"));
  CHECK(names(with([](Config& c) { c.template_size = 100; }), "template_size"));
  CHECK(names(with([](Config& c) { c.patch = 0; }), "patch"));
  CHECK(names(with([](Config& c) { c.templates = 0; }), "templates"));
  CHECK(names(with([](Config& c) { c.trajectory_used = 8; }), "trajectory_used"));
  CHECK(names(with([](Config& c) { c.bins_per_unit = 1, c.coord_range = 0.25; }), "coord_range"));
  CHECK(names(with([](Config& c) { c.coord_range = std::nan(""); }), "coord_range"));
  CHECK(names(with([](Config& c) { c.signal_scale = 0; }), "signal_scale"));
  CHECK(names(with([](Config& c) { c.std[1] = 0; }), "std"));
  CHECK(names(with([](Config& c) { c.mean[2] = std::numeric_limits<double>::infinity(); }), "mean"));
  CHECK(with([](Config& c) { c.width = 60, c.heads = 5, c.refine_heads = 3; }).empty());
}

TEST_CASE("config: messages do not depend on the program's locale") {
  struct Commas : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
  };
  Config c;
  c.signal_scale = 0.0005;
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Commas));
  const std::string message = complaint([&] { detrack::validate(c); });
  std::locale::global(before);
  CHECK(message == "config: signal_scale: expected a number in [0.001, 1000], got 0.0005");
}
