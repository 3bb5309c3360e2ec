// Folders of pictures: their order, and what is wrong with which frame.
#include "detrack/image/folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "detrack/image/natural_order.hpp"
#include "tests/image/image_support.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace detrack;
using test::error_of;

namespace {

std::vector<std::string> names_of(const std::vector<std::filesystem::path>& files) {
  std::vector<std::string> names;
  for (const auto& file : files) names.push_back(file.filename().string());
  return names;
}

}  // namespace

TEST_CASE("natural order, as people number files") {
  const std::vector<std::string> sorted{"",
                                        "0",
                                        "00",
                                        "01",
                                        "1",
                                        "2",
                                        "9",
                                        "010",
                                        "10",
                                        "A2",
                                        "a",
                                        "a-1",
                                        "a01",
                                        "a1",
                                        "a1b2",
                                        "a1b10",
                                        "a2",
                                        "a10",
                                        "a10b",
                                        "img2",
                                        "img10",
                                        "img0011",
                                        "img12",
                                        "img99999999999999999998",
                                        "img99999999999999999999",
                                        "img100000000000000000000",
                                        "x\xc3\xa9"};
  for (std::size_t i = 0; i < sorted.size(); ++i)
    for (std::size_t j = 0; j < sorted.size(); ++j) {
      CAPTURE(sorted[i]);
      CAPTURE(sorted[j]);
      CHECK(natural_less(sorted[i], sorted[j]) == (i < j));
    }
}

TEST_CASE("the images of a folder: by extension, in order, and nothing else") {
  const test::TemporaryFolder folder;
  for (const char* name : {"img10.jpg", "img2.JPG", "img1.png", "img3.jpeg", "img4.PPM", "img5.pgm", "img6.Bmp", "notes.txt",
                           "img7.gif", ".hidden.jpg", "._img1.jpg", "jpg", "img8.jpg.txt"})
    test::write_file(folder / name, {});
  std::filesystem::create_directory(folder / "img0.jpg");
  CHECK(names_of(image_files(folder.path())) ==
        std::vector<std::string>{"img1.png", "img2.JPG", "img3.jpeg", "img4.PPM", "img5.pgm", "img6.Bmp", "img10.jpg"});
  CHECK(error_of(ErrorCode::io, [&] { image_files(folder / "none"); }) ==
        (folder / "none").string() + ": cannot read the folder: No such file or directory");
  CHECK(error_of(ErrorCode::io, [&] { image_files(folder / "notes.txt"); }) ==
        (folder / "notes.txt").string() + ": cannot read the folder: Not a directory");
}

TEST_CASE("a folder delivers its pictures as frames, which outlive it") {
  const test::TemporaryFolder folder;
  std::vector<Image> images;
  for (int i = 0; i < 12; ++i) {
    images.push_back(test::noise_image(8 + i, 6, static_cast<std::uint64_t>(i)));
    save_image(folder / ("frame" + std::to_string(i) + ".png"), images.back());
  }
  std::vector<Frame> frames;
  {
    ImageFolder source(folder.path());
    CHECK(source.name() == folder.path().string());
    CHECK(source.frame_count() == 12);
    CHECK(source.frame_rate() == 0);
    while (auto frame = source.next()) frames.push_back(*frame);
    CHECK_FALSE(source.next().has_value());
  }
  REQUIRE(frames.size() == 12);
  for (std::size_t i = 0; i < 12; ++i) {
    CHECK(frames[i].index == static_cast<std::int64_t>(i));
    const Pixels pixels = frames[i].image.pixels();
    CHECK(pixels.width == 8 + static_cast<std::int64_t>(i));
    CHECK(test::colour_at(pixels, 3, 2) == test::colour_at(images[i], 3, 2));
  }
  ImageFolder two({folder / "frame7.png", folder / "frame1.png"}, "a list");
  CHECK(two.next()->image.width() == 15);
  CHECK(two.next()->image.width() == 9);
  CHECK_FALSE(two.next().has_value());
}

TEST_CASE("errors name folder, frame and file, and are not passed over") {
  const test::TemporaryFolder folder;
  CHECK(error_of(ErrorCode::io, [&] { ImageFolder source(folder.path()); }) ==
        folder.path().string() + ": expected pictures (jpg, jpeg, png, bmp, ppm or pgm), got none");
  CHECK(error_of(ErrorCode::io, [&] { ImageFolder source(folder / "none"); }).find("No such file") != std::string::npos);
  save_image(folder / "1.png", Image(4, 4));
  test::write_file(folder / "2.png", test::to_bytes("no image"));
  save_image(folder / "3.png", Image(20, 20));
  ImageFolder source(folder.path(), {.max_pixels = 100});
  CHECK(source.next()->index == 0);
  for (int i = 0; i < 2; ++i)
    CHECK(error_of(ErrorCode::format, [&] { source.next(); }) ==
          folder.path().string() + ": frame 1: " + (folder / "2.png").string() +
              ": expected a JPEG, PNG, BMP, PGM or PPM image, got a file that begins like none of them");
  save_image(folder / "2.png", Image(4, 4));
  CHECK(source.next()->index == 1);
  CHECK(error_of(ErrorCode::format, [&] { source.next(); }).find("frame 2: ") != std::string::npos);
  ImageFolder missing({folder / "gone.png"}, "list");
  CHECK(error_of(ErrorCode::io, [&] { missing.next(); }).starts_with("list: frame 0: "));
}
