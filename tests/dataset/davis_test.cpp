// DAVIS: boxes from masks, objects as sequences, and what does not fit.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "detrack/data/open_dataset.hpp"
#include "detrack/image/stb.hpp"
#include "tests/support/dataset_files.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;
using test::error_of;
using test::Files;
using test::names;

namespace {

using Colour = std::array<std::uint8_t, 3>;
constexpr Colour kWhite{255, 255, 255}, kRed{128, 0, 0}, kGreen{0, 128, 0}, kBlue{0, 0, 128}, kVoid{224, 224, 192};

/// Rectangles of a colour, the later over the earlier.
using Mask = std::vector<std::pair<Colour, Box>>;

void write_mask(const Files& files, const std::string& path, const Mask& mask, std::int64_t width = 32,
                std::int64_t height = 24) {
  Image image(width, height);
  for (const auto& [colour, box] : mask)
    for (auto y = static_cast<std::int64_t>(box.y); y < static_cast<std::int64_t>(box.bottom()); ++y)
      for (auto x = static_cast<std::int64_t>(box.x); x < static_cast<std::int64_t>(box.right()); ++x)
        std::copy(colour.begin(), colour.end(), image.pixel(y, x));
  std::filesystem::create_directories((files.root() / path).parent_path());
  save_image(files.root() / path, image);
}

/// The masks of one sequence at 480p, numbered from 0.
void write_masks(const Files& files, const std::string& name, const std::vector<Mask>& masks) {
  for (std::size_t i = 0; i < masks.size(); ++i)
    write_mask(files, "Annotations/480p/" + name + "/0000" + std::to_string(i) + ".png", masks[i]);
}

Dataset open_davis(const Files& files, DatasetOptions options = {}) {
  options.load_image = [](const auto& mask) { return load_image(mask); };
  return open_dataset(files.root(), options);
}

std::string refused(ErrorCode code, const Files& files, const DatasetOptions& options = {}) {
  return error_of(code, [&] { open_davis(files, options); });
}

}  // namespace

TEST_CASE("DAVIS: the box of a mask is tight, whatever the object's shape") {
  const Files files;
  write_masks(
      files, "bear",
      {{{kWhite, {3, 4, 10, 2}}, {kWhite, {20, 9, 1, 7}}}, {}, {{kWhite, {0, 0, 32, 24}}}, {{kWhite, {31, 23, 1, 1}}}});
  files.pictures("JPEGImages/480p/bear", 0, 3, 5);
  const Dataset dataset = open_davis(files);
  CHECK(dataset.layout == Layout::davis);
  CHECK(dataset.warnings.empty());
  CHECK(names(dataset) == std::vector<std::string>{"bear"});
  const Sequence& s = dataset.sequences[0];
  REQUIRE(s.truth.size() == 4);
  CHECK(s.truth[0] == Box{3, 4, 18, 12});
  CHECK_FALSE(s.truth[1].finite());
  CHECK_FALSE(s.usable(1));
  CHECK(s.truth[2] == Box{0, 0, 32, 24});
  CHECK(s.truth[3] == Box{31, 23, 1, 1});
  CHECK(s.frames[3] == files.root() / "JPEGImages/480p/bear/00003.jpg");
  CHECK(s.first_frame == 0);
  CHECK(s.frame_size == ImageSize{32, 24});
}

TEST_CASE("DAVIS: a sequence for each colour, from the frame that shows it first") {
  const Files files;
  write_masks(files, "dogs",
              {{},
               {{kBlue, {1, 1, 4, 4}}, {kGreen, {20, 2, 3, 3}}, {kVoid, {5, 5, 2, 2}}},
               {{kGreen, {21, 2, 3, 3}}},
               {{kRed, {9, 9, 2, 2}}, {kBlue, {2, 1, 4, 4}}, {kGreen, {3, 1, 3, 4}}}});
  files.pictures("JPEGImages/480p/dogs", 0, 3, 5);
  const Dataset dataset = open_davis(files);
  CHECK(dataset.warnings.empty());
  // Green is 2 and blue 4 in the palette; red, 1, comes later.
  REQUIRE(names(dataset) == std::vector<std::string>{"dogs_1", "dogs_2", "dogs_3"});
  const Sequence &green = dataset.sequences[0], &blue = dataset.sequences[1], &red = dataset.sequences[2];
  CHECK(green.first_frame == 1);
  CHECK(green.truth == std::vector<Box>{{20, 2, 3, 3}, {21, 2, 3, 3}, {3, 1, 3, 4}});
  CHECK(green.frames.size() == 3);
  CHECK(green.frames[0].stem() == "00001");
  REQUIRE(blue.truth.size() == 3);
  CHECK(blue.truth[0] == Box{1, 1, 4, 4});
  CHECK_FALSE(blue.truth[1].finite());
  CHECK(blue.truth[2] == Box{2, 1, 1, 4});  // what green leaves of it
  CHECK(red.first_frame == 3);
  CHECK(red.truth == std::vector<Box>{{9, 9, 2, 2}});
  CHECK(red.frames.size() == 1);
}

TEST_CASE("DAVIS: colours are numbered as in the palette of their files") {
  using detail::palette_index;
  CHECK(palette_index(0, 0, 0) == 0);
  CHECK(palette_index(128, 0, 0) == 1);
  CHECK(palette_index(0, 128, 0) == 2);
  CHECK(palette_index(128, 128, 0) == 3);
  CHECK(palette_index(0, 0, 128) == 4);
  CHECK(palette_index(64, 0, 0) == 8);
  CHECK(palette_index(224, 224, 192) == 255);
  CHECK(palette_index(255, 255, 255) == 0xffffff);
}

TEST_CASE("DAVIS: resolutions, and copies without") {
  const Files files;
  write_mask(files, "Annotations/480p/a/00000.png", {{kWhite, {1, 2, 3, 4}}});
  write_mask(files, "Annotations/1080p/a/00000.png", {{kWhite, {2, 4, 6, 8}}});
  files.pictures("JPEGImages/480p/a", 0, 0, 5).pictures("JPEGImages/1080p/a", 0, 0, 5);
  CHECK(open_davis(files).sequences[0].truth[0] == Box{1, 2, 3, 4});
  const Files full;
  write_mask(full, "Annotations/Full-Resolution/a/00000.png", {{kWhite, {2, 4, 6, 8}}});
  full.pictures("JPEGImages/Full-Resolution/a", 0, 0, 5);
  CHECK(open_davis(full).sequences[0].frames[0] == full.root() / "JPEGImages/Full-Resolution/a/00000.jpg");
  const Files flat;
  write_mask(flat, "Annotations/a/00000.png", {{kWhite, {5, 6, 7, 8}}});
  flat.pictures("JPEGImages/a", 0, 0, 5);
  CHECK(open_davis(flat).sequences[0].truth[0] == Box{5, 6, 7, 8});
  CHECK(open_davis(flat).sequences[0].frames.size() == 1);
}

TEST_CASE("DAVIS: subsets are lists of names, or of the paths of pictures") {
  const Files files;
  for (const std::string name : {"a", "b", "c"}) {
    write_masks(files, name, {{{kWhite, {1, 2, 3, 4}}}});
    files.pictures("JPEGImages/480p/" + name, 0, 0, 5);
  }
  files.text("ImageSets/2016/val.txt", "a\n").text("ImageSets/2017/val.txt", "c\r\nlost\nb\n");
  files.text("ImageSets/480p/train.txt",
             "/JPEGImages/480p/b/00000.jpg /Annotations/480p/b/00000.png \n/JPEGImages/480p/b/00001.jpg x\n");
  CHECK(names(open_davis(files)) == std::vector<std::string>{"a", "b", "c"});
  const Dataset latest = open_davis(files, {.subset = "val"});
  CHECK(names(latest) == std::vector<std::string>{"c", "b"});
  REQUIRE(latest.warnings.size() == 1);
  CHECK(latest.warnings[0] == (files.root() / "ImageSets/2017/val.txt").string() + ": 'lost': no such folder in " +
                                  (files.root() / "Annotations/480p").string() + ", left out");
  CHECK(names(open_davis(files, {.subset = "2016/val"})) == std::vector<std::string>{"a"});
  CHECK(names(open_davis(files, {.subset = "train"})) == std::vector<std::string>{"b"});
  CHECK(refused(ErrorCode::argument, files, {.subset = "test"}) ==
        (files.root() / "ImageSets").string() +
            ": subset: expected the name of a list here or in a folder here, got 'test'");
  for (const char* bad : {"..", "a/../b.jpg", "/", "."}) {
    files.text("ImageSets/bad.txt", bad);
    CHECK(refused(ErrorCode::format, files, {.subset = "bad"}) ==
          (files.root() / "ImageSets/bad.txt").string() + ": expected names of sequences or paths of pictures, got '" + bad +
              "'");
  }
}

TEST_CASE("DAVIS: masks and pictures that do not match are warnings") {
  const Files files;
  write_masks(files, "first", {{{kWhite, {1, 2, 3, 4}}}});  // as in the test sets: the first frame alone
  files.pictures("JPEGImages/480p/first", 0, 4, 5);
  write_masks(files, "holes", {{{kWhite, {1, 2, 3, 4}}}, {}, {{kWhite, {2, 2, 3, 4}}}});
  std::filesystem::remove(files.root() / "Annotations/480p/holes/00001.png");
  files.pictures("JPEGImages/480p/holes", 0, 2, 5);
  write_masks(files, "less", {{{kWhite, {1, 2, 3, 4}}}, {{kWhite, {1, 2, 3, 5}}}});
  files.pictures("JPEGImages/480p/less", 1, 1, 5);
  write_masks(files, "black", {{}, {{kVoid, {1, 2, 3, 4}}}});
  write_masks(files, "blind", {{{kWhite, {1, 2, 3, 4}}}, {{kWhite, {1, 2, 3, 4}}}});
  const Dataset dataset = open_davis(files);
  CHECK(names(dataset) == std::vector<std::string>{"blind", "first", "holes", "less"});
  CHECK(dataset.find("first")->truth.size() == 1);
  CHECK(dataset.find("first")->frames.size() == 5);
  const Sequence& holes = *dataset.find("holes");
  REQUIRE(holes.truth.size() == 3);
  CHECK((holes.usable(0) && !holes.usable(1) && holes.usable(2)));
  CHECK(dataset.find("less")->truth == std::vector<Box>{{1, 2, 3, 5}});
  CHECK(dataset.find("blind")->truth.size() == 2);
  const std::string masks = (files.root() / "Annotations/480p").string();
  CHECK(dataset.warnings ==
        std::vector<std::string>{masks + "/black: no object in any mask, left out",
                                 masks + "/blind: no pictures: results can be scored, but no tracker run",
                                 masks + "/less/00000.png: no picture of that name, left out"});
}

TEST_CASE("DAVIS: what cannot be read is refused") {
  const Files files;
  write_masks(files, "a", {{{kWhite, {1, 2, 3, 4}}}});
  files.pictures("JPEGImages/480p/a", 0, 1, 5);
  CHECK(error_of(ErrorCode::argument, [&] { open_dataset(files.root()); }) ==
        files.root().string() +
            ": load_image: expected a function that reads the masks of DAVIS, got none: pass detrack::load_image from "
            "<detrack/image/stb.hpp>");
  write_mask(files, "Annotations/480p/a/00001.png", {}, 33, 24);
  CHECK(refused(ErrorCode::format, files) ==
        (files.root() / "Annotations/480p/a/00001.png").string() +
            ": expected a mask of 32x24 pixels, as the others of its sequence, got 33x24");
  files.text("Annotations/480p/a/00001.png", "no picture");
  CHECK(refused(ErrorCode::format, files)
            .starts_with((files.root() / "Annotations/480p/a/00001.png").string() + ": expected a JPEG"));

  Mask photograph;
  for (int i = 0; i < 256; ++i)
    photograph.push_back({{1, 200, static_cast<std::uint8_t>(i)}, {double(i % 32), double(i / 32), 1, 1}});
  write_mask(files, "Annotations/480p/a/00001.png", photograph);
  CHECK(refused(ErrorCode::format, files) ==
        (files.root() / "Annotations/480p/a/00001.png").string() + ": expected a mask of at most 255 colours, got more");
  photograph.resize(255);  // and white, of the first mask
  write_mask(files, "Annotations/480p/a/00001.png", photograph);
  CHECK(refused(ErrorCode::format, files) ==
        (files.root() / "Annotations/480p/a").string() + ": expected masks of at most 255 colours, got more");

  const Files none;
  none.text("readme", "");
  CHECK(refused(ErrorCode::format, none, {.layout = Layout::davis}) ==
        none.root().string() + ": expected sequences in the layout davis, got none");
}
