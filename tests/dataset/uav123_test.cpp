// UAV123 and its parts: ranges of shared folders, and what does not fit them.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "detrack/data/open_dataset.hpp"
#include "tests/support/dataset_files.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;
using test::error_of;
using test::Files;
using test::names;

TEST_CASE("UAV123: sequences that share a folder, one that has its own, and NaN where the target is absent") {
  const Files files;
  const std::string anno = "anno/UAV123_10fps/", pictures = "data_seq/UAV123_10fps/";
  files.boxes(anno + "bird1_1.txt", 85).pictures(pictures + "bird1", 1, 90, 6);
  files.boxes(anno + "person8_2.txt", 151, 1000).pictures(pictures + "person8", 350, 511, 6);
  files.text(anno + "car1_s.txt", "1,2,3,4\nNaN,NaN,NaN,NaN\n").pictures(pictures + "car1_s", 1, 2, 6);
  files.text(anno + "att/bird1_1.txt", "0,1");  // attributes, in a folder of their own
  const Dataset dataset = open_dataset(files.root());
  CHECK(dataset.layout == Layout::uav123);
  CHECK(dataset.warnings.empty());
  CHECK(names(dataset) == std::vector<std::string>{"bird1_1", "car1_s", "person8_2"});
  const Sequence &bird = dataset.sequences[0], &car = dataset.sequences[1], &person = dataset.sequences[2];
  CHECK(bird.frames.size() == 85);
  CHECK(bird.first_frame == 0);
  CHECK(bird.frames.back() == files.root() / (pictures + "bird1/000085.jpg"));
  CHECK(person.frames.size() == 151);
  CHECK(person.first_frame == 9);
  CHECK(person.frames[0].stem() == "000359");
  CHECK(person.frames.back().stem() == "000509");
  CHECK(person.truth[0].x == 1000);
  CHECK(car.frames.size() == 2);
  CHECK((car.usable(0) && !car.usable(1) && !car.truth[1].finite()));

  const Dataset pytracking = open_dataset(files.root(), {.pytracking_names = true});
  CHECK(names(pytracking) == std::vector<std::string>{"uav_bird1_1", "uav_car1_s", "uav_person8_2"});
  CHECK(pytracking.find("person8_2") == &pytracking.sequences[2]);
  CHECK(pytracking.sequences[2].frames.size() == 151);
  CHECK(dataset.find("uav_car1_s") == &car);
}

TEST_CASE("UAV123: parts beside each other") {
  const Files files;
  files.boxes("anno/UAV123/uav1_3.txt", 1).pictures("data_seq/UAV123/uav1", 2471, 2480, 6);
  files.boxes("anno/UAV20L/uav1.txt", 10, 5);
  files.boxes("anno/UAV123_10fps/uav2.txt", 3, 7).pictures("data_seq/UAV123_10fps/uav2", 1, 3, 6);
  const auto open = [&](const char* part) { return open_dataset(files.root(), {.subset = part}); };
  for (const char* part : {"", "UAV123"}) {
    const Dataset usual = open(part);
    CHECK(names(usual) == std::vector<std::string>{"uav1_3"});
    CHECK(usual.sequences[0].frames[0].stem() == "002473");
    CHECK(usual.sequences[0].frames.size() == 8);
    CHECK(usual.sequences[0].first_frame == 2);
  }
  const Dataset lengthy = open("UAV20L");
  CHECK(names(lengthy) == std::vector<std::string>{"uav1"});
  CHECK(lengthy.sequences[0].frames.size() == 10);
  CHECK(lengthy.sequences[0].frames[0] == files.root() / "data_seq/UAV123/uav1/002471.jpg");
  CHECK(lengthy.warnings.empty());
  const Dataset thin = open("UAV123_10fps");
  CHECK(thin.sequences[0].truth[0].x == 7);
  CHECK(thin.sequences[0].frames[0] == files.root() / "data_seq/UAV123_10fps/uav2/000001.jpg");
  CHECK(thin.warnings.empty());
  CHECK(error_of(ErrorCode::argument, [&] { open("test"); }) ==
        files.root().string() + ": expected the name of a subset (UAV123, UAV123_10fps, UAV20L), got 'test'");
}

TEST_CASE("UAV123: the table of ranges") {
  const auto at = [](std::string_view name) {
    return *std::find_if(std::begin(detail::kUav123Ranges), std::end(detail::kUav123Ranges),
                         [&](const auto& range) { return range.name == name; });
  };
  CHECK(std::size(detail::kUav123Ranges) == 51);
  for (const auto& range : detail::kUav123Ranges) {
    // At 10 fps every third picture is there: ranges begin and end on such ones. Most begin where another ends.
    CHECK_MESSAGE((range.first % 3 == 1 && range.last % 3 == 1 && range.first < range.last), range.name);
    const bool continues = std::any_of(std::begin(detail::kUav123Ranges), std::end(detail::kUav123Ranges),
                                       [&](const auto& other) { return other.last == range.first; });
    const bool apart = range.name == "bird1_2" || range.name == "bird1_3" || range.name == "uav1_3";
    CHECK_MESSAGE((continues || range.first == 1 || apart), range.name);
  }
  // As configSeqs.m of UAV123_10fps has them.
  CHECK(detail::uav123_number(at("bird1_3").first, detail::kUav123At10Fps) == 525);
  CHECK(detail::uav123_number(at("bird1_3").last, detail::kUav123At10Fps) == 813);
  CHECK(detail::uav123_number(at("car6_5").last, detail::kUav123At10Fps) == 1621);
  CHECK(detail::uav123_number(at("group3_4").last, detail::kUav123At10Fps) == 1843);
  CHECK(detail::uav123_number(at("person14_3").last, detail::kUav123At10Fps) == 975);
  CHECK(detail::uav123_number(at("person19_2").first, detail::kUav123At10Fps) == 415);
  CHECK(detail::uav123_number(at("truck4_2").last, detail::kUav123At10Fps) == 421);
}

TEST_CASE("UAV123: ranges that the pictures do not fill") {
  const Files files;
  files.boxes("anno/UAV123/truck4_1.txt", 577).pictures("data_seq/UAV123/truck4", 1, 40, 6);
  files.boxes("anno/UAV123/truck4_2.txt", 685);
  files.boxes("anno/UAV123/car8_1.txt", 1357).pictures("data_seq/UAV123/car8", 1, 20, 6);
  std::filesystem::remove(files.root() / "data_seq/UAV123/car8/000010.jpg");
  files.boxes("anno/UAV123/uav1_1.txt", 4);
  const Dataset dataset = open_dataset(files.root());
  const auto frames = [&](const char* name) { return dataset.find(name)->frames.size(); };
  CHECK(frames("truck4_1") == 40);
  CHECK(frames("truck4_2") == 0);
  CHECK(frames("car8_1") == 9);  // those after a hole would have the boxes of others
  CHECK(frames("uav1_1") == 0);
  const auto has = [&](const std::string& warning) {
    return std::find(dataset.warnings.begin(), dataset.warnings.end(), warning) != dataset.warnings.end();
  };
  const std::string folder = (files.root() / "data_seq/UAV123").string(), anno = (files.root() / "anno/UAV123").string();
  CHECK(has(folder + "/truck4: expected the pictures 1 to 577 of the sequence truck4_1, got none of number 41: "
                     "the sequence ends before it"));
  CHECK(has(folder + "/truck4: expected the pictures 577 to 1261 of the sequence truck4_2, got none of number 577: "
                     "the sequence ends before it"));
  CHECK(has(folder + "/car8: expected the pictures 1 to 1357 of the sequence car8_1, got none of number 10: "
                     "the sequence ends before it"));
  CHECK(has(anno + "/truck4_1.txt: 577 boxes for 40 pictures: the last frames are missing"));
  CHECK(has(anno + "/uav1_1.txt: no pictures: results can be scored, but no tracker run"));
}

TEST_CASE("UAV123: a folder that is none") {
  const Files files;
  files.boxes("anno/a.txt", 1);
  CHECK(error_of(ErrorCode::format, [&] { open_dataset(files.root(), {.layout = Layout::uav123}); }) ==
        files.root().string() + ": expected a folder anno/UAV123, UAV20L or UAV123_10fps, got none");
  files.text("anno/UAV123/readme", "");
  CHECK(error_of(ErrorCode::format, [&] { open_dataset(files.root()); }) ==
        files.root().string() + ": expected sequences in the layout uav123, got none");
  files.text("anno/UAV123/bike1.txt", "1,2,3\n");
  CHECK(error_of(ErrorCode::format, [&] {
          open_dataset(files.root());
        }).starts_with((files.root() / "anno/UAV123/bike1.txt").string() + ": line 1: expected 4 numbers"));
}
