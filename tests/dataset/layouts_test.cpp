// Opening datasets: each layout, how it is recognised, and what does not fit.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "detrack/data/open_dataset.hpp"
#include "tests/support/dataset_files.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;
using test::error_of;
using test::Files;
using test::names;

TEST_CASE("plain layout: pictures in img or beside the boxes, NaN where the target is absent") {
  const Files files;
  files.text("b10/groundtruth.txt", "1,2,3,4\nnan,nan,nan,nan\n5,6,inf,8\n").pictures("b10/img", 1, 3);
  files.boxes("b9/groundtruth.txt", 2).pictures("b9", 9, 10, 1);
  files.text("notes.txt", "").text("empty/readme", "");
  const Dataset dataset = open_dataset(files.root());
  CHECK(dataset.layout == Layout::plain);
  CHECK(names(dataset) == std::vector<std::string>{"b9", "b10"});
  CHECK(dataset.warnings.empty());
  const Sequence& s = dataset.sequences[1];
  CHECK(s.frames[2] == files.root() / "b10/img/0003.jpg");
  CHECK(s.truth[0] == Box{1, 2, 3, 4});
  for (const std::size_t absent : {std::size_t{1}, std::size_t{2}, std::size_t{3}}) {
    CHECK(std::isnan(s.truth_at(absent).x + s.truth_at(absent).h));
    CHECK_FALSE(s.usable(absent));
  }
  CHECK(s.usable(0));
  CHECK_FALSE(s.frame_size);
  CHECK(dataset.sequences[0].frames[0].filename() == "9.jpg");
  CHECK(dataset.find("b10") == &s);
  CHECK(dataset.find("b1") == nullptr);
}

TEST_CASE("plain layout: a single sequence is a dataset of one") {
  const Files files;
  files.boxes("walk/groundtruth.txt", 2).pictures("walk/img", 1, 2);
  for (const char* path : {"walk", "walk/", "walk/../walk/."}) {
    const Dataset dataset = open_dataset(files.root() / path);
    CHECK(names(dataset) == std::vector<std::string>{"walk"});
    CHECK(dataset.sequences[0].frames.size() == 2);
  }
}

TEST_CASE("OTB: several targets, empty annotations, names of both programs") {
  const Files files;
  files.boxes("Jogging/groundtruth_rect.1.txt", 3, 100, '\t').boxes("Jogging/groundtruth_rect.2.txt", 3, 200, ' ');
  files.pictures("Jogging/img", 1, 3);
  files.text("Human4/groundtruth_rect.1.txt", "\n")
      .boxes("Human4/groundtruth_rect.2.txt", 2, 300)
      .pictures("Human4/img", 1, 2);
  files.boxes("Board/groundtruth_rect.txt", 12, 400).pictures("Board/img", 1, 12, 5);
  const Dataset toolkit = open_dataset(files.root());
  CHECK(toolkit.layout == Layout::otb);
  CHECK(names(toolkit) == std::vector<std::string>{"Board", "Human4", "Jogging.1", "Jogging.2"});
  CHECK(toolkit.sequences[0].frames[9].filename() == "00010.jpg");
  CHECK(toolkit.sequences[1].truth[0].x == 300);
  CHECK(toolkit.sequences[2].truth[0].x == 100);
  CHECK(toolkit.sequences[3].truth[0].x == 200);
  CHECK(toolkit.find("Jogging_2") == &toolkit.sequences[3]);
  CHECK(toolkit.find("Human4_2") == &toolkit.sequences[1]);
  CHECK(toolkit.find("Jogging") == nullptr);
  REQUIRE(toolkit.warnings.size() == 1);
  CHECK(toolkit.warnings[0] == (files.root() / "Human4/groundtruth_rect.1.txt").string() + ": empty, left out");

  const Dataset pytracking = open_dataset(files.root(), {.pytracking_names = true});
  CHECK(names(pytracking) == std::vector<std::string>{"Board", "Human4_2", "Jogging_1", "Jogging_2"});
  CHECK(pytracking.find("Jogging.1") == &pytracking.sequences[2]);
  CHECK(pytracking.find("Human4") == &pytracking.sequences[1]);
}

TEST_CASE("OTB: sequences that are annotated in part") {
  const Files files;
  const auto add = [&](const std::string& name, int boxes, int first, int last) {
    files.boxes(name + "/groundtruth_rect.txt", boxes).pictures(name + "/img", first, last);
  };
  add("David", 471, 1, 775);
  add("Football1", 74, 1, 79);
  add("Freeman3", 460, 1, 465);
  add("Freeman4", 283, 1, 290);
  add("Diving", 215, 1, 231);
  add("BlurCar1", 742, 247, 988);
  add("BlurCar3", 357, 1, 359);
  add("BlurCar4", 380, 18, 397);
  add("Tiger1", 354, 1, 354);
  add("Deer", 71, 1, 71);
  const Dataset dataset = open_dataset(files.root());
  CHECK(dataset.warnings.empty());
  const auto first_of = [&](const char* name) { return dataset.find(name)->frames[0].stem().string(); };
  const auto last_of = [&](const char* name) { return dataset.find(name)->frames.back().stem().string(); };
  for (const Sequence& s : dataset.sequences) CHECK(s.frames.size() == s.truth.size());
  CHECK(first_of("David") == "0300");
  CHECK(last_of("David") == "0770");
  CHECK(dataset.find("David")->first_frame == 299);
  CHECK(last_of("Diving") == "0215");
  CHECK(first_of("BlurCar1") == "0247");
  CHECK(first_of("BlurCar3") == "0003");
  CHECK(dataset.find("BlurCar3")->first_frame == 2);
  CHECK(first_of("BlurCar4") == "0018");
  CHECK(dataset.find("Tiger1")->truth.size() == 354);

  const Dataset pytracking = open_dataset(files.root(), {.pytracking_names = true});
  const Sequence& tiger = *pytracking.find("Tiger1");
  CHECK(tiger.truth.size() == 349);
  CHECK(tiger.truth[0].x == 6);
  CHECK(tiger.frames[0].stem() == "0006");
  CHECK(tiger.first_frame == 5);
  CHECK(pytracking.find("David")->truth.size() == 471);
}

TEST_CASE("GOT-10k: list, labels and resolution") {
  const Files files;
  files.text("val/list.txt", "B_2\r\nA_1\n\nlost\n");
  files.boxes("val/A_1/groundtruth.txt", 3).pictures("val/A_1", 1, 3, 8);
  files.text("val/A_1/absence.label", "0\n1\n0\n")
      .text("val/A_1/cover.label", "8\n0\n3\n")
      .flags("val/A_1/cut_by_image.label", 3, "1");
  files.text("val/A_1/meta_info.ini", "[METAINFO]\nurl: x\nresolution: (1920, 1080)\nclass: y\n");
  files.boxes("val/B_2/groundtruth.txt", 1).pictures("val/B_2", 1, 5, 8);  // as in the test set
  files.boxes("val/not_listed/groundtruth.txt", 1);
  for (const char* root : {"", "val"}) {
    const Dataset dataset = open_dataset(files.root() / root);
    CHECK(dataset.layout == Layout::got10k);
    CHECK(names(dataset) == std::vector<std::string>{"B_2", "A_1"});
    REQUIRE(dataset.warnings.size() == 1);
    CHECK(dataset.warnings[0].find("list.txt: 'lost': no groundtruth.txt in such a folder, left out") != std::string::npos);
    const Sequence& s = dataset.sequences[1];
    CHECK(s.frame_size == ImageSize{1920, 1080});
    CHECK(s.cover == std::vector<std::uint8_t>{8, 0, 3});
    CHECK(s.cut_by_image.size() == 3);
    CHECK(s.visible(0));
    CHECK_FALSE(s.visible(1));
    CHECK(s.usable(2));
    CHECK(dataset.sequences[0].frames.size() == 5);
    CHECK_FALSE(dataset.sequences[0].frame_size);
  }
}

TEST_CASE("GOT-10k: subsets are named where there are several") {
  const Files files;
  for (const std::string part : {"train", "val"})
    files.text(part + "/list.txt", part + "_1\n").boxes(part + "/" + part + "_1/groundtruth.txt", 1);
  const std::string message = error_of(ErrorCode::argument, [&] { open_dataset(files.root()); });
  CHECK(message == files.root().string() + ": expected the name of a subset (train, val), got none");
  CHECK(names(open_dataset(files.root(), {.subset = "train"})) == std::vector<std::string>{"train_1"});
  CHECK(error_of(ErrorCode::argument, [&] { open_dataset(files.root(), {.subset = "test"}); }).ends_with("got 'test'"));
}

TEST_CASE("datasets: a subset is refused where there is none to choose") {
  const auto refused = [](const Files& files, const std::string& words) {
    CHECK(error_of(ErrorCode::argument, [&] { open_dataset(files.root(), {.subset = "train"}); }) ==
          files.root().string() + ": subset: the layout " + words);
  };
  {
    const Files files;
    files.boxes("a/groundtruth.txt", 2);
    refused(files, "plain has no use for it");
    files.flags("a/cover.label", 2, "8");
    refused(files, "got10k has no use for it in a folder that is a single part");
    files.flags("a/out_of_view.txt", 2);
    refused(files, "lasot has no use for it");
  }
  const Files otb, part;
  otb.boxes("Basketball/groundtruth_rect.txt", 2);
  refused(otb, "otb has no use for it");
  part.boxes("anno/a.txt", 2).pictures("frames/a", 0, 1, 1);
  refused(part, "trackingnet has no use for it in a folder that is a single part");

  const Files parts;  // a part that is asked for by its name may be given itself
  parts.boxes("train/a/groundtruth.txt", 2).flags("train/a/cover.label", 2, "8");
  for (const char* path : {"train", "train/", "train/."})
    CHECK(names(open_dataset(parts.root() / path, {.subset = "train"})) == std::vector<std::string>{"a"});
  error_of(ErrorCode::argument, [&] { open_dataset(parts.root() / "train", {.subset = "val"}); });
}

TEST_CASE("GOT-10k: recognised without a list") {
  const Files files;
  files.boxes("a/groundtruth.txt", 2).flags("a/cover.label", 2, "8").boxes("b/groundtruth.txt", 1);
  const Dataset dataset = open_dataset(files.root());
  CHECK(dataset.layout == Layout::got10k);
  CHECK(names(dataset) == std::vector<std::string>{"a", "b"});
}

TEST_CASE("GOT-10k: labels that do not fit, names that are paths, resolutions that are none") {
  const Files files;
  files.text("list.txt", "a\n").boxes("a/groundtruth.txt", 3).flags("a/absence.label", 2);
  std::string message = error_of(ErrorCode::format, [&] { open_dataset(files.root()); });
  CHECK(message == (files.root() / "a/absence.label").string() + ": expected 3 numbers, as many as " +
                       (files.root() / "a/groundtruth.txt").string() + " has boxes, got 2");
  files.flags("a/absence.label", 3);
  for (const char* bad :
       {"resolution: big", "resolution: (0, 5)", "resolution: (640)", "resolution: (-1, -1)", "resolution:"}) {
    files.text("a/meta_info.ini", bad);
    CHECK(error_of(ErrorCode::format, [&] { open_dataset(files.root()); }).find("resolution: expected two numbers") !=
          std::string::npos);
  }
  for (const char* bad : {"../a", "/etc", "..", "a/../../b"}) {
    files.text("list.txt", bad);
    CHECK(error_of(ErrorCode::format, [&] { open_dataset(files.root()); }).find("expected names of folders, got ") !=
          std::string::npos);
  }
}

TEST_CASE("LaSOT: with and without folders of classes") {
  for (const std::string prefix : {"", "cat/"}) {
    const Files files;
    for (const std::string name : {"cat-2", "cat-10"}) {
      files.boxes(prefix + name + "/groundtruth.txt", 4).pictures(prefix + name + "/img", 1, 4, 8);
      files.text(prefix + name + "/full_occlusion.txt", "0,1,0,0").text(prefix + name + "/out_of_view.txt", "0,0,1,0\n");
    }
    const Dataset dataset = open_dataset(files.root());
    CHECK(dataset.layout == Layout::lasot);
    CHECK(names(dataset) == std::vector<std::string>{"cat-2", "cat-10"});
    CHECK(dataset.warnings.empty());
    const Sequence& s = dataset.sequences[0];
    CHECK((s.visible(0) && !s.visible(1) && !s.visible(2) && s.visible(3)));
  }
}

TEST_CASE("LaSOT: missing flags are said, names that occur twice refused") {
  const Files files;
  files.boxes("a/x-1/groundtruth.txt", 2).flags("a/x-1/out_of_view.txt", 2).pictures("a/x-1/img", 1, 2);
  const Dataset dataset = open_dataset(files.root());
  REQUIRE(dataset.warnings.size() == 1);
  CHECK(dataset.warnings[0] == (files.root() / "a/x-1/full_occlusion.txt").string() + ": missing, taken as 0 in all frames");
  files.boxes("b/x-1/groundtruth.txt", 2);
  CHECK(error_of(ErrorCode::format, [&] { open_dataset(files.root()); }) ==
        files.root().string() + ": expected each sequence once, got two named 'x-1'");
}

TEST_CASE("TrackingNet: parts, and frames that count as numbers") {
  const Files files;
  files.boxes("TRAIN_0/anno/a.txt", 11).pictures("TRAIN_0/frames/a", 0, 10, 1);
  files.boxes("TRAIN_1/anno/b.txt", 2).pictures("TRAIN_1/frames/b", 0, 1, 1);
  Dataset dataset = open_dataset(files.root());
  CHECK(dataset.layout == Layout::trackingnet);
  CHECK(names(dataset) == std::vector<std::string>{"a", "b"});
  CHECK(dataset.sequences[0].frames[2].filename() == "2.jpg");
  CHECK(dataset.sequences[0].frames[10].filename() == "10.jpg");
  CHECK(names(open_dataset(files.root() / "TRAIN_1")) == std::vector<std::string>{"b"});
  files.boxes("TEST/anno/c.txt", 1).pictures("TEST/frames/c", 0, 4, 1);
  error_of(ErrorCode::argument, [&] { open_dataset(files.root()); });
  CHECK(names(open_dataset(files.root(), {.subset = "train"})) == std::vector<std::string>{"a", "b"});
  CHECK(names(open_dataset(files.root(), {.subset = "TRAIN_0"})) == std::vector<std::string>{"a"});
  dataset = open_dataset(files.root(), {.subset = "test"});
  CHECK(dataset.sequences[0].truth.size() == 1);
  CHECK(dataset.sequences[0].frames.size() == 5);
  CHECK(dataset.warnings.empty());
}

TEST_CASE("datasets: pictures and boxes that do not match are warnings") {
  const Files files;
  files.boxes("few/groundtruth.txt", 5).pictures("few/img", 1, 3);
  files.boxes("many/groundtruth.txt", 2).pictures("many/img", 1, 3);
  files.boxes("none/groundtruth.txt", 2);
  files.text("start/groundtruth.txt", "nan,nan,nan,nan\n1,2,3,4\n").pictures("start/img", 1, 2);
  const Dataset dataset = open_dataset(files.root());
  REQUIRE(dataset.warnings.size() == 4);
  const auto at = [&](const std::string& name) { return (files.root() / name / "groundtruth.txt").string(); };
  CHECK(dataset.warnings[0] == at("few") + ": 5 boxes for 3 pictures: the last frames are missing");
  CHECK(dataset.warnings[1] == at("many") + ": 2 boxes for 3 pictures: the last frames have no truth");
  CHECK(dataset.warnings[2] == at("none") + ": no pictures: results can be scored, but no tracker run");
  CHECK(dataset.warnings[3] == at("start") + ": no box in the first line: no tracker can start there");
}

TEST_CASE("datasets: what is none is refused, with what was expected and found") {
  const Files files;
  CHECK(error_of(ErrorCode::io, [&] { open_dataset(files.root() / "none"); }) ==
        (files.root() / "none").string() + ": expected a dataset folder, got none");
  std::string message = error_of(ErrorCode::format, [&] { open_dataset(files.root()); });
  CHECK(message.find("expected a dataset: folders with groundtruth.txt") != std::string::npos);
  CHECK(message.ends_with("got 0 folders"));
  files.text("z/readme", "");
  CHECK(error_of(ErrorCode::format, [&] { open_dataset(files.root()); }).ends_with("got 1 folders, the first 'z'"));
  CHECK(error_of(ErrorCode::format, [&] { open_dataset(files.root(), {.layout = Layout::otb}); }) ==
        files.root().string() + ": expected sequences in the layout otb, got none");
  files.text("a/groundtruth.txt", "\n");
  CHECK(error_of(ErrorCode::format, [&] { open_dataset(files.root()); }) ==
        (files.root() / "a/groundtruth.txt").string() + ": expected at least one box, got none");
  files.text("a/groundtruth.txt", "1,2,3,4\n1,2,3\n");
  CHECK(error_of(ErrorCode::format, [&] {
          open_dataset(files.root());
        }).starts_with((files.root() / "a/groundtruth.txt").string() + ": line 2: expected 4 numbers"));
}

TEST_CASE("datasets: sequences are chosen by name") {
  const Files files;
  for (const char* name : {"a", "b", "c"}) files.boxes(std::string(name) + "/groundtruth.txt", 1);
  Dataset dataset = open_dataset(files.root());
  keep_sequences(dataset, std::vector<std::string>{"c", "a"});
  CHECK(names(dataset) == std::vector<std::string>{"c", "a"});
  CHECK(error_of(ErrorCode::argument, [&] { keep_sequences(dataset, std::vector<std::string>{"b"}); }) ==
        files.root().string() + ": expected a sequence 'b' among 2, got none");
}

TEST_CASE("layouts: names") {
  for (const Layout layout : kLayouts) CHECK(parse_layout(to_string(layout)) == layout);
  CHECK(error_of(ErrorCode::argument, [] { parse_layout("vot"); }) ==
        "layout: expected plain, otb, got10k, lasot, trackingnet, uav123 or davis, got 'vot'");
}

TEST_CASE("datasets: the development sequences open") {
  const std::filesystem::path root = std::filesystem::path(DETRACK_SOURCE_DIR) / "../shared/data/sequences/val";
  if (!std::filesystem::is_directory(root)) {
    MESSAGE("skipped: there is no ../shared/data/sequences/val");
    return;
  }
  const Dataset dataset = open_dataset(root);
  CHECK(dataset.layout == Layout::plain);
  CHECK(dataset.sequences.size() == 15);
  std::size_t frames = 0;
  for (const Sequence& s : dataset.sequences) {
    CHECK(s.frames.size() == s.truth.size());
    CHECK(s.usable(0));
    frames += s.frames.size();
  }
  CHECK(frames == 2346);
  CHECK(dataset.warnings.empty());
}
