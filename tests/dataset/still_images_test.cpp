// Still pictures with boxes: each layout, how it is recognised, and what does not fit.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "detrack/core/rng.hpp"
#include "detrack/data/open_still_images.hpp"
#include "tests/support/dataset_files.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;
using test::error_of;
using test::Files;

namespace {

std::vector<std::string> files_of(const StillImages& stills, const std::filesystem::path& root) {
  std::vector<std::string> all;
  for (const StillImage& image : stills.images) all.push_back(image.file.lexically_relative(root).string());
  return all;
}

std::string still_refusal(ErrorCode code, const Files& files, const StillOptions& options = {}) {
  return error_of(code, [&] { open_still_images(files.root(), options); });
}

const Files& empty_files(const Files& files, std::initializer_list<const char*> paths) {
  for (const char* path : paths) files.text(path, "");
  return files;
}

constexpr const char* kCoco = R"({"info": {"year": 2017}, "licenses": [], "images": [
  {"license": 1, "file_name": "b.jpg", "coco_url": "x", "height": 480, "width": 640, "id": 20},
  {"file_name": "a.jpg", "id": 10}, {"id": 30, "file_name": "gone.jpg"}, {"id": 40, "file_name": "sub/c.jpg"}],
 "annotations": [
  {"segmentation": [[1.5, 2, 3, 4], [5, 6]], "area": 702.1, "iscrowd": 0, "image_id": 10, "bbox": [1, 2.5, 30, 40], "id": 1},
  {"segmentation": {"counts": [1, 2], "size": [3, 4]}, "iscrowd": 1, "image_id": 10, "bbox": [0, 0, 9, 9], "id": 2},
  {"image_id": 20, "bbox": [5, 5, 0.5, 20], "id": 3}, {"image_id": 20, "bbox": [5, 5, 20, 0.99], "id": 3},
  {"image_id": 20, "bbox": [-4, 0, 1, 1e2], "category_id": 1}, {"image_id": 20, "bbox": [5, 5, 0, 20]},
  {"image_id": 20, "bbox": [5, 5, 20, -3]}, {"image_id": 30, "bbox": [1, 1, 1, 1]}, {"image_id": 77, "bbox": [1, 1, 1, 1]}],
 "categories": [{"id": 1, "name": "bbox"}]})";

constexpr const char* kVoc = R"(<?xml version="1.0"?>
<!-- made by hand -->
<annotation>
  <folder>VOC2007</folder>
  <filename>a.jpg</filename>
  <source><filename>other.jpg</filename></source>
  <size><width>500</width><height>375</height></size>
  <segmented/>
  <object kind="a > b">
    <name>person</name><difficult>1</difficult>
    <bndbox><xmin>1</xmin><ymin>11</ymin><xmax>20</xmax><ymax>30.5</ymax></bndbox>
    <part><name>head</name><bndbox><xmin>5</xmin><ymin>6</ymin><xmax>7</xmax><ymax>8</ymax></bndbox></part>
  </object>
  <object>
    <bndbox><ymax> 9 </ymax><ymin>9</ymin><xmax>4</xmax><xmin>4</xmin></bndbox>
  </object>
</annotation>
)";

std::string voc_of(const std::string& inside) {
  return "<annotation>\n" + inside + "\n</annotation>\n";
}
std::string voc_box(const char* x0, const char* y0, const char* x1, const char* y1) {
  const auto element = [](const char* name, const std::string& text) {
    return "<" + std::string(name) + ">" + text + "</" + name + ">";
  };
  return "<object><bndbox>" + element("xmin", x0) + element("ymin", y0) + element("xmax", x1) + element("ymax", y1) +
         "</bndbox></object>";
}

/// Damages `good` a few hundred times; parse() may do nothing but return or throw Error(format).
template <class F>
void survives_damage(const std::string& good, std::string_view alphabet, F&& parse) {
  Philox random(11, 0);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random.below(n)); };
  int parsed = 0, refused = 0;
  for (int i = 0; i < 600; ++i) {
    std::string text = good;
    for (std::size_t damage = 0, count = 1 + below(3); damage < count; ++damage) {
      const std::size_t at = below(text.size() + 1);
      switch (below(5)) {
        case 0: text.insert(at, 1, alphabet[below(alphabet.size())]); break;
        case 1: text.erase(at, 1 + below(6)); break;
        case 2: text.resize(std::max(at, text.size() / 2)); break;
        case 3:
          if (at < text.size()) text[at] = alphabet[below(alphabet.size())];
          break;
        default: text.insert(at, text.substr(below(text.size() + 1), below(60)));
      }
    }
    const std::vector<char> block(text.begin(), text.end());  // exactly this size: sanitizers see a read too far
    try {
      parse(std::string_view(block.data(), block.size()));
      ++parsed;
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::format);
      CHECK(std::string_view(error.what()).starts_with("x: "));
      CHECK(std::string_view(error.what()).size() < 600);
      ++refused;
    }
  }
  CHECK(parsed > 20);
  CHECK(refused > 100);
}

}  // namespace

TEST_CASE("stills: names of layouts") {
  for (const StillLayout layout : kStillLayouts) CHECK(parse_still_layout(to_string(layout)) == layout);
  CHECK(error_of(ErrorCode::argument, [] { parse_still_layout("yolo"); }) ==
        "layout: expected coco, voc, table or pictures, got 'yolo'");
}

TEST_CASE("stills: what is none is refused, with what was expected and found") {
  const Files files;
  CHECK(error_of(ErrorCode::io, [&] { open_still_images(files.root() / "none"); }) ==
        (files.root() / "none").string() + ": expected a folder of pictures, got none");
  files.text("z/readme", "").text("y/notes.txt", "");
  CHECK(still_refusal(ErrorCode::format, files) ==
        files.root().string() +
            ": expected pictures, with boxes.tsv (table), annotations/instances_*.json (COCO), Annotations "
            "and JPEGImages (VOC) or nothing beside them, got 2 folders, the first 'y'");
  CHECK(still_refusal(ErrorCode::format, files, {.layout = StillLayout::pictures}) ==
        files.root().string() + ": expected pictures in the layout pictures, got none");
  CHECK(still_refusal(ErrorCode::format, files, {.layout = StillLayout::coco}) ==
        files.root().string() + ": expected annotations/instances_<subset>.json, got none");
  CHECK(still_refusal(ErrorCode::format, files, {.layout = StillLayout::voc}) ==
        files.root().string() + ": expected the folders Annotations and JPEGImages (or Data), got no Annotations");
  CHECK(still_refusal(ErrorCode::io, files, {.layout = StillLayout::table})
            .starts_with((files.root() / "boxes.tsv").string() + ": cannot open"));
  CHECK(still_refusal(ErrorCode::argument, files, {.annotation = "boxes.csv"}) ==
        "boxes.csv: expected a .json (coco) or .tsv (table) file, or a layout given");
  CHECK(still_refusal(ErrorCode::argument, files, {.layout = StillLayout::voc, .annotation = "a.xml"}) ==
        files.root().string() + ": annotation: the layout voc has no use for it");
  CHECK(still_refusal(ErrorCode::argument, files, {.layout = StillLayout::pictures, .subset = "val"}) ==
        files.root().string() + ": subset: the layout pictures has no use for it");
}

TEST_CASE("pictures: found in folders of folders, in natural order, each once") {
  const Files files;
  empty_files(files, {"img10.jpg", "img9.PNG", "notes.txt", ".hidden.jpg", "b/2.jpg", "a/x/1.jpeg", ".git/3.jpg"});
  std::filesystem::create_directory_symlink(files.root(), files.root() / "a/loop");
  std::filesystem::create_directory_symlink(files.root() / "b", files.root() / "a/again");
  StillImages stills = open_still_images(files.root());
  CHECK(stills.layout == StillLayout::pictures);
  CHECK(stills.root == files.root());
  CHECK(stills.warnings.empty());
  CHECK(files_of(stills, files.root()) == std::vector<std::string>{"img9.PNG", "img10.jpg", "a/again/2.jpg", "a/x/1.jpeg"});
  for (const StillImage& image : stills.images) CHECK(image.boxes.empty());

  files.text("b/boxes.tsv", "");
  std::string deep = "d";
  for (int i = 1; i < 16; ++i) deep += "/d";
  files.text(deep + "/in.jpg", "").text(deep + "/d/out.jpg", "").text(deep + "/e/out.jpg", "");
  stills = open_still_images(files.root());
  CHECK(files_of(stills, files.root()).back() == deep + "/in.jpg");
  CHECK(stills.warnings ==
        std::vector<std::string>{
            (files.root() / "a/again/boxes.tsv").string() + ": not read: open its folder to get its boxes",
            files.root().string() + ": left out 2 folders more than 16 deep, the first: '" + deep + "/d'"});
}

TEST_CASE("table: boxes of several pictures, in any order of lines") {
  const Files files;
  empty_files(files, {"2.jpg", "1.jpg", "sub/3.jpg", "unnamed.jpg"});
  files.text("boxes.tsv",
             "image\tx\ty\tw\th\tclass\r\n2.jpg\t1.5\t-2\t30\t4\tcat\r\n1.jpg\t0\t0\t1\t1\t45\n2.jpg\t7\t8\t9\t1e1\tdog\n"
             "1.jpg\tnan\tnan\tnan\tnan\t\n1.jpg\t5\t5\t0\t5\tx\nlost.jpg\t1\t1\t1\t1\tx\nsub/3.jpg\t1\t1\t-2\t1\tx\n\n");
  const StillImages stills = open_still_images(files.root());
  CHECK(stills.layout == StillLayout::table);
  REQUIRE(files_of(stills, files.root()) == std::vector<std::string>{"2.jpg", "1.jpg", "sub/3.jpg"});
  CHECK(stills.images[0].boxes == std::vector<Box>{{1.5, -2, 30, 4}, {7, 8, 9, 10}});
  CHECK(stills.images[1].boxes == std::vector<Box>{{0, 0, 1, 1}});
  CHECK(stills.images[2].boxes.empty());
  const std::string table = (files.root() / "boxes.tsv").string();
  CHECK(stills.warnings ==
        std::vector<std::string>{table + ": left out 1 pictures that are not there, the first: 'lost.jpg'",
                                 table + ": left out 3 boxes without a positive area, the first: '1.jpg'"});

  files.text("other/mine.tsv", "image\tx\ty\tw\th\n1.jpg\t1\t2\t3\t4\n");
  const StillImages mine = open_still_images(files.root(), {.annotation = files.root() / "other/mine.tsv"});
  REQUIRE(mine.images.size() == 1);
  CHECK(mine.images[0].boxes == std::vector<Box>{{1, 2, 3, 4}});
}

TEST_CASE("table: what is wrong is named with file and line") {
  const Files files;
  empty_files(files, {"a.jpg"});
  const auto refusal = [&](const std::string& text) {
    files.text("boxes.tsv", text);
    const std::string message = still_refusal(ErrorCode::format, files),
                      start = (files.root() / "boxes.tsv").string() + ": ";
    CHECK(message.starts_with(start));
    return message.substr(std::min(start.size(), message.size()));
  };
  const std::string header = "image\tx\ty\tw\th\tclass\n",
                    columns =
                        "line 1: expected the columns image, x, y, w, h and perhaps others, with tabs between them, got ";
  CHECK(refusal("") == columns + "''");
  CHECK(refusal("image,x,y,w,h\n") == columns + "'image,x,y,w,h'");
  CHECK(refusal("image\tx\ty\tw\thue\na.jpg\t1\t2\t3\t4\n").starts_with(columns));
  CHECK(refusal(header) == "expected boxes, got none");
  CHECK(refusal(header + "\n\n") == "expected boxes, got none");
  CHECK(refusal(header + "a.jpg\t1\t2\t3\n") == "line 2: expected at least 5 columns with tabs between them, got 4");
  CHECK(refusal(header + "\na.jpg\t1\t2\t3\t4\n") == "line 2: expected at least 5 columns with tabs between them, got 1");
  CHECK(refusal(header + "a.jpg\t1\t2\t3\t4\na.jpg\t1\t2\t3,\t4\tx\n") == "line 3: expected a number, got '3,'");
  CHECK(refusal(header + "a.jpg\t1\t\t3\t4\tx\n") == "line 2: expected a number, got ''");
  CHECK(refusal(header + "a.jpg\t1\t2\t3\t4 5\tx\n") == "line 2: expected a number, got '4 5'");
  for (const char* bad : {"../a.jpg", "/etc/a.jpg", "b/../../a.jpg", ""})
    CHECK(refusal(header + bad + "\t1\t2\t3\t4\tx\n") ==
          "line 2: expected a picture beside the table or below, got '" + std::string(bad) + "'");
  files.text("boxes.tsv", header + "b.jpg\t1\t2\t3\t4\tx\n");
  CHECK(still_refusal(ErrorCode::format, files) ==
        files.root().string() + ": expected pictures in the layout table, got none");
}

TEST_CASE("COCO: boxes, and what is left out of them") {
  for (const std::string folder : {"val/", "images/val/", "images/", ""}) {
    const Files files;
    files.text("annotations/instances_val.json", kCoco);
    for (const char* name : {"a.jpg", "b.jpg", "sub/c.jpg", "unnamed.jpg"}) files.text(folder + name, "");
    const StillImages stills = open_still_images(files.root());
    CHECK(stills.layout == StillLayout::coco);
    REQUIRE(files_of(stills, files.root()) ==
            std::vector<std::string>{folder + "b.jpg", folder + "a.jpg", folder + "sub/c.jpg"});
    CHECK(stills.images[0].boxes == std::vector<Box>{{-4, 0, 1, 100}});
    CHECK(stills.images[1].boxes == std::vector<Box>{{1, 2.5, 30, 40}});
    CHECK(stills.images[2].boxes.empty());
    const std::string file = (files.root() / "annotations/instances_val.json").string();
    CHECK(stills.warnings ==
          std::vector<std::string>{
              file + ": left out 1 pictures that are not there, the first: 'gone.jpg'",
              file + ": left out 3 boxes of crowds (1) or under 1 pixel wide or high (2), the first: 'a.jpg'",
              file + ": left out 2 boxes without a positive area, the first: 'b.jpg'",
              file + ": left out 1 boxes of images that the file does not have, the first: '77'"});
  }
}

TEST_CASE("COCO: subsets, and annotations elsewhere") {
  const Files files;
  const auto json = [](const std::string& name) {
    return R"({"annotations": [{"bbox": [1, 2, 3, 4], "image_id": -5}], "images": [{"id": -5, "file_name": ")" + name +
           "\"}]}";
  };
  files.text("annotations/instances_train2017.json", json("t.jpg"))
      .text("annotations/instances_val2017.json", json("v.jpg"));
  files.text("annotations/captions_val2017.json", "{}").text("mine/x.json", json("u.jpg"));
  empty_files(files, {"train2017/t.jpg", "val2017/v.jpg", "images/u.jpg"});
  const std::string root = files.root().string();
  CHECK(still_refusal(ErrorCode::argument, files) ==
        root + ": expected the name of a subset (train2017, val2017), got none");
  CHECK(still_refusal(ErrorCode::argument, files, {.subset = "val"}) ==
        root + ": expected the name of a subset (train2017, val2017), got 'val'");
  const StillImages val = open_still_images(files.root(), {.subset = "val2017"});
  REQUIRE(files_of(val, files.root()) == std::vector<std::string>{"val2017/v.jpg"});
  CHECK(val.images[0].boxes == std::vector<Box>{{1, 2, 3, 4}});
  const auto with = [&](const char* file) {
    return files_of(open_still_images(files.root(), {.annotation = files.root() / file}), files.root());
  };
  CHECK(with("annotations/instances_train2017.json") == std::vector<std::string>{"train2017/t.jpg"});
  CHECK(with("mine/x.json") == std::vector<std::string>{"images/u.jpg"});
  std::filesystem::remove(files.root() / "images/u.jpg");
  const std::string file = (files.root() / "mine/x.json").string();
  CHECK(still_refusal(ErrorCode::format, files, {.annotation = file}) ==
        file + ": expected its pictures in one of " + root + "/images, " + root + ", got none of 1, the first 'u.jpg'");
}

TEST_CASE("COCO: what is wrong is named with its place") {
  const auto refusal = [](const std::string& text) {
    return error_of(ErrorCode::format, [&] { detail::parse_coco(text, "x"); });
  };
  const auto image = [&](const std::string& text) {
    return refusal("{\"images\": [{\"id\": 1, \"file_name\": \"a\"}, " + text + "]}");
  };
  const auto annotation = [&](const std::string& text) { return refusal("{\"annotations\": [" + text + "]}"); };
  CHECK(refusal("").starts_with("x: byte 0: expected JSON, got syntax error"));
  CHECK(refusal("{\"images\": [}").starts_with("x: byte 12: expected JSON, got syntax error"));
  CHECK(refusal("{\"info\": 1e999}").starts_with("x: byte "));
  CHECK(refusal("[]") == "x: expected an object, got an array");
  CHECK(refusal("5.5") == "x: expected an object, got 5.5");
  CHECK(refusal("{}") == "x: expected images and annotations, got no images");
  CHECK(refusal("{\"images\": []}") == "x: expected images and annotations, got no annotations");
  CHECK(refusal("{\"images\": [], \"annotations\": []}") == "x: images: expected at least one, got none");
  CHECK(refusal("{\"images\": [], \"images\": []}") == "x: images: expected it once, got it again");
  CHECK(refusal("{\"images\": {}}") == "x: images: expected an array, got an object");
  CHECK(refusal("{\"annotations\": null}") == "x: annotations: expected an array, got null");
  CHECK(image("7") == "x: images[1]: expected an object, got 7");
  CHECK(image("[]") == "x: images[1]: expected an object, got an array");
  CHECK(image("{}") == "x: images[1]: expected id and file_name, got no id");
  CHECK(image("{\"id\": 2}") == "x: images[1]: expected id and file_name, got no file_name");
  CHECK(image("{\"id\": 2.5}") == "x: images[1]: id: expected a whole number, got 2.5");
  CHECK(image("{\"id\": \"a\\u001b\"}") == "x: images[1]: id: expected a whole number, got the string 'a\\x1b'");
  CHECK(image("{\"id\": 18446744073709551615}").starts_with("x: images[1]: id: expected a whole number, got 1.84"));
  CHECK(image("{\"file_name\": true}") == "x: images[1]: file_name: expected a string, got true");
  CHECK(annotation("{\"image_id\": 1}") == "x: annotations[0]: expected image_id and bbox, got no bbox");
  CHECK(annotation("{\"bbox\": [1, 2, 3, 4], \"id\": 1}") ==
        "x: annotations[0]: expected image_id and bbox, got no image_id");
  CHECK(annotation("{\"bbox\": [1, 2, 3]}") == "x: annotations[0]: bbox: expected 4 numbers, got 3");
  CHECK(annotation("{\"bbox\": [1, 2, 3, 4, 5]}") == "x: annotations[0]: bbox: expected 4 numbers, got 5");
  CHECK(annotation("{\"bbox\": [1, [2]]}") == "x: annotations[0]: bbox: expected a number, got an array");
  CHECK(annotation("{\"bbox\": 4}") == "x: annotations[0]: bbox: expected an array of 4 numbers, got 4");
  CHECK(annotation("{\"iscrowd\": 2}") == "x: annotations[0]: iscrowd: expected 0 or 1, got 2");
  // Deep nesting costs the parser a bit a level, and us nothing.
  const std::string deep = std::string(200000, '[') + std::string(200000, ']');
  CHECK(refusal("{\"info\": " + deep + "}") == "x: expected images and annotations, got no images");

  const Files files;
  const std::string file = (files.root() / "annotations/instances_v.json").string();
  for (const char* bad : {"../a.jpg", "/a.jpg", "", "a\\u0000.jpg", "b/../../a.jpg"}) {
    files.text("annotations/instances_v.json",
               "{\"images\": [{\"id\": 1, \"file_name\": \"" + std::string(bad) + "\"}], \"annotations\": []}");
    CHECK(still_refusal(ErrorCode::format, files)
              .starts_with(file + ": images[0]: file_name: expected a path that stays in its folder, got '"));
  }
  files.text("annotations/instances_v.json",
             R"({"images": [{"id": 1, "file_name": "a"}, {"id": 2, "file_name": "b"}, {"id": 1, "file_name": "c"}],
                 "annotations": []})");
  CHECK(still_refusal(ErrorCode::format, files) == file + ": images[2]: id: expected each id once, got 1 again");
  files.text("annotations/instances_v.json", "");
  CHECK(still_refusal(ErrorCode::format, files).starts_with(file + ": byte 0: expected JSON, got "));
}

TEST_CASE("VOC: corners, parts, pictures that are not there") {
  const Files files;
  empty_files(files, {"JPEGImages/a.jpg", "JPEGImages/b.jpg", "JPEGImages/R&D.jpg", "JPEGImages/unnamed.jpg"});
  files.text("Annotations/a.xml", kVoc);
  files.text("Annotations/b.xml",
             voc_of(voc_box("5", "5", "4", "9") + voc_box("nan", "1", "2", "3") + voc_box("0", "0", "1", "1")));
  files.text("Annotations/c.xml", voc_of("<filename>R&amp;D.jpg</filename>"));
  files.text("Annotations/d.xml", voc_of("<filename>gone.jpg</filename>"));
  const StillImages stills = open_still_images(files.root());
  CHECK(stills.layout == StillLayout::voc);
  REQUIRE(files_of(stills, files.root()) ==
          std::vector<std::string>{"JPEGImages/a.jpg", "JPEGImages/b.jpg", "JPEGImages/R&D.jpg"});
  CHECK(stills.images[0].boxes == std::vector<Box>{{0, 10, 20, 20.5}, {3, 8, 1, 1}});
  CHECK(stills.images[1].boxes == std::vector<Box>{{-1, -1, 2, 2}});
  CHECK(stills.images[2].boxes.empty());
  const std::string annotations = (files.root() / "Annotations").string();
  CHECK(stills.warnings ==
        std::vector<std::string>{annotations + ": left out 1 pictures that are not there, the first: 'gone.jpg'",
                                 annotations + ": left out 2 boxes without a positive area, the first: 'b.jpg'"});
}

TEST_CASE("VOC: subsets are lists or folders, as ImageNet has them") {
  const Files files;
  files.text("Annotations/VID/train/v/000000.xml", voc_of("<filename>000000</filename>" + voc_box("1", "1", "2", "2")));
  files.text("Annotations/VID/val/w/000000.xml", voc_of(voc_box("1", "1", "3", "3")));
  empty_files(files, {"Data/VID/train/v/000000.JPEG", "Data/VID/val/w/000000.JPEG"});
  CHECK(open_still_images(files.root()).images.size() == 2);
  const StillImages train = open_still_images(files.root(), {.subset = "VID/train"});
  REQUIRE(files_of(train, files.root()) == std::vector<std::string>{"Data/VID/train/v/000000.JPEG"});
  CHECK(train.images[0].boxes == std::vector<Box>{{0, 0, 2, 2}});

  files.text("ImageSets/Main/val.txt", "VID/val/w/000000\n").text("ImageSets/odd.txt", "VID/val/w/000000\nlost 1\nno  -1\n");
  const StillImages val = open_still_images(files.root(), {.subset = "val"});
  CHECK(files_of(val, files.root()) == std::vector<std::string>{"Data/VID/val/w/000000.JPEG"});
  CHECK(val.warnings.empty());
  CHECK(open_still_images(files.root(), {.subset = "odd"}).warnings ==
        std::vector<std::string>{(files.root() / "Annotations").string() +
                                 ": left out 1 annotations that are not there, the first: 'lost.xml'"});
  CHECK(still_refusal(ErrorCode::argument, files, {.subset = "test"}) ==
        files.root().string() +
            ": expected a subset with a list ImageSets/Main/test.txt or a folder Annotations/test, got none");
  files.text("ImageSets/Main/val.txt", "../a\n");
  CHECK(still_refusal(ErrorCode::format, files, {.subset = "val"}) ==
        (files.root() / "ImageSets/Main/val.txt").string() + ": expected names of pictures, got '../a'");
  const Files none;
  none.text("Annotations/readme", "").text("JPEGImages/a.jpg", "");
  CHECK(still_refusal(ErrorCode::format, none) ==
        (none.root() / "Annotations").string() + ": expected *.xml files, got none");
}

TEST_CASE("VOC: what is wrong is named with its line") {
  const auto refusal = [](const std::string& text) {
    return error_of(ErrorCode::format, [&] { detail::parse_voc(text, "x"); });
  };
  CHECK(refusal("") == "x: line 1: expected an element 'annotation', got none");
  CHECK(refusal("\n\nnone") == "x: line 3: expected an element 'annotation' and nothing else, got 'none'");
  CHECK(refusal("<annotations/>") == "x: line 1: expected one element 'annotation', got 'annotations'");
  CHECK(refusal("<annotation/>\n<annotation/>") == "x: line 2: expected one element 'annotation', got 'annotation'");
  CHECK(refusal("<annotation>\n<object>") == "x: line 2: expected the end of 'object', got the end of the file");
  CHECK(refusal("<annotation></object>") == "x: line 1: expected the end of 'annotation', got that of 'object'");
  CHECK(refusal("</annotation>") == "x: line 1: expected no end of an element, got that of 'annotation'");
  CHECK(refusal("<annotation></annotation x>") == "x: line 1: expected the end of a tag, got none");
  CHECK(refusal("<annotation <") == "x: line 1: expected the end of a tag, got '<'");
  CHECK(refusal("<annotation a='>") == "x: line 1: expected the end of a tag, got the end of the file");
  CHECK(refusal("<annotation\n") == "x: line 2: expected the end of a tag, got the end of the file");
  CHECK(refusal("< annotation>") == "x: line 1: expected the name of an element, got ' '");
  CHECK(refusal("<!-- -") == "x: line 1: expected the end of a comment, got the end of the file");
  CHECK(refusal("<?xml") == "x: line 1: expected the end of a processing instruction, got the end of the file");
  CHECK(refusal("<!DOCTYPE a [<!ENTITY b \"c\">]>") == "x: line 1: expected elements and comments, got a declaration");
  CHECK(refusal(voc_of("<object/>")) == "x: line 2: object: expected a bndbox of xmin, ymin, xmax and ymax, got no xmin");
  CHECK(refusal(voc_of("<object><bndbox><xmin>1</xmin>\n<ymin>2</ymin><xmax>3</xmax></bndbox></object>")) ==
        "x: line 3: object: expected a bndbox of xmin, ymin, xmax and ymax, got no ymax");
  CHECK(refusal(voc_of(voc_box("1", "2", "3x", "4"))) == "x: line 2: xmax: expected a number, got '3x'");
  CHECK(refusal(voc_of(voc_box("1", "", "3", "4"))) == "x: line 2: ymin: expected a number, got ''");
  CHECK(refusal(voc_of(voc_box("1", "2</ymin><ymin>2", "3", "4"))) ==
        "x: line 2: ymin: expected it once in an object, got it again");
  CHECK(refusal(voc_of("<filename>a</filename><filename>b</filename>")) ==
        "x: line 2: filename: expected it once, got it again");
  CHECK(refusal(voc_of("<filename>&lol;</filename>")) ==
        "x: line 2: filename: expected one of the named entities, got '&lol;'");
  CHECK(refusal(voc_of("<filename>a<b/></filename>")) == "x: line 2: filename: expected text, got an element or a comment");
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += "<a>";
  CHECK(refusal("<annotation>" + deep) == "x: line 1: expected elements at most 32 deep");

  const Files files;
  empty_files(files, {"JPEGImages/a.jpg"});
  for (const char* bad : {"../a.jpg", "/a.jpg", "b/../../a.jpg"}) {
    files.text("Annotations/a.xml", voc_of("<filename>" + std::string(bad) + "</filename>"));
    CHECK(still_refusal(ErrorCode::format, files) == (files.root() / "Annotations/a.xml").string() +
                                                         ": filename: expected a path that stays in its folder, got '" +
                                                         bad + "'");
  }
  files.text("Annotations/a.xml", "");
  CHECK(still_refusal(ErrorCode::format, files) ==
        (files.root() / "Annotations/a.xml").string() + ": line 1: expected an element 'annotation', got none");
}

TEST_CASE("stills: damaged annotations are read or refused, never anything else") {
  REQUIRE(detail::parse_coco(kCoco, "x").boxes.size() == 9);
  REQUIRE(detail::parse_voc(kVoc, "x").boxes.size() == 2);
  survives_damage(kCoco, "0123456789.,:-eE\"[]{} \\ntu\xff", [](std::string_view text) { detail::parse_coco(text, "x"); });
  survives_damage(kVoc, "<>/&;\"'!?-=0123 abxy\n\xff", [](std::string_view text) { detail::parse_voc(text, "x"); });
}
