// What programs and people get to see of an evaluation.
#include "detrack/eval/summary.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "detrack/eval/evaluate.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace detrack;

namespace {

Evaluation example() {
  std::vector<Sequence> sequences(2);
  sequences[0].name = "one";
  sequences[0].truth.assign(4, Box{1, 1, 4, 4});
  sequences[1].name = "a longer name\x1b";
  sequences[1].truth.assign(2, Box{1, 1, 4, 4});
  const std::vector<SequenceResult> results{
      {"one", {{{1, 1, 4, 4}, {1, 1, 4, 4}, {3, 1, 4, 4}, no_box()}}, {{1, 0.01, 0.01, 0.02}}, {}},
      {"a longer name\x1b", {sequences[1].truth}, {}, {}}};
  return evaluate(Protocol::otb, sequences, results, {.tracker = "mine"});
}

}  // namespace

TEST_CASE("summary: every key for the whole and each sequence, null for what is not known") {
  const Evaluation e = example();
  const auto json = nlohmann::json::parse(summary_json(e));
  CHECK(json.at("protocol") == "otb");
  CHECK(json.at("convention") == "toolkit");
  CHECK(json.at("tracker") == "mine");
  for (const char* key : {"auc", "precision", "norm_precision", "ao", "sr50", "sr75", "fps"}) {
    CHECK(json.at("overall").at(key).is_number());
    CHECK(json.at("sequences").at("one").at(key).is_number());
  }
  CHECK(json.at("overall").at("auc").get<double>() == e.overall.auc);  // every digit survives
  CHECK(json.at("overall").at("fps").get<double>() == doctest::Approx(75));
  const auto& other = json.at("sequences").at("a longer name\x1b");
  CHECK(other.at("fps").is_null());
  CHECK(other.at("frames") == 2);
  CHECK(other.at("scored") == 2);
  CHECK(json.at("sequences").at("one").at("warnings").at(0) == "1 boxes that are not finite");
  CHECK(json.at("choices").size() == e.choices.size());
  CHECK(json.at("warnings").is_array());
  CHECK(json.at("curves").at("success").size() == 21);
  CHECK(json.at("thresholds").at("precision").size() == 51);
}

TEST_CASE("summary: reliability where the tracker's scores are known") {
  Evaluation e = example();
  CHECK(!nlohmann::json::parse(summary_json(e)).contains("reliability"));
  CHECK(confidence_table(e.reliability) == "");

  const std::vector<FrameConfidence> confidences{{0.85, 0.55, TargetState::tracking}, {1, 0, TargetState::lost}};
  e.reliability = reliability_of(confidences, std::vector<double>{0.75, 0.05});
  const auto json = nlohmann::json::parse(summary_json(e)).at("reliability");
  CHECK(json.at("frames") == 2);
  CHECK(json.at("score").at("frames") == 2);
  CHECK(json.at("score").at("calibration_error").get<double>() == doctest::Approx((0.1 + 0.95) / 2));
  CHECK(json.at("iou").at("calibration_error").get<double>() == doctest::Approx((0.2 + 0.05) / 2));
  CHECK(json.at("score").at("bins").size() == 10);
  CHECK(json.at("score").at("bins").at(8) ==
        nlohmann::json{{"frames", 1}, {"mean_overlap", 0.75}, {"lost", 0.0}, {"mean_score", 0.85}});
  CHECK(json.at("iou").at("bins").at(9) ==
        nlohmann::json{{"frames", 0}, {"mean_overlap", nullptr}, {"lost", nullptr}, {"mean_score", nullptr}});
  CHECK(json.at("states").at("lost") == nlohmann::json{{"frames", 1}, {"mean_overlap", 0.05}, {"lost", 1.0}});
  CHECK(json.at("states").at("uncertain").at("frames") == 0);

  CHECK(confidence_table(e.reliability) ==
        "confidence  frames  score  overlap   <0.1  frames    IoU  overlap   <0.1\n"
        "0.0-0.1          0      -        -      -       1  0.000    0.050  1.000\n"
        "0.1-0.2          0      -        -      -       0      -        -      -\n"
        "0.2-0.3          0      -        -      -       0      -        -      -\n"
        "0.3-0.4          0      -        -      -       0      -        -      -\n"
        "0.4-0.5          0      -        -      -       0      -        -      -\n"
        "0.5-0.6          0      -        -      -       1  0.550    0.750  0.000\n"
        "0.6-0.7          0      -        -      -       0      -        -      -\n"
        "0.7-0.8          0      -        -      -       0      -        -      -\n"
        "0.8-0.9          1  0.850    0.750  0.000       0      -        -      -\n"
        "0.9-1.0          1  1.000    0.050  1.000       0      -        -      -\n"
        "all              2  0.925    0.400  0.500       2  0.275    0.400  0.500\n"
        "calibration error: score 0.525, IoU 0.125\n"
        "state      frames  overlap   <0.1\n"
        "tracking        1    0.750  0.000\n"
        "uncertain       0        -      -\n"
        "lost            1    0.050  1.000\n"
        "<0.1: share of overlaps below 0.1\n");
}

TEST_CASE("summary: names that are not UTF-8 do not break the file") {
  Evaluation e = example();
  e.sequences[0].name = "\xff\xfe";
  e.sequences[0].warnings = {"\x80"};
  CHECK(nlohmann::json::parse(summary_json(e)).at("sequences").size() == 2);
}

TEST_CASE("summary: written all or nothing") {
  const test::TemporaryFolder folder;
  write_summary(example(), folder / "summary.json");
  std::ifstream in(folder / "summary.json");
  CHECK(nlohmann::json::parse(in).at("sequences").size() == 2);
  CHECK(folder.count() == 1);
  test::error_of(ErrorCode::io, [&] { write_summary(example(), folder / "none/summary.json"); });
}

TEST_CASE("table: columns in line, a dash for what is not known") {
  CHECK(table(example()) ==
        "sequence           frames    AUC      P  PNorm     AO   SR50   SR75   FPS\n"
        "one                     4  0.560  0.750  0.505  0.444  0.333  0.333  75.0\n"
        "a longer name\\x1b       2  0.952  1.000  1.000  1.000  1.000  1.000     -\n"
        "overall                 6  0.756  0.875  0.752  0.722  0.667  0.667  75.0\n");
}

TEST_CASE("notes: choices and warnings, a line each") {
  Evaluation e = example();
  e.warnings = {"odd"};
  const std::string text = notes(e);
  CHECK(text.starts_with("Protocol otb, convention toolkit:\n  Frame 0 counts"));
  for (const std::string& choice : e.choices) CHECK(text.find("  " + choice + "\n") != std::string::npos);
  CHECK(text.find("\nwarning: odd\n") != std::string::npos);
  CHECK(text.ends_with("warning: one: 1 boxes that are not finite\n"));
}

TEST_CASE("conventions: names") {
  for (const char* name : {"otb", "got10k", "lasot", "trackingnet"}) CHECK(to_string(parse_protocol(name)) == name);
  for (const char* name : {"toolkit", "pytracking", "ostrack"}) CHECK(to_string(parse_convention(name)) == name);
  CHECK(test::error_of(ErrorCode::argument, [] { parse_protocol("vot"); }) ==
        "protocol: expected otb, got10k, lasot or trackingnet, got 'vot'");
  CHECK(test::error_of(ErrorCode::argument, [] { parse_convention(""); }) ==
        "convention: expected toolkit, pytracking or ostrack, got ''");
}
