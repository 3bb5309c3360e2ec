// Confidence against overlap: bins and calibration errors worked out by hand, and the files that scores are kept in.
#include "detrack/eval/reliability.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "detrack/eval/confidence_file.hpp"
#include "detrack/eval/evaluate.hpp"
#include "detrack/eval/reliability_plot.hpp"
#include "detrack/eval/result_files.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace detrack;
using test::error_of;

namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinite = std::numeric_limits<double>::infinity();

const std::vector<FrameConfidence> kConfidences{
    {1, 1, TargetState::tracking}, {0.1234564, 0, TargetState::uncertain}, {kUnknown, 0.7, TargetState::lost}};
constexpr const char* kConfidenceText = "1.000000,1.000000,tracking\n0.123456,0.000000,uncertain\nnan,0.700000,lost\n";

/// Frames, mean score, mean overlap and share of lost frames.
void check_bin(const ReliabilityBin& bin, std::int64_t frames, double score, double overlap, double lost) {
  CHECK(bin.frames == frames);
  CHECK(bin.mean_score == doctest::Approx(score).epsilon(1e-12));
  CHECK(bin.mean_overlap == doctest::Approx(overlap).epsilon(1e-12));
  CHECK(bin.lost == doctest::Approx(lost).epsilon(1e-12));
}

void put_text(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

Sequence sequence_named(const std::string& name, std::vector<Box> truth = {}) {
  Sequence sequence;
  sequence.name = name;
  sequence.truth = std::move(truth);
  return sequence;
}

}  // namespace

TEST_CASE("reliability: bins and calibration error worked out by hand") {
  const std::vector<double> scores{0, 0.05, 0.1, 0.95, 1}, overlaps{0, 0.3, 0.05, 0.9, 0.7};
  const ReliabilityCurve curve = reliability_curve(scores, overlaps);
  check_bin(curve.bins[0], 2, 0.025, 0.15, 0.5);
  check_bin(curve.bins[1], 1, 0.1, 0.05, 1);
  check_bin(curve.bins[9], 2, 0.975, 0.8, 0);
  check_bin(curve.all, 5, 0.42, 0.39, 0.4);
  CHECK(curve.bins[5].frames == 0);
  CHECK(std::isnan(curve.bins[5].mean_score));
  CHECK(std::isnan(curve.bins[5].mean_overlap));
  CHECK(std::isnan(curve.bins[5].lost));
  CHECK(curve.calibration_error == doctest::Approx(2 / 5. * 0.125 + 1 / 5. * 0.05 + 2 / 5. * 0.175).epsilon(1e-12));
}

TEST_CASE("reliability: a score that is the overlap has no calibration error, whatever its bins") {
  const std::vector<double> values{0, 0.11, 0.12, 0.5, 0.77, 1};
  CHECK(reliability_curve(values, values).calibration_error == doctest::Approx(0));
}

TEST_CASE("reliability: a bin begins at its tenth; 1 is in the last") {
  for (std::size_t i = 0; i <= 10; ++i) {
    CAPTURE(i);
    const double tenth = static_cast<double>(i) / 10, overlap = 0.5;
    CHECK(reliability_curve({&tenth, 1}, {&overlap, 1}).bins[std::min<std::size_t>(i, 9)].frames == 1);
    const double as_written = parse_confidences(format_confidences(std::vector<FrameConfidence>{{tenth, 0}}))[0].score;
    CHECK(reliability_curve({&as_written, 1}, {&overlap, 1}).bins[std::min<std::size_t>(i, 9)].frames == 1);
    if (i == 0) continue;
    const double below = tenth - 1e-6;
    CHECK(reliability_curve({&below, 1}, {&overlap, 1}).bins[i - 1].frames == 1);
  }
}

TEST_CASE("reliability: an overlap of exactly 0.1 is not lost") {
  const std::vector<double> scores{0.5, 0.5, 0.5, 0.5}, overlaps{0.1, 0.0999, 0.2, 0.3};
  CHECK(reliability_curve(scores, overlaps).bins[5].lost == 0.25);
}

TEST_CASE("reliability: what is no score or no overlap is left out") {
  const std::vector<double> scores{kUnknown, 0.5, 0.5, -0.1, 1.1, kInfinite, 0.25};
  const std::vector<double> overlaps{0.5, kUnknown, kInfinite, 0.5, 0.5, 0.5, 0.75};
  const ReliabilityCurve curve = reliability_curve(scores, overlaps);
  check_bin(curve.all, 1, 0.25, 0.75, 0);
  CHECK(curve.calibration_error == 0.5);

  const ReliabilityCurve none = reliability_curve({}, {});
  CHECK(none.all.frames == 0);
  CHECK(std::isnan(none.all.mean_overlap));
  CHECK(std::isnan(none.calibration_error));
  CHECK(error_of(ErrorCode::argument, [&] { reliability_curve(scores, {}); }) ==
        "reliability_curve: scores: expected 0, one for each overlap, got 7");
  CHECK(error_of(ErrorCode::argument, [&] { reliability_of(kConfidences, scores); }) ==
        "reliability_of: confidences: expected 7, one for each overlap, got 3");
}

TEST_CASE("reliability: both scores and the states, each frame once") {
  const std::vector<FrameConfidence> confidences{{0.9, 0.8, TargetState::tracking},
                                                 {0.7, kUnknown, TargetState::tracking},
                                                 {0.2, 0.1, TargetState::uncertain},
                                                 {0.2, 0.1, TargetState::lost}};
  const std::vector<double> overlaps{0.8, 0.05, 0.4, kUnknown};
  const Reliability reliability = reliability_of(confidences, overlaps);
  CHECK(reliability.frames == 3);
  check_bin(reliability.score.all, 3, 0.6, 1.25 / 3, 1 / 3.);
  check_bin(reliability.iou.all, 2, 0.45, 0.6, 0);
  CHECK(reliability.score.calibration_error == doctest::Approx((0.1 + 0.65 + 0.2) / 3).epsilon(1e-12));
  CHECK(reliability.iou.calibration_error == doctest::Approx((0 + 0.3) / 2).epsilon(1e-12));
  CHECK(reliability.states[0].frames == 2);
  CHECK(reliability.states[0].mean_overlap == doctest::Approx(0.425).epsilon(1e-12));
  CHECK(reliability.states[0].lost == 0.5);
  CHECK(reliability.states[1].frames == 1);
  CHECK(reliability.states[1].mean_overlap == 0.4);
  CHECK(reliability.states[2].frames == 0);
  CHECK(std::isnan(reliability.states[2].mean_overlap));
}

TEST_CASE("evaluate: reliability over the scored frames of all sequences, frame 0 left out") {
  const Box here{1, 1, 4, 4}, off{3, 1, 4, 4}, away{50, 50, 4, 4};  // overlaps 1, 1 / 3 and 0 with `here`
  const std::vector<Sequence> sequences{sequence_named("s", {here, here, no_box(), here}),
                                        sequence_named("t", {here, here, here}), sequence_named("u", {here, here})};
  const auto saying = [](double score, TargetState state) { return FrameConfidence{score, score / 2, state}; };
  std::vector<SequenceResult> results{{"s", {{here, off, here, away}}, {}, {}},
                                      {"t", {{here, here, here}}, {}, {}},
                                      {"u", {{here, here}}, {}, {}}};  // of which no scores are known
  CHECK(evaluate(Protocol::otb, sequences, results).reliability.frames == 0);
  results[0].confidences = {saying(1, TargetState::lost), saying(0.6, TargetState::tracking), saying(0.6, TargetState::lost),
                            saying(0.2, TargetState::uncertain)};
  results[1].confidences = {saying(1, TargetState::lost), saying(1, TargetState::tracking)};  // too few, as results may be
  const Reliability reliability = evaluate(Protocol::otb, sequences, results).reliability;
  CHECK(reliability.frames == 3);
  check_bin(reliability.score.all, 3, 0.6, 4 / 9., 1 / 3.);
  check_bin(reliability.iou.all, 3, 0.3, 4 / 9., 1 / 3.);
  CHECK(reliability.states[0].frames == 2);
  CHECK(reliability.states[0].mean_overlap == doctest::Approx(2 / 3.));
  CHECK(reliability.states[1].lost == 1);
  CHECK(reliability.states[2].frames == 0);
}

TEST_CASE("reliability diagram: dots, bars and the diagonal where they belong") {
  const std::vector<double> scores{0.25, 0.25, 0.25, 1}, overlaps{0.5, 0.5, 0.5, 0};
  const std::string svg = detail::reliability_svg(reliability_curve(scores, overlaps), "score", 7);
  // The area is 46 to 368 across and 254 to 10 up.
  for (const char* part :
       {"class=\"counts\" d=\"M110.4 254.0V71.0H142.6V254.0ZM335.8 254.0V193.0H368.0V254.0Z\"",
        "class=\"half\" d=\"M46.0 254.0L368.0 10.0\"", "class=\"dots c1\" d=\"M126.5 132.0h0M368.0 254.0h0\"",
        "class=\"line c1 d0\" d=\"M126.5 132.0L368.0 254.0\""})
    CHECK_MESSAGE(svg.find(part) != std::string::npos, part);
}

TEST_CASE("score files: written beside the times of each layout, and read again") {
  CHECK(format_confidences(kConfidences) == kConfidenceText);
  const std::vector<Box> boxes(3, Box{1, 2, 3, 4});
  for (const auto& [layout, path] : {std::pair{ResultLayout::toolkit, "scores/a_scores.txt"},
                                     {ResultLayout::got10k, "a/a_scores.txt"},
                                     {ResultLayout::pytracking, "a_scores.txt"}}) {
    CAPTURE(path);
    const test::TemporaryFolder folder;
    write_result(folder.path(), layout, "a", boxes, std::vector<double>(3, 0.1), kConfidences);
    CHECK(test::read_text(folder / path) == kConfidenceText);
    const SequenceResult result = read_result(folder.path(), sequence_named("a"));
    CHECK(result.warnings.empty());
    CHECK(result.runs.size() == 1);
    CHECK(result.seconds[0].size() == 3);
    REQUIRE(result.confidences.size() == 3);
    CHECK(result.confidences[1].score == 0.123456);
    CHECK(result.confidences[1].state == TargetState::uncertain);
    CHECK(std::isnan(result.confidences[2].score));
    CHECK(result.confidences[2].iou == 0.7);
    CHECK(result.confidences[2].state == TargetState::lost);

    std::filesystem::remove(folder / path);
    const SequenceResult without = read_result(folder.path(), sequence_named("a"));
    CHECK(without.confidences.empty());
    CHECK(without.warnings.empty());
  }
}

TEST_CASE("score files: written before the boxes, which say that a run is complete") {
  const test::TemporaryFolder folder;
  put_text(folder / "scores", "a file where the folder should be");
  error_of(ErrorCode::io,
           [&] { write_result(folder.path(), ResultLayout::toolkit, "a", std::vector<Box>(3), {}, kConfidences); });
  CHECK_FALSE(result_complete(folder.path(), ResultLayout::toolkit, "a", 3));
  CHECK_FALSE(std::filesystem::exists(folder / "a.txt"));
}

TEST_CASE("score files: any line ends are read, damaged ones are a warning") {
  const test::TemporaryFolder folder;
  put_text(folder / "a.txt", "1,2,3,4\n1,2,3,4\n");
  const auto reading = [&](const std::string& text) {
    put_text(folder / "scores/a_scores.txt", text);
    return read_result(folder.path(), sequence_named("a"));
  };
  for (const char* text : {"0.5,0.25,lost\r\n1,0,tracking\r\n",
                           "\xef\xbb\xbf"
                           "5e-1,0.25,lost\n1,0,tracking"}) {
    const SequenceResult result = reading(text);
    CHECK(result.warnings.empty());
    REQUIRE(result.confidences.size() == 2);
    CHECK(result.confidences[0].score == 0.5);
    CHECK(result.confidences[0].state == TargetState::lost);
  }
  const std::string good = "0.5,0.5,lost\n";
  for (const std::string& text : {std::string(),
                                  good,
                                  good + good + good,
                                  good + "\n",
                                  "\n" + good,
                                  good + "0.5,0.5",
                                  good + "0.5,0.5,",
                                  good + ",,lost",
                                  good + "0.5,lost",
                                  good + "0.5,0.5,gone",
                                  good + "0.5,0.5,lost,",
                                  good + "0.5,0.5,lost ",
                                  good + "0.5,0.5,2",
                                  good + "1.5,0.5,lost",
                                  good + "0.5,-0.5,lost",
                                  good + "inf,0.5,lost",
                                  good + "1e999,0.5,lost",
                                  good + "0.5 0.5 lost",
                                  good + "score,iou,state",
                                  std::string("\0\xff\x1b[2J\n\n", 8),
                                  std::string(1 << 20, '9'),
                                  std::string(1 << 20, '\n')}) {
    CAPTURE(text.substr(0, 60));
    const SequenceResult result = reading(text);
    CHECK(result.runs[0].size() == 2);
    CHECK(result.confidences.empty());
    REQUIRE(result.warnings.size() == 1);
    CHECK(result.warnings[0].ends_with("; scores are left out"));
    CHECK(result.warnings[0].size() < 600);
    for (const char c : result.warnings[0]) CHECK((c >= 0x20 && c < 0x7f));
  }
  const std::string path = (folder / "scores/a_scores.txt").string();
  CHECK(reading(good).warnings[0] == path + ": expected 2 lines, one for each box, got 1; scores are left out");
  CHECK(reading(good + "0.5,2,lost\x1b").warnings[0] ==
        path +
            ": line 2: expected two scores in [0, 1] (or nan) and tracking, uncertain or lost, between commas, got "
            "'0.5,2,lost\\x1b'; scores are left out");
}

TEST_CASE("score files: with repetitions they are the first run's") {
  const test::TemporaryFolder folder;
  put_text(folder / "a/a_001.txt", "1,2,3,4\n1,2,3,4\n");
  put_text(folder / "a/a_002.txt", "1,2,3,4\n");
  put_text(folder / "a/a_scores.txt", "1,1,tracking\n0.5,0.5,lost\n");
  const SequenceResult result = read_result(folder.path(), sequence_named("a"));
  CHECK(result.runs.size() == 2);
  CHECK(result.confidences.size() == 2);
}
