// Packs of data: what comes out is what went in, to the bit, and what is damaged says so.
#include "detrack/data/pack.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "detrack/data/open_dataset.hpp"
#include "detrack/data/open_still_images.hpp"
#include "detrack/data/write_pack.hpp"
#include "detrack/image/stb.hpp"
#include "detrack/io/safetensors.hpp"
#include "detrack/train/picture_sampler.hpp"
#include "detrack/train/sampler.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/train/scene.hpp"

using namespace detrack;
using detrack::test::error_of;
using detrack::test::Scene;

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// Folders of videos (two of GOT-10k with flags), pictures with boxes, and pictures without; pictures are those of Scene.
class Folders {
 public:
  Folders() {
    int number = 0;
    std::string names;
    for (const char* name : {"one", "two"}) {
      names += std::string(name) + "\n";
      std::string boxes, absent;
      for (int t = 0; t < 6; ++t, ++number) {
        picture("videos/" + std::string(name) + "/0000000" + std::to_string(t + 1) + (t % 2 ? ".png" : ".jpg"), number);
        const Box b = Scene::box(number);
        boxes += t == 2 ? "nan,nan,nan,nan\n" : detail::concat(b.x / 3, ",", b.y, ",", b.w, ",", b.h, "\n");
        absent += t == 4 ? "1\n" : "0\n";
      }
      text("videos/" + std::string(name) + "/groundtruth.txt", boxes);
      text("videos/" + std::string(name) + "/absence.label", absent);
    }
    text("videos/list.txt", names);
    std::string table = "image\tx\ty\tw\th\tclass\n";
    for (int i = 0; i < 4; ++i, ++number) {
      picture("boxed/" + std::to_string(i) + ".jpg", number);
      const Box b = Scene::box(number);
      table += detail::concat(i, ".jpg\t", b.x, "\t", b.y, "\t", b.w, "\t", b.h, "\tthing\n");
    }
    text("boxed/boxes.tsv", table);
    for (int i = 0; i < 3; ++i, ++number) picture("bare/deep/" + std::to_string(i) + ".jpg", number);
  }

  fs::path at(const std::string& name) const { return folder_ / name; }
  void text(const std::string& name, const std::string& text) const {
    fs::create_directories(at(name).parent_path());
    std::ofstream(at(name), std::ios::binary) << text;
  }
  void picture(const std::string& name, int number) const {
    fs::create_directories(at(name).parent_path());
    save_image(at(name), Scene::picture(number));
  }

  PackSource source(const std::string& name) const {
    PackSource source{.root = at(name)};
    if (name == "videos")
      source.sequences = open_dataset(source.root).sequences;
    else
      source.images = open_still_images(source.root).images;
    return source;
  }
  /// The folder of a pack that is written where there is none yet.
  fs::path pack(const std::string& name, std::uint64_t shard_bytes = 20000) const {
    const fs::path folder = at("packs/" + name);
    if (!is_pack(folder)) write_pack(source(name), folder, {.shard_bytes = shard_bytes});
    return folder;
  }

 private:
  test::TemporaryFolder folder_;
};

constexpr const char* kSources[] = {"videos", "boxed", "bare"};

std::shared_ptr<const TrainingData> training_data_of(std::vector<PackSource> sources) {
  std::vector<TrainingSource> all;
  for (PackSource& one : sources)
    all.push_back(
        {.name = one.root.filename().string(), .sequences = std::move(one.sequences), .images = std::move(one.images)});
  return std::make_shared<const TrainingData>(std::move(all), 3);
}

/// Everything that training reads of sequences, names relative to `root`.
void check_same(const PackIndex& got, const fs::path& got_root, const PackSource& expected) {
  const auto same_names = [&](const fs::path& a, const fs::path& b) {
    CHECK(name_below(got_root, a).value() == name_below(expected.root, b).value());
  };
  const auto same_boxes = [](const std::vector<Box>& a, const std::vector<Box>& b) {
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i) CHECK((a[i] == b[i] || (!a[i].finite() && !b[i].finite())));
  };
  REQUIRE(got.sequences.size() == expected.sequences.size());
  for (std::size_t i = 0; i < got.sequences.size(); ++i) {
    const Sequence &a = got.sequences[i], &b = expected.sequences[i];
    CHECK(a.name == b.name);
    CHECK(a.other_names == b.other_names);
    REQUIRE(a.frames.size() == b.frames.size());
    for (std::size_t t = 0; t < a.frames.size(); ++t) same_names(a.frames[t], b.frames[t]);
    same_boxes(a.truth, b.truth);
    CHECK(a.absent == b.absent);
    CHECK(a.cover == b.cover);
    CHECK(a.cut_by_image == b.cut_by_image);
    CHECK(a.full_occlusion == b.full_occlusion);
    CHECK(a.out_of_view == b.out_of_view);
    CHECK(a.frame_size == b.frame_size);
    CHECK(a.first_frame == b.first_frame);
  }
  REQUIRE(got.images.size() == expected.images.size());
  for (std::size_t i = 0; i < got.images.size(); ++i) {
    same_names(got.images[i].file, expected.images[i].file);
    same_boxes(got.images[i].boxes, expected.images[i].boxes);
  }
}

std::vector<std::uint8_t> pixels(const Image& image) {
  return {image.data(), image.data() + 3 * image.width() * image.height()};
}

void damage(const fs::path& file, std::size_t at) {
  auto bytes = test::read_file(file);
  bytes.at(at) ^= std::byte{1};
  test::write_file(file, bytes);
}

}  // namespace

TEST_CASE("pack: videos, pictures with boxes and without come back with every name, number and byte") {
  const Folders folders;
  for (const char* name : kSources) {
    INFO(name);
    const PackSource source = folders.source(name);
    const Pack pack = Pack::open(folders.pack(name));
    check_same(pack.index(), pack.folder(), source);
    std::size_t pictures = 0;
    for (std::size_t i = 0; i < pack.index().pictures.size(); ++i, ++pictures) {
      const std::string& file = pack.index().pictures[i];
      const auto bytes = pack.find(pack.folder() / file);
      REQUIRE(bytes.has_value());
      CHECK(test::Bytes(bytes->begin(), bytes->end()) == test::read_file(source.root / file));
    }
    CHECK(pictures == (source.sequences.empty() ? source.images.size() : 12));
    CHECK_FALSE(pack.find(pack.folder() / "none.jpg"));
    CHECK_FALSE(pack.find(source.root / pack.index().pictures[0]));
  }
}

TEST_CASE("pack: numbers that no layout of ours writes today survive too") {
  const Folders folders;
  PackSource source = folders.source("videos");
  Sequence& s = source.sequences[0];
  s.other_names = {"a.1", "\xc3\xa9"};
  s.cover = {8, 0, 7, 255, 1, 2};
  s.cut_by_image = s.full_occlusion = s.out_of_view = {0, 1, 0, 1, 0, 1};
  s.frame_size = ImageSize{120, 90};
  s.first_frame = 5;
  s.truth[0] = {0.1, -1.0 / 3, 1e-300, 12345678.9};
  s.truth[1] = {-0.0, 5e-324, 1.7976931348623157e308, 1};
  source.sequences[1].frames = s.frames;  // two targets of one video: its pictures are stored once
  source.subset = "val";
  const PackIndex written = write_pack(source, folders.at("odd")).value();
  CHECK(written.pictures.size() == 6);
  const PackIndex read = read_pack_index(folders.at("odd"));
  CHECK(read.subset == "val");
  check_same(read, folders.at("odd"), source);
}

TEST_CASE("pack: samples drawn from packs are those of the folders, and so are their pixels") {
  const Folders folders;
  std::vector<PackSource> plain, packed;
  std::vector<Pack> packs;
  for (const char* name : kSources) {
    plain.push_back(folders.source(name));
    const PackIndex& index = packs.emplace_back(Pack::open(folders.pack(name))).index();
    packed.push_back({.root = packs.back().folder(), .sequences = index.sequences, .images = index.images});
  }
  const auto read = [&](const fs::path& path) {
    for (const Pack& pack : packs)
      if (const auto bytes = pack.find(path)) return decode_image(*bytes, path.string());
    return load_image(path);
  };
  const auto size = [&](const fs::path& path) {
    const Image image = read(path);
    return ImageSize{image.width(), image.height()};
  };
  // In the names of files the folder is all that differs.
  const fs::path from = folders.at("packs"), to = folders.at("");
  const auto moved = [&](fs::path& file) {
    const auto name = name_below(from, file);
    REQUIRE(name.has_value());
    file = to / *name;
  };
  TrainOptions o;
  o.augment.foreign_occlusion_prob = 0.5;
  o.sampling.negative_prob = 0.5;  // hangs on which pictures are of one video
  o.stage = "iou";
  const Config config = preset("detrack-n128");
  const auto data = training_data_of(plain), packed_data = training_data_of(packed);
  const Sampler expected(data, config, o, size), sampler(packed_data, config, o, size);
  const PictureSampler expected_whole(data, o, size), whole(packed_data, o, size);
  int absent = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    SampleRecipe got = sampler(i);
    const SampleRecipe want = expected(i);
    if (i < 20) CHECK(pixels(read(got.search.file)) == pixels(read(want.search.file)));
    moved(got.search.file);
    for (CropRecipe& crop : got.templates) moved(crop.file);
    for (Patch& patch : got.search.patches) moved(patch.file);
    CHECK(got == want);
    absent += got.absent ? 1 : 0;
    CHECK(name_below(from, whole(i).search.file) == name_below(to, expected_whole(i).search.file));
  }
  CHECK(absent > 10);
}

TEST_CASE("pack: shards keep their limit, a larger picture has one of its own, and the bytes are the same every time") {
  const Folders folders;
  folders.text("boxed/1.jpg", std::string(30000, 'x'));  // no picture, but bytes all the same
  folders.text("boxed/3.jpg", "");
  const PackIndex index = write_pack(folders.source("boxed"), folders.at("a"), {.shard_bytes = 20000}).value();
  write_pack(folders.source("boxed"), folders.at("b"), {.shard_bytes = 20000});
  REQUIRE(index.shards.size() >= 3);
  int large = 0;
  for (std::size_t i = 0; i < index.shards.size(); ++i) {
    const std::string name = detail::shard_name(i);
    CHECK(fs::file_size(folders.at("a") / name) == index.shards[i].bytes);
    CHECK(test::read_file(folders.at("a") / name) == test::read_file(folders.at("b") / name));
    if (index.shards[i].bytes > 20000) {
      ++large;
      CHECK(index.shards[i].pictures == 1);
    }
  }
  CHECK(large == 1);
  CHECK(test::read_file(folders.at("a") / "pack.json") == test::read_file(folders.at("b") / "pack.json"));
  const Pack pack = Pack::open(folders.at("a"));
  CHECK(pack.find(pack.folder() / "1.jpg")->size() == 30000);
  CHECK(pack.find(pack.folder() / "3.jpg")->size() == 0);
  const SafetensorsFile file = SafetensorsFile::open(folders.at("a") / "pack-000.safetensors");
  CHECK(file.get("0000000000").dtype == DType::u8);
  // Many small pictures, whose headers are most of a shard.
  for (int i = 0; i < 200; ++i) folders.text("many/" + std::to_string(i) + ".jpg", "x");
  const PackIndex many = write_pack(folders.source("many"), folders.at("c"), {.shard_bytes = 4096}).value();
  for (const PackShard& shard : many.shards) CHECK(shard.bytes <= 4096);
}

TEST_CASE("pack: a pack is never overwritten, an unfinished one is begun anew, nothing else is touched") {
  const Folders folders;
  const fs::path folder = folders.pack("boxed");
  CHECK(error_of(ErrorCode::argument, [&] { write_pack(folders.source("boxed"), folder); }) ==
        folder.string() + ": holds a pack already; remove it, or choose another folder");
  CHECK(error_of(ErrorCode::argument, [&] { write_pack(folders.source("boxed"), folders.at("bare")); }).find("'deep'") !=
        std::string::npos);
  const auto stop = [](std::size_t done, std::size_t) { return done < 3; };
  CHECK_FALSE(write_pack(folders.source("boxed"), folders.at("half"), {.shard_bytes = 1, .progress = stop}));
  CHECK(fs::exists(folders.at("half/pack-001.safetensors")));
  CHECK_FALSE(is_pack(folders.at("half")));
  write_pack(folders.source("boxed"), folders.at("half"));
  CHECK_FALSE(fs::exists(folders.at("half/pack-001.safetensors")));
  CHECK(Pack::open(folders.at("half")).index().images.size() == 4);

  PackSource gone = folders.source("boxed");
  fs::remove(folders.at("boxed/2.jpg"));
  CHECK(error_of(ErrorCode::io, [&] { write_pack(gone, folders.at("gone")); }).find("boxed/2.jpg: cannot open") !=
        std::string::npos);
  CHECK_FALSE(is_pack(folders.at("gone")));
  gone.images[0].file = folders.at("bare/deep/0.jpg");
  CHECK(error_of(ErrorCode::argument, [&] { write_pack(gone, folders.at("gone")); }).find("expected a picture below") !=
        std::string::npos);
  PackSource odd = folders.source("bare");
  odd.images[0].file = odd.root / "\xff.jpg";
  CHECK(error_of(ErrorCode::argument, [&] { write_pack(odd, folders.at("odd")); }).find("UTF-8") != std::string::npos);
  CHECK_FALSE(fs::exists(folders.at("odd")));
  CHECK(error_of(ErrorCode::argument, [&] { open_dataset(folder); }).find("read for training alone") != std::string::npos);
}

TEST_CASE("pack: shards that are damaged, cut, exchanged or not there are named") {
  const Folders folders;
  const fs::path folder = folders.pack("videos", 80000), shard = folder / "pack-001.safetensors";
  REQUIRE(Pack::open(folder).index().shards.size() >= 2);
  const auto good = test::read_file(shard);
  for (const std::size_t at : {std::size_t{0}, std::size_t{20}, good.size() / 2, good.size() - 1}) {
    damage(shard, at);
    CHECK(error_of(ErrorCode::format, [&] { Pack::open(folder); }).starts_with(shard.string() + ": checksum: expected"));
    test::write_file(shard, good);
  }
  test::write_file(shard, test::Bytes(good.begin(), good.end() - 1));
  CHECK(error_of(ErrorCode::format, [&] { Pack::open(folder); }) ==
        detail::concat(shard.string(), ": expected ", good.size(), " bytes, got ", good.size() - 1));
  fs::remove(shard);
  CHECK(error_of(ErrorCode::io, [&] { Pack::open(folder); }).starts_with(shard.string() + ": cannot open"));
  // Shards whose checksums are right and whose contents are not.
  const auto refused = [&](const test::Bytes& bytes, const std::string& words) {
    test::write_file(shard, bytes);
    Json json = Json::parse(test::read_text(folder / "pack.json"));
    json["shards"][1]["bytes"] = bytes.size();
    json["shards"][1]["crc32"] = detail::crc32(bytes);
    std::ofstream(folder / "pack.json") << json.dump();
    const std::string got = error_of(ErrorCode::format, [&] { Pack::open(folder); });
    INFO(got);
    CHECK(got.find(words) != std::string::npos);
  };
  refused(test::read_file(folder / "pack-000.safetensors"), "pack-001.safetensors: expected");
  refused(test::to_bytes("no tensors"), "pack-001.safetensors: expected a safetensors file");
  refused(test::craft(R"({"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 2), "pictures, got 1");
  std::string header;  // as many tensors as there should be, but of names that are none of them
  for (std::size_t i = 0; i < read_pack_index(folder).shards[1].pictures; ++i)
    header += detail::concat(i ? "," : "{", "\"", i, R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})");
  refused(test::craft(header + "}", 0), "of type U8 and rank 1, got '0' of type U8");
}

TEST_CASE("pack: an index that says what cannot be is refused, with the place") {
  const Folders folders;
  const fs::path folder = folders.pack("videos");
  const Json good = Json::parse(test::read_text(folder / "pack.json"));
  const auto message = [&](const std::string& text) {
    std::ofstream(folder / "pack.json", std::ios::trunc) << text;
    const std::string words = error_of(ErrorCode::format, [&] { Pack::open(folder); });
    CHECK(words.starts_with((folder / "pack.json").string() + ": "));
    return words;
  };
  const auto refused = [&](const std::string& place, const Json& value, const std::string& words) {
    Json json = good;
    json[Json::json_pointer(place)] = value;
    const std::string got = message(json.dump());
    INFO(place << " = " << value << ": " << got);
    CHECK(got.find(words) != std::string::npos);
  };
  refused("/version", 2, "version: expected version 1, got 2");
  refused("/format", "detrack.other", "format: expected the string detrack.pack");
  refused("/subset", 3, "subset: expected a string, got 3");
  refused("/pictures", "all", "pictures: expected a list");
  refused("/pictures/1", "../../etc/passwd", "pictures[1]: expected a path within the pack");
  refused("/pictures/1", "/etc/passwd", "pictures[1]: expected a path within the pack");
  refused("/pictures/1", std::string(4097, 'a'), "pictures[1]: expected at most 4096 bytes, got \"aaaa");
  refused("/pictures/1", good["pictures"][0], "pictures[1]: expected each name once");
  refused("/pictures/1", std::string("\x1b[2J/.."), "\\x5cu001b[2J");  // as JSON writes it
  refused("/shards/0/file", "/etc/passwd", "shards[0]: file: expected pack-000.safetensors");
  refused("/shards/0/bytes", 0, "shards[0]: bytes: expected a whole number in [1,");
  refused("/shards/0/bytes", -1, "bytes: expected a whole number");
  refused("/shards/0/bytes", 1e30, "bytes: expected a whole number");
  refused("/shards/0/crc32", 4294967296, "crc32: expected a whole number in [0, 4294967295]");
  refused("/shards/0/pictures", 0, "pictures: expected a whole number in [1, 12]");
  refused("/shards/0/pictures", 18446744073709551615u, "pictures: expected a whole number in [1, 12]");
  refused("/shards", Json::array(), "shards: expected 12 pictures in them, got 0");
  refused("/sequences/0/frames/2", 12, "sequences[0]: frames: expected a whole number in [0, 11], got 12");
  refused("/sequences/0/frames/2", 0.5, "frames: expected a whole number");
  refused("/sequences/0/truth/1", Json{1, 2, 3}, "sequences[0]: truth: expected x, y, w, h or null");
  refused("/sequences/0/truth/1", Json{1, 2, 3, "4"}, "truth: expected x, y, w, h or null");
  refused("/sequences/0/absent/1", 256, "absent: expected a whole number in [0, 255]");
  refused("/sequences/0/absent", Json{1}, "absent: expected 6 numbers, as many as boxes, got 1");
  refused("/sequences/0/frame_size", Json{1}, "frame_size: expected width and height");
  refused("/sequences/0/first_frame", -1, "first_frame: expected a whole number");
  refused("/sequences/1/name", "one", "sequences[1]: name: expected each sequence once");
  refused("/sequences/0", 7, "sequences[0]: expected an object");
  refused("/images", Json{{{"picture", 0}, {"boxes", {{0, 0, -1, 5}}}}},
          "images[0]: boxes: expected boxes of positive area");
  refused("/images", Json{{{"picture", 99}, {"boxes", Json::array()}}}, "images[0]: picture: expected a whole number");
  CHECK(message("{\"format\": ").find("in JSON") != std::string::npos);
  CHECK(message("").find("in JSON") != std::string::npos);
  CHECK(message("[1e999]").find("in JSON") != std::string::npos);
  CHECK(message(std::string(100000, '[')).find("in JSON") != std::string::npos);
  CHECK(message("[]").find("expected an object") != std::string::npos);
  CHECK(message("{}").find("expected a field format, got none") != std::string::npos);
}
