// Result files: written as the toolkits do, found and read in all their layouts.
#include "detrack/eval/result_files.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "detrack/eval/evaluate.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace detrack;
using test::error_of;

namespace {

constexpr ResultLayout kResultLayouts[] = {ResultLayout::toolkit, ResultLayout::got10k, ResultLayout::pytracking};

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

std::vector<Sequence> sequences_named(std::vector<std::string> names) {
  std::vector<Sequence> sequences;
  for (std::string& name : names) sequences.emplace_back().name = std::move(name);
  return sequences;
}

const std::vector<Box> kBoxes{{1, 2, 3, 4}, {-0.0004, -5.9996, 1234.5678, 0.5}};
const std::vector<double> kSeconds{0.123456789, 0.000000004};

}  // namespace

TEST_CASE("result files: text as each program writes it") {
  CHECK(format_boxes(kBoxes, ResultLayout::toolkit) == "1.000,2.000,3.000,4.000\n-0.000,-6.000,1234.568,0.500\n");
  CHECK(format_boxes(kBoxes, ResultLayout::got10k) == format_boxes(kBoxes, ResultLayout::toolkit));
  CHECK(format_boxes(kBoxes, ResultLayout::pytracking) == "1\t2\t3\t4\n0\t-5\t1234\t0\n");
  CHECK(format_times(kSeconds, ResultLayout::toolkit) == "0.12345679\n0.00000000\n");
  CHECK(format_times(kSeconds, ResultLayout::pytracking) == "0.123457\n0.000000\n");
  const std::vector<Box> odd{{std::numeric_limits<double>::quiet_NaN(), 1e300, std::numeric_limits<double>::infinity(), 0}};
  const std::string text = format_boxes(odd, ResultLayout::toolkit);
  CHECK(text.starts_with("nan,10000000000000000525"));
  CHECK(text.ends_with(".000,inf,0.000\n"));
  CHECK(error_of(ErrorCode::argument, [&] { format_boxes(odd, ResultLayout::pytracking); }) ==
        "format_boxes: expected finite boxes for pytracking's whole pixels");
}

TEST_CASE("result files: written where each program looks, and read again") {
  for (const ResultLayout layout : kResultLayouts) {
    const test::TemporaryFolder folder;
    const auto sequences = sequences_named({"a", "b.1"});
    for (const Sequence& s : sequences) {
      CHECK_FALSE(result_complete(folder.path(), layout, s.name, 2));
      write_result(folder.path(), layout, s.name, kBoxes, kSeconds);
      CHECK(result_complete(folder.path(), layout, s.name, 2));
      CHECK_FALSE(result_complete(folder.path(), layout, s.name, 3));
    }
    const char* boxes = layout == ResultLayout::got10k ? "b.1/b.1_001.txt" : "b.1.txt";
    const char* times = layout == ResultLayout::got10k    ? "b.1/b.1_time.txt"
                        : layout == ResultLayout::toolkit ? "times/b.1_time.txt"
                                                          : "b.1_time.txt";
    CHECK(text_of(folder / boxes) == format_boxes(kBoxes, layout));
    CHECK(text_of(folder / times) == format_times(kSeconds, layout));
    const auto results = read_results(folder.path(), sequences);
    REQUIRE(results.size() == 2);
    CHECK(results[1].name == "b.1");
    REQUIRE(results[1].runs.size() == 1);
    CHECK(results[1].runs[0].size() == 2);
    CHECK(results[1].runs[0][1].w == (layout == ResultLayout::pytracking ? 1234 : 1234.568));
    CHECK(results[1].seconds[0].size() == 2);
    CHECK(results[1].warnings.empty());
  }
}

TEST_CASE("result files: writing replaces, and leaves nothing behind when it fails") {
  const test::TemporaryFolder folder;
  write_result(folder.path(), ResultLayout::toolkit, "a", kBoxes, {});
  write_result(folder.path(), ResultLayout::toolkit, "a", std::vector<Box>{{5, 6, 7, 8}}, {});
  CHECK(text_of(folder / "a.txt") == "5.000,6.000,7.000,8.000\n");
  CHECK(folder.count() == 1);
  const std::vector<Box> bad{no_box()};
  error_of(ErrorCode::argument, [&] { write_result(folder.path(), ResultLayout::pytracking, "b", bad, kSeconds); });
  CHECK(folder.count() == 1);
  write_text(folder / "file", "");
  CHECK(error_of(ErrorCode::io, [&] {
          write_result(folder / "file", ResultLayout::toolkit, "a", kBoxes, {});
        }).starts_with((folder / "file").string() + ": cannot create"));
}

TEST_CASE("result files: an incomplete or damaged one is no complete run") {
  const test::TemporaryFolder folder;
  for (const char* text : {"", "1,2,3,4\n", "1,2,3,4\n1,2,3", "1,2,3,4\n1,2,3,4\n1,2,3,4\n"}) {
    write_text(folder / "a.txt", text);
    CHECK_FALSE(result_complete(folder.path(), ResultLayout::toolkit, "a", 2));
  }
}

TEST_CASE("result files: found below the folder of all results") {
  const auto sequences = sequences_named({"a", "b"});
  for (const char* below : {"", "t", "OTB2015/t", "GOT-10k/t", "t/param", "t/param/trackingnet", "t/param_001"}) {
    const test::TemporaryFolder folder;
    write_text(folder.path() / below / "a.txt", "1 2 3 4\n");
    write_text(folder / "unrelated/readme.txt", "x");
    CHECK(locate_results(folder.path(), sequences) == (std::string(below).empty() ? folder.path() : folder.path() / below));
    const auto results = read_results(folder.path(), sequences);
    CHECK(results[0].runs.size() == 1);
    CHECK(results[1].runs.empty());
  }
}

TEST_CASE("result files: the level closest to the root decides, and must be one tracker's") {
  const test::TemporaryFolder folder;
  const auto sequences = sequences_named({"a"});
  CHECK(error_of(ErrorCode::io, [&] { locate_results(folder / "none", sequences); }) ==
        (folder / "none").string() + ": expected a folder of results, got none");
  CHECK(error_of(ErrorCode::format, [&] { locate_results(folder.path(), sequences); }) ==
        folder.path().string() + ": expected result files such as a.txt, there or up to three folders below; got none");
  write_text(folder / "x/y/z/w/a.txt", "1 2 3 4\n");
  error_of(ErrorCode::format, [&] { locate_results(folder.path(), sequences); });  // too deep
  write_text(folder / "t/two/a.txt", "1 2 3 4\n");
  CHECK(locate_results(folder.path(), sequences) == folder / "t/two");
  write_text(folder / "t/one/a.txt", "1 2 3 4\n");
  CHECK(error_of(ErrorCode::format, [&] { locate_results(folder.path(), sequences); }) ==
        folder.path().string() + ": expected the results of one tracker, got those of 2: " + (folder / "t/one").string() +
            ", " + (folder / "t/two").string() + "; name one of them");
  write_text(folder / "u/a.txt", "1 2 3 4\n");
  CHECK(locate_results(folder.path(), sequences) == folder / "u");
}

TEST_CASE("result files: repetitions of GOT-10k with a column of times each") {
  const test::TemporaryFolder folder;
  const auto sequences = sequences_named({"s_1"});
  for (const char* number : {"001", "002", "010"})
    write_text(folder / ("s_1/s_1_" + std::string(number) + ".txt"), std::string(number) + ",2,3,4\n1,2,3,4\n");
  write_text(folder / "s_1/s_1_time.txt", "1.0,2.0,3.0\n0.1,0.2,0.3\n");
  write_text(folder / "s_1/s_1_notes.txt", "none of these");
  const SequenceResult result = read_result(folder.path(), sequences[0]);
  REQUIRE(result.runs.size() == 3);
  CHECK(result.runs[2][0].x == 10);
  CHECK(result.seconds == std::vector<std::vector<double>>{{1, 0.1}, {2, 0.2}, {3, 0.3}});
}

TEST_CASE("result files: other names of a sequence are looked for, too") {
  const test::TemporaryFolder folder;
  auto sequences = sequences_named({"Jogging.1"});
  sequences[0].other_names = {"Jogging_1", "Jogging-1"};
  write_text(folder / "Jogging_1.txt", "1\t2\t3\t4\n");
  write_text(folder / "Jogging_1_time.txt", "0.5\n");
  SequenceResult result = read_result(folder.path(), sequences[0]);
  CHECK(result.runs.size() == 1);
  CHECK(result.name == "Jogging.1");
  CHECK(result.seconds == std::vector<std::vector<double>>{{0.5}});
  write_text(folder / "Jogging.1.txt", "5,2,3,4\n");
  CHECK(read_result(folder.path(), sequences[0]).runs[0][0].x == 5);
}

TEST_CASE("result files: boxes that cannot be read are errors, times only a warning") {
  const test::TemporaryFolder folder;
  const auto sequences = sequences_named({"a"});
  write_text(folder / "a.txt", "1,2,3,4\n1,2,3,four\n");
  CHECK(error_of(ErrorCode::format, [&] { read_results(folder.path(), sequences); }) ==
        (folder / "a.txt").string() + ": line 2: expected a number, got 'four'");
  write_text(folder / "a.txt", "\n");
  CHECK(error_of(ErrorCode::format, [&] { read_results(folder.path(), sequences); }) ==
        (folder / "a.txt").string() + ": expected at least one box, got none");
  write_text(folder / "a.txt", "1,2,3,4\n");
  write_text(folder / "times/a_time.txt", "fast");
  const SequenceResult result = read_result(folder.path(), sequences[0]);
  CHECK(result.seconds.empty());
  REQUIRE(result.warnings.size() == 1);
  CHECK(result.warnings[0].ends_with("line 1: expected a number, got 'fast'; times are left out"));
}

TEST_CASE("result files: folders of got-10k/toolkit") {
  CHECK(toolkit_folder("r", Protocol::otb, "t") == "r/OTB2015/t");
  CHECK(toolkit_folder("r", Protocol::got10k, "t") == "r/GOT-10k/t");
  CHECK(toolkit_folder("r", Protocol::lasot, "t") == "r/t");
  CHECK(toolkit_folder("r", Protocol::trackingnet, "t") == "r/t");
}
