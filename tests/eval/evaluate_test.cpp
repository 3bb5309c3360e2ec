// Protocols and conventions against scores that independent_metrics.py computed from their definitions.
#include "detrack/eval/evaluate.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "detrack/data/open_dataset.hpp"
#include "detrack/eval/result_files.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;
using test::error_of;

namespace {

const std::filesystem::path kFixtures = std::filesystem::path(DETRACK_SOURCE_DIR) / "tests/data/eval";

/// The scores that both have must agree; how many that are.
int compare_scores(const std::string& where, const Scores& got, const nlohmann::json& expected) {
  const std::map<std::string, double> values{
      {"auc", got.auc}, {"precision", got.precision}, {"norm_precision", got.norm_precision},
      {"ao", got.ao},   {"sr50", got.sr50},           {"sr75", got.sr75},
      {"fps", got.fps}};
  int compared = 0;
  for (const auto& [name, value] : expected.items()) {
    INFO(where << " " << name);
    CHECK(std::abs(values.at(name) - value.get<double>()) <= 1e-9 * std::max(1.0, value.get<double>()));
    ++compared;
  }
  return compared;
}

Sequence sequence_of(std::vector<Box> truth) {
  Sequence sequence;
  sequence.name = "s";
  sequence.truth = std::move(truth);
  return sequence;
}

Evaluation evaluate_one(Protocol protocol, const Sequence& sequence, std::vector<Box> run, Convention convention) {
  const SequenceResult result{"s", {std::move(run)}, {}, {}};
  return evaluate(protocol, {&sequence, 1}, {&result, 1}, {.convention = convention});
}

constexpr Protocol kProtocols[] = {Protocol::otb, Protocol::got10k, Protocol::lasot, Protocol::trackingnet};
constexpr Convention kConventions[] = {Convention::toolkit, Convention::pytracking, Convention::ostrack};

}  // namespace

TEST_CASE("evaluate: every protocol, convention and damage scores as computed independently") {
  std::ifstream in(kFixtures / "expected.json");
  const auto expected = nlohmann::json::parse(in);
  CHECK(expected.size() == 4 * 3 * 8 + 1);
  int compared = 0;
  for (const auto& [key, scores] : expected.items()) {
    std::istringstream words(key);
    std::string protocol, convention, damage;
    words >> protocol >> convention >> damage;
    const Dataset dataset = open_dataset(kFixtures / protocol);
    CHECK(to_string(dataset.layout) == protocol);
    const auto results = read_results(kFixtures / "results" / damage, dataset.sequences);
    const Evaluation evaluation =
        evaluate(parse_protocol(protocol), dataset.sequences, results, {.convention = parse_convention(convention)});
    compared += compare_scores(key, evaluation.overall, scores.at("overall"));
    REQUIRE(evaluation.sequences.size() == scores.at("sequences").size());
    for (const SequenceScores& s : evaluation.sequences)
      compared += compare_scores(key + " " + s.name, s, scores.at("sequences").at(s.name));
    CHECK(evaluation.choices.size() > 8);
    CHECK(evaluation.thresholds.success.size() == evaluation.overall.success_curve.size());
  }
  CHECK(compared == (4 * 3 * 8 + 1) * 4 * 7);
}

TEST_CASE("evaluate: damage is warned about, sequence by sequence") {
  const Dataset dataset = open_dataset(kFixtures / "otb");
  const auto warnings = [&](const char* damage) {
    const auto results = read_results(kFixtures / "results" / damage, dataset.sequences);
    const Evaluation evaluation = evaluate(Protocol::otb, dataset.sequences, results);
    REQUIRE(evaluation.sequences[1].name == "walk-1");
    return evaluation.sequences[1].warnings;
  };
  CHECK(warnings("whole").empty());
  CHECK(warnings("short") == std::vector<std::string>{"41 boxes in the result for 45 in the truth"});
  CHECK(warnings("long") == std::vector<std::string>{"48 boxes in the result for 45 in the truth"});
  REQUIRE(warnings("nan").size() == 1);
  CHECK(warnings("nan")[0].ends_with(" boxes that are not finite"));
  CHECK(warnings("zero")[0].ends_with(" boxes without area"));
  CHECK(warnings("negative")[0].ends_with(" boxes without area"));
}

TEST_CASE("evaluate: which frames count, and what plots get") {
  Sequence sequence = sequence_of({{1, 1, 4, 4}, {1, 1, 4, 4}, no_box(), {1, 1, 4, 4}, {1, 1, 4, 4}});
  sequence.cover = {8, 8, 8, 0, 8};
  const std::vector<Box> run{{9, 9, 9, 9}, {3, 1, 4, 4}, {1, 1, 4, 4}, {1, 1, 4, 4}, no_box()};
  const auto overlaps = [&](Protocol protocol, Convention convention) {
    const Evaluation e = evaluate_one(protocol, sequence, run, convention);
    std::string text;
    for (const double o : e.sequences[0].overlaps) text += std::isnan(o) ? "- " : std::to_string(o).substr(0, 4) + " ";
    return text + std::to_string(e.sequences[0].scored) + "/" + std::to_string(e.sequences[0].frames);
  };
  CHECK(overlaps(Protocol::otb, Convention::toolkit) == "1.00 0.33 - 1.00 0.00 4/5");
  CHECK(overlaps(Protocol::got10k, Convention::toolkit) == "- 0.33 - - 0.00 2/5");
  CHECK(overlaps(Protocol::trackingnet, Convention::toolkit) == "1.00 0.33 - 1.00 0.00 4/5");
  CHECK(overlaps(Protocol::lasot, Convention::pytracking) == "1.00 0.33 - 1.00 0.00 5/5");
  sequence.full_occlusion = {0, 0, 0, 1, 0};
  sequence.truth[4].x = 0;
  CHECK(overlaps(Protocol::lasot, Convention::pytracking) == "1.00 0.33 - - - 5/5");
  CHECK(overlaps(Protocol::lasot, Convention::ostrack) == "1.00 0.33 - - 0.00 5/5");
  CHECK(overlaps(Protocol::lasot, Convention::toolkit) == "1.00 0.33 - 1.00 0.00 4/5");
  const Evaluation e = evaluate_one(Protocol::otb, sequence, run, Convention::toolkit);
  CHECK(e.sequences[0].centre_errors[1] == 2);
  CHECK(std::isnan(e.sequences[0].centre_errors[2]));
  CHECK(e.sequences[0].ao == doctest::Approx((1.0 / 3 + 1 + 0) / 3));
}

TEST_CASE("evaluate: the convention of a protocol, if none is named") {
  const Sequence sequence = sequence_of({{1, 1, 4, 4}, {1, 1, 4, 4}});
  const SequenceResult result{"s", {{{1, 1, 4, 4}, {1, 1, 4, 4}}}, {}, {}};
  for (const Protocol protocol : kProtocols) {
    const Evaluation e = evaluate(protocol, {&sequence, 1}, {&result, 1}, {.tracker = "mine"});
    CHECK(e.convention == (protocol == Protocol::lasot ? Convention::pytracking : Convention::toolkit));
    CHECK(e.protocol == protocol);
    CHECK(e.tracker == "mine");
  }
}

TEST_CASE("evaluate: a perfect run has the scores of its protocol") {
  const Sequence sequence = sequence_of({{1, 1, 4, 4}, {2, 1, 4, 4}, {3, 1, 4, 4}});
  for (const Protocol protocol : kProtocols)
    for (const Convention convention : kConventions) {
      const Evaluation e = evaluate_one(protocol, sequence, sequence.truth, convention);
      const bool toolkit = convention == Convention::toolkit;
      const double auc = toolkit && protocol == Protocol::trackingnet ? 1.0
                         : toolkit && protocol == Protocol::got10k    ? 100.0 / 101
                                                                      : 20.0 / 21;  // no overlap is above 1
      CHECK(e.overall.auc == doctest::Approx(auc).epsilon(1e-15));
      CHECK(e.overall.precision == 1);
      CHECK(e.overall.norm_precision == 1);
      CHECK(e.overall.ao == doctest::Approx(1).epsilon(1e-15));
      CHECK(e.overall.sr50 == 1);
      CHECK(e.overall.sr75 == 1);
      CHECK(std::isnan(e.overall.fps));
    }
}

TEST_CASE("evaluate: frames weigh alike in GOT-10k, sequences elsewhere") {
  const std::vector<Sequence> sequences{sequence_of(std::vector<Box>(11, Box{1, 1, 4, 4})),
                                        sequence_of(std::vector<Box>(3, Box{1, 1, 4, 4}))};
  std::vector<Box> lost(3, Box{50, 50, 4, 4});
  const std::vector<SequenceResult> results{{"s", {sequences[0].truth}, {}, {}}, {"s", {lost}, {}, {}}};
  const double frames = 10.0 / 12, means = 0.5;
  for (const Convention convention : kConventions) {
    CHECK(evaluate(Protocol::got10k, sequences, results, {.convention = convention}).overall.ao == doctest::Approx(frames));
    CHECK(evaluate(Protocol::got10k, sequences, results, {.convention = convention}).overall.sr50 ==
          doctest::Approx(frames));
    CHECK(evaluate(Protocol::otb, sequences, results, {.convention = convention}).overall.ao == doctest::Approx(means));
  }
  const auto got10k = evaluate(Protocol::got10k, sequences, results);
  CHECK(got10k.overall.auc == doctest::Approx(frames * 100 / 101));
}

TEST_CASE("evaluate: frames per second are those of update, over all frames together") {
  const std::vector<Sequence> sequences{sequence_of(std::vector<Box>(3, Box{1, 1, 4, 4})),
                                        sequence_of(std::vector<Box>(2, Box{1, 1, 4, 4}))};
  std::vector<SequenceResult> results{{"s", {sequences[0].truth}, {{9, 0.1, 0.3}}, {}},
                                      {"s", {sequences[1].truth}, {{9, 0.5}}, {}}};
  Evaluation e = evaluate(Protocol::otb, sequences, results);
  CHECK(e.sequences[0].fps == doctest::Approx(5));
  CHECK(e.sequences[1].fps == doctest::Approx(2));
  CHECK(e.overall.fps == doctest::Approx(3 / 0.9));
  results[0].seconds = {{9, 0, std::numeric_limits<double>::quiet_NaN()}};
  e = evaluate(Protocol::otb, sequences, results);
  CHECK(std::isnan(e.sequences[0].fps));
  CHECK(e.overall.fps == doctest::Approx(2));
}

TEST_CASE("evaluate: missing results are refused, left out, or zeros for TrackingNet") {
  std::vector<Sequence> sequences{sequence_of({{1, 1, 4, 4}, {1, 1, 4, 4}}), sequence_of({{1, 1, 4, 4}, {1, 1, 4, 4}})};
  sequences[1].name = "t\n";
  std::vector<SequenceResult> results{{"s", {sequences[0].truth}, {}, {}}, {"t\n", {}, {}, {}}};
  CHECK(error_of(ErrorCode::argument, [&] { evaluate(Protocol::otb, sequences, results); }) ==
        "evaluate: expected results for all 2 sequences, got none for 1: 't\\x0a'");
  const Evaluation skipped = evaluate(Protocol::otb, sequences, results, {.skip_missing = true});
  CHECK(skipped.sequences.size() == 1);
  CHECK(skipped.warnings == std::vector<std::string>{"1 of 2 sequences without a result, left out: 't\\x0a'"});
  CHECK(skipped.overall.auc == doctest::Approx(20.0 / 21));
  const Evaluation zeros = evaluate(Protocol::trackingnet, sequences, results);
  REQUIRE(zeros.sequences.size() == 2);
  // Frame 0 is the truth; frame 1 overlaps by 0, which is at least the first threshold, and no further one.
  CHECK(zeros.sequences[1].auc == doctest::Approx((0.5 * (1 + 0.5) + 19 * 0.5) / 20));
  CHECK(zeros.sequences[1].warnings == std::vector<std::string>{"no result: scored as boxes of zeros"});
}

TEST_CASE("evaluate: results must be those of the sequences") {
  const Sequence sequence = sequence_of({{1, 1, 4, 4}});
  const SequenceResult other{"u", {{{1, 1, 4, 4}}}, {}, {}};
  CHECK(error_of(ErrorCode::argument, [&] {
          evaluate(Protocol::otb, {&sequence, 1}, {});
        }) == "evaluate: results: expected 1, one for each sequence, got 0");
  CHECK(error_of(ErrorCode::argument, [&] {
          evaluate(Protocol::otb, {&sequence, 1}, {&other, 1});
        }) == "evaluate: result 0: expected that of 's', got that of 'u'");
  const Sequence empty = sequence_of({});
  CHECK(error_of(ErrorCode::argument, [&] {
          evaluate_one(Protocol::otb, empty, {{1, 1, 4, 4}}, Convention::toolkit);
        }) == "score_frames: 's': expected true boxes, got none");
}

TEST_CASE("evaluate: a test set without truth scores nothing, and says so") {
  Sequence sequence = sequence_of({{1, 1, 4, 4}});
  sequence.frames.resize(3);
  const std::vector<Box> run(3, Box{1, 1, 4, 4});
  const Evaluation e = evaluate_one(Protocol::got10k, sequence, run, Convention::toolkit);
  CHECK(std::isnan(e.overall.auc));
  CHECK(std::isnan(e.overall.ao));
  const auto& warnings = e.sequences[0].warnings;
  CHECK(std::find(warnings.begin(), warnings.end(), "no frame to score") != warnings.end());
  CHECK(std::find(warnings.begin(), warnings.end(), "true box of the first frame only: the scores say nothing") !=
        warnings.end());
  CHECK(std::isnan(evaluate(Protocol::otb, {}, {}).overall.auc));
}

TEST_CASE("evaluate: hundreds of thousands of frames take no time") {
  const Sequence sequence = sequence_of(std::vector<Box>(300000, Box{1, 1, 40, 40}));
  std::vector<Box> run = sequence.truth;
  for (std::size_t i = 0; i < run.size(); ++i) run[i].x += static_cast<double>(i % 60);
  const Evaluation e = evaluate_one(Protocol::otb, sequence, std::move(run), Convention::toolkit);
  CHECK(e.sequences[0].scored == 300000);
  CHECK(e.overall.precision == doctest::Approx(21.0 / 60).epsilon(1e-4));
}
