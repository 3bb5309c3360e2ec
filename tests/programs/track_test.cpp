// The track program, run as people run it: files, videos, several targets, and everything that can be wrong with what it is
// given.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "detrack/image/image_files.hpp"
#include "detrack/image/stb.hpp"
#include "detrack/model/weights_file.hpp"
#include "detrack/video/reader.hpp"
#include "detrack/video/writer.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/small_model.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace detrack;
using detrack::test::Outcome;

namespace {

namespace fs = std::filesystem;

/// A bright square on a dark gradient that moves two pixels a frame.
Image square_frame(std::int64_t t, std::int64_t width = 96, std::int64_t height = 64) {
  Image image(width, height);
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      const bool inside = x >= 20 + 2 * t && x < 36 + 2 * t && y >= 24 && y < 40;
      std::uint8_t* pixel = image.pixel(y, x);
      pixel[0] = static_cast<std::uint8_t>(inside ? 250 : x);
      pixel[1] = static_cast<std::uint8_t>(inside ? 220 : y);
      pixel[2] = static_cast<std::uint8_t>(inside ? 40 : 60);
    }
  return image;
}

/// A folder with weights, twelve pictures and the same frames as a video.
class ClipWorkshop {
 public:
  ClipWorkshop() {
    Config config = detrack::test::small_config();
    config.trajectory_used = 2;
    DeTrack<float> model(config);
    detrack::test::randomise(model);
    save_model(at("w.safetensors"), model);
    fs::create_directory(at("frames"));
    VideoWriter video(at("clip.mp4"), 96, 64, 25);
    for (int t = 0; t < 12; ++t) {
      char name[32];
      std::snprintf(name, sizeof name, "%d.png", t + 1);  // 10 after 9, not after 1
      save_image(at("frames") / name, square_frame(t));
      video.write(square_frame(t));
    }
    video.finish();
  }

  fs::path at(const std::string& name) const { return folder_ / name; }
  Outcome track(const std::string& arguments) const {
    return detrack::test::run_program("cd '" + folder_.path().string() + "' && '" DETRACK_TRACK "' " + arguments);
  }
  /// Status 2, and these words.
  void rejects(const std::string& arguments, std::initializer_list<const char*> words) const {
    const Outcome outcome = track(arguments);
    CAPTURE(arguments);
    CAPTURE(outcome.output);
    CHECK(outcome.status == 2);
    for (const char* word : words) CHECK(outcome.says(word));
  }
  std::vector<std::string> lines(const std::string& name) const {
    std::ifstream in(at(name));
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }
  std::string text(const std::string& name) const {
    std::ostringstream out;
    out << std::ifstream(at(name)).rdbuf();
    return out.str();
  }

 private:
  detrack::test::TemporaryFolder folder_;
};

const std::string kRun = "--weights w.safetensors --box 20,24,16,16 ";

}  // namespace

TEST_CASE("track: boxes, times and scores of every frame, the same every time") {
  const ClipWorkshop work;
  const Outcome outcome = work.track(kRun + "--frames frames --threads 1 --out boxes.txt --times times.txt --json all.json");
  CHECK_MESSAGE(outcome.status == 0, outcome.output);
  CHECK(outcome.says("12 frames of frames"));
  for (const char* part : {"network ", "update ", "end to end "}) CHECK(outcome.says(part));

  const auto boxes = work.lines("boxes.txt"), times = work.lines("times.txt");
  REQUIRE(boxes.size() == 12);
  CHECK(boxes[0] == "20.000,24.000,16.000,16.000");
  REQUIRE(times.size() == 12);
  for (const auto& line : times) {
    CHECK(std::stod(line) > 0);
    CHECK(line.size() - line.find('.') == 9);
  }
  const auto json = nlohmann::json::parse(work.text("all.json"));
  REQUIRE(json.at("frames").size() == 12);
  for (std::size_t t = 1; t < 12; ++t) {
    const auto& frame = json.at("frames")[t];
    CHECK(frame.at("frame") == t);
    char expected[120];
    std::snprintf(expected, sizeof expected, "%.3f,%.3f,%.3f,%.3f", frame.at("box")[0].get<double>(),
                  frame.at("box")[1].get<double>(), frame.at("box")[2].get<double>(), frame.at("box")[3].get<double>());
    CHECK(boxes[t] == expected);
    CHECK(frame.at("score") > 0);
    CHECK(frame.at("iou") > 0);
    CHECK(frame.at("state").is_string());
    CHECK(frame.at("timings").at("update") > 0);
  }

  CHECK(work.track(kRun + "--frames frames --out again.txt --threads 2 --quiet").status == 0);
  CHECK(work.text("again.txt") == work.text("boxes.txt"));
}

TEST_CASE("track --precision on the CPU: products alone are rounded, and the run says so") {
  const ClipWorkshop work;
  const auto first_update = [&](const std::string& precision, const std::string& said) {
    const Outcome outcome =
        work.track(kRun + "--frames frames --threads 1 --hold-after 0 --json all.json --precision " + precision);
    REQUIRE_MESSAGE(outcome.status == 0, outcome.output);
    const auto json = nlohmann::json::parse(work.text("all.json"));
    CHECK(json.at("runs_on").get<std::string>().find(said) != std::string::npos);
    return json.at("frames")[1].at("score").get<double>();
  };
  const double full = first_update("f32", "float32");
  for (const std::string precision : {"bf16", "int8"}) {
    const double score = first_update(precision, precision == "bf16" ? "bfloat16 products" : "int8 products");
    CHECK(score != full);
    CHECK(score == doctest::Approx(full).epsilon(0.05));
  }
  const Outcome unknown = work.track(kRun + "--frames frames --precision fp4");
  CHECK(unknown.status == 2);
  CHECK(unknown.says("{f32,bf16,int8}"));
  const Outcome on_gpu = work.track(kRun + "--frames frames --device cuda --precision int8");
  CHECK(on_gpu.status == 2);
  CHECK(on_gpu.says("--precision int8: expected --device cpu, got cuda"));
}

TEST_CASE("track: a part of a video, drawn into a video, a folder and a contact sheet") {
  const ClipWorkshop work;
  Outcome outcome = work.track(kRun +
                               "--video clip.mp4 --start 3 --frames-count 6 --out boxes.txt --render out.mp4 "
                               "--contact-sheet sheet.png --tiles 4 --show-denoising");
  CHECK_MESSAGE(outcome.status == 0, outcome.output);
  CHECK(work.lines("boxes.txt").size() == 6);
  VideoReader rendered(work.at("out.mp4").string());
  int frames = 0;
  while (const auto frame = rendered.next()) {
    CHECK(frame->image.width() == 96);
    ++frames;
  }
  CHECK(frames == 6);
  CHECK(load_image(work.at("sheet.png")).width() > 200);

  outcome = work.track(kRun + "--video frames/%d.png --frames-count 3 --render pictures");
  CHECK_MESSAGE(outcome.status == 0, outcome.output);
  CHECK(image_files(work.at("pictures")).size() == 3);
  const Image drawn = load_image(work.at("pictures/000000.jpg"));  // the given box is on it
  CHECK(drawn.pixel(24, 28)[2] > drawn.pixel(32, 28)[2] + 80);
}

TEST_CASE("track: several targets have their own files and do not disturb each other") {
  const ClipWorkshop work;
  const Outcome outcome = work.track(kRun + "--box 40,10,20,20 --frames frames --out both.txt --json both.json");
  CHECK_MESSAGE(outcome.status == 0, outcome.output);
  for (const char* line : {"boxes: both.1.txt\n", "boxes: both.2.txt\n", "results: both.1.json\n", "results: both.2.json\n"})
    CHECK(outcome.says(line));
  CHECK(work.lines("both.1.txt").size() == 12);
  CHECK(work.lines("both.2.txt").at(0) == "40.000,10.000,20.000,20.000");
  CHECK(nlohmann::json::parse(work.text("both.2.json")).at("frames").size() == 12);
  CHECK_FALSE(fs::exists(work.at("both.txt")));
}

TEST_CASE("track --select: a picture to read the box from, and the command to run next") {
  const ClipWorkshop work;
  Outcome outcome = work.track("--frames frames --select");
  CHECK_MESSAGE(outcome.status == 0, outcome.output);
  CHECK(outcome.says("--frames 'frames'"));
  CHECK(outcome.says("--box x,y,w,h"));
  CHECK(load_image(work.at("select.png")).width() >= 96);
  outcome = work.track("--video clip.mp4 --start 5 --select grid.png");
  CHECK(outcome.status == 0);
  CHECK(outcome.says("--start 5"));
  CHECK(fs::exists(work.at("grid.png")));
  fs::rename(work.at("clip.mp4"), work.at("it's.mp4"));
  CHECK(work.track("--video \"it's.mp4\" --select").says("--video 'it'\\''s.mp4'"));
}

TEST_CASE("track: the gates let templates in, the block read out and the passes move boxes") {
  const ClipWorkshop work;
  int added = 0;
  // Boxes and scores: in so small a network a template moves the scores more than the boxes.
  const auto run = [&](const std::string& options) {
    const Outcome outcome = work.track(kRun + "--frames frames --threads 1 --hold-after 0 --json all.json " + options);
    REQUIRE_MESSAGE(outcome.status == 0, outcome.output);
    const auto json = nlohmann::json::parse(work.text("all.json"));
    std::vector<std::string> found;
    added = 0;
    for (const auto& frame : json.at("frames")) {
      found.push_back(frame.at("box").dump() + " " + frame.at("score").dump() + " " + frame.at("iou").dump());
      if (frame.value("template_added", false)) ++added;
    }
    return found;
  };
  const auto open = run("--memory gated --iou-gate 0 --score-gate 0");
  CHECK(added == 2);  // frames 5 and 10
  CHECK(run("--memory always") == open);
  CHECK(added == 2);
  const auto fixed = run("--memory fixed");
  CHECK(fixed != open);
  for (const char* gates : {"--iou-gate 1 --score-gate 0", "--iou-gate 0 --score-gate 1"}) {
    CHECK(run(std::string("--memory gated ") + gates) == fixed);
    CHECK(added == 0);
  }
  CHECK(run("--memory fixed --passes 1 --read-block 0") == fixed);
  const auto twice = run("--memory fixed --passes 2"), early = run("--memory fixed --read-block 1");
  CHECK(twice != fixed);
  CHECK(early != fixed);
  CHECK(early != twice);
}

TEST_CASE("track: where the network is unsure the box stays, unless it is never held") {
  const ClipWorkshop work;
  const auto run = [&](const std::string& options) {
    const Outcome outcome = work.track(kRun + "--frames frames --threads 1 --out boxes.txt " + options);
    REQUIRE_MESSAGE(outcome.status == 0, outcome.output);
    return work.lines("boxes.txt");
  };
  const auto followed = run("--min-score 1 --hold-after 0"), held = run("--min-score 1 --hold-after 1");
  REQUIRE(followed.size() == 12);
  CHECK(std::count(followed.begin(), followed.end(), followed[0]) < 12);
  CHECK(std::count(held.begin(), held.end(), followed[0]) == 12);
  CHECK(run("--min-score 0") == followed);  // it is never unsure
  CHECK(run("--min-score 0 --min-iou 1 --hold-after 1") == held);
  CHECK(run("--min-score 0 --iou-gate 1 --score-gate 1 --hold-after 1") == followed);
}

TEST_CASE("track: what cannot be used is named, status 2, and what was tracked stays") {
  const ClipWorkshop work;
  const auto rejects = [&](const std::string& arguments, std::initializer_list<const char*> words) {
    work.rejects(arguments, words);
  };
  const std::string with_box = "--box 20,24,16,16 ", with_weights = "--weights w.safetensors ";
  rejects(with_box + "--weights none.safetensors --frames frames", {"none.safetensors"});
  rejects(with_box + "--weights frames/1.png --frames frames", {"frames/1.png"});
  rejects(with_box + "--frames frames", {"--weights"});
  rejects(with_weights + "--frames frames", {"--box"});
  rejects(kRun + "--frames nowhere", {"nowhere"});
  rejects(kRun + "--video nowhere.mp4", {"nowhere.mp4"});
  rejects(kRun + "--video w.safetensors", {"w.safetensors"});
  rejects(kRun + "--camera 77", {"/dev/video77"});
  rejects(kRun, {"--video"});
  rejects(kRun + "--frames frames --start 12", {"--start"});
  rejects(kRun + "--video clip.mp4 --start 50", {"--start"});
  rejects(kRun + "--frames frames --device cuda", {"CUDA"});
  rejects(kRun + "--frames frames --device tpu", {"tpu"});
  rejects(kRun + "--frames frames --no-such-option", {"no-such-option"});
  rejects(kRun + "--frames frames --out no/such/folder/boxes.txt", {"no/such/folder/boxes.txt"});
  rejects(kRun + "--frames frames --render no/such/folder/out.mp4", {"no/such/folder/out.mp4"});
  rejects(kRun + "--frames frames --trajectory 9", {"trajectory"});
  rejects(kRun + "--frames frames --read-block 99", {"read_block"});
  rejects(kRun + "--frames frames --read-block -1", {"--read-block"});
  rejects(kRun + "--frames frames --passes 0", {"--passes"});
  rejects(kRun + "--frames frames --iou-gate 1.5", {"--iou-gate"});
  rejects(kRun + "--frames frames --score-gate 2", {"--score-gate"});
  rejects(kRun + "--frames frames --trajectory -5", {"--trajectory", "-5"});
  rejects(kRun + "--frames frames --start -1", {"--start: expected 0 or more, got -1"});
  rejects(kRun + "--frames frames --frames-count -2", {"--frames-count: expected 0 or more, got -2"});
  for (const char* option : {"--video", "--frames", "--camera 0 --out", "--camera 0 --times", "--camera 0 --json",
                             "--camera 0 --render", "--camera 0 --contact-sheet"})
    rejects(kRun + option + " ''", {"expected a name"});
  for (const char* box : {"200,10,20,20", "nan,1,5,5", "10,10,0,5", "10,10,5,-5", "10,10,5", "1,2,3,4,5", "a,b,c,d", "''",
                          "inf,1,5,5", "10,10,1e30,5"})
    rejects(with_weights + "--frames frames --box=" + box, {"box"});
  CHECK(work.track("--help").status == 0);

  // In the middle of a run: the boxes until then are there.
  const auto breaks = [&](const std::string& arguments, std::size_t kept, std::initializer_list<const char*> words) {
    rejects(kRun + arguments + " --out kept.txt --json kept.json --render kept.mp4", words);
    CHECK(work.lines("kept.txt").size() == kept);
    CHECK(nlohmann::json::parse(work.text("kept.json")).at("frames").size() == kept);
    VideoReader rendered(work.at("kept.mp4").string());
    CHECK(rendered.skip(100) == static_cast<std::int64_t>(kept));
  };
  save_image(work.at("frames/8.png"), square_frame(7, 80, 64));
  breaks("--frames frames", 7, {"expected 96x64", "got 80x64", "frame 7"});
  const auto bytes = detrack::test::read_file(work.at("frames/7.png"));
  detrack::test::write_file(work.at("frames/7.png"), {bytes.begin(), bytes.begin() + static_cast<long>(bytes.size() / 2)});
  breaks("--frames frames", 6, {"frames/7.png"});
  std::ofstream(work.at("frames/5.png"));  // nothing in it
  breaks("--frames frames", 4, {"frames/5.png"});
}

TEST_CASE("track: a video that is cut off: what it held is tracked, then an error names file and frame") {
  const ClipWorkshop work;
  VideoWriter video(work.at("long.mp4"), 96, 64, 25);  // its index lies in front
  Philox random(3, 0);
  for (int t = 0; t < 60; ++t) {
    Image noise(96, 64);  // so that the file is mostly frames
    for (std::int64_t i = 0; i < 3 * 96 * 64; ++i) noise.data()[i] = static_cast<std::uint8_t>(random.below(256));
    video.write(noise);
  }
  video.finish();
  auto bytes = detrack::test::read_file(work.at("long.mp4"));
  bytes.resize(bytes.size() * 7 / 10);
  detrack::test::write_file(work.at("long.mp4"), bytes);
  const Outcome outcome = work.track(kRun + "--video long.mp4 --out boxes.txt");
  CAPTURE(outcome.output);
  CHECK(outcome.status == 2);
  CHECK(outcome.says("long.mp4: ends after frame "));
  CHECK(outcome.says("60 frames"));
  const std::size_t kept = work.lines("boxes.txt").size();
  CHECK(kept > 5);
  CHECK(kept < 60);
}

TEST_CASE("track: what is refused leaves the files of an earlier run") {
  const ClipWorkshop work;
  std::ofstream(work.at("boxes.txt")) << "precious\n";
  work.rejects("--weights w.safetensors --frames frames --box 500,5,5,5 --out boxes.txt", {"box"});
  const std::string again = kRun + "--frames frames --out boxes.txt ";
  work.rejects(again + "--contact-sheet sheet.gif", {"--contact-sheet", ".png", "sheet.gif"});
  work.rejects(again + "--contact-sheet no/folder/sheet.png", {"no/folder/sheet.png"});
  work.rejects(again + "--render out.xyz", {"out.xyz"});
  work.rejects(again + "--render w.safetensors/pictures", {"w.safetensors/pictures"});
  work.rejects(again + "--times times.txt --json no/folder/all.json", {"no/folder/all.json"});
  work.rejects(again + "--json /dev/stdout", {"/dev/stdout: expected a file", "pipe"});
  CHECK(work.text("boxes.txt") == "precious\n");
}

TEST_CASE("track: no output takes the place of what is read, or of another output") {
  const ClipWorkshop work;
  const auto frames = image_files(work.at("frames")).size();
  const std::string video = work.text("clip.mp4"), weights = work.text("w.safetensors");
  fs::create_hard_link(work.at("clip.mp4"), work.at("link.txt"));
  fs::create_directory_symlink("frames", work.at("same"));
  for (const char* arguments :
       {"--video clip.mp4 --render clip.mp4", "--video clip.mp4 --out ./clip.mp4", "--video clip.mp4 --times link.txt",
        "--video frames/%d.png --out frames/7.png", "--frames frames --render frames", "--frames frames --render same",
        "--frames frames --contact-sheet frames/sheet.png", "--frames . --select"})
    work.rejects(kRun + arguments, {"frames that are read"});
  work.rejects(kRun + "--frames frames --json frames/../w.safetensors", {"--json", "--weights", "w.safetensors"});
  work.rejects(kRun + "--frames frames --out o --times ./o", {"--times", "--out"});
  work.rejects(kRun + "--frames frames --render o --json o", {"--render", "--json"});
  work.rejects(kRun + "--box 1,2,9,9 --frames frames --out o.png --contact-sheet o.2.png", {"--contact-sheet", "--out"});
  CHECK(image_files(work.at("frames")).size() == frames);
  CHECK(work.text("clip.mp4") == video);
  CHECK(work.text("w.safetensors") == weights);
  CHECK_FALSE(fs::exists(work.at("o")));
  CHECK(work.track(kRun + "--frames frames --out /dev/null --times /dev/null --json /dev/null").status == 0);
}

TEST_CASE("track: stopped while it passes over frames, it leaves the files of an earlier run") {
  const ClipWorkshop work;
  std::ofstream(work.at("boxes.txt")) << "precious\n";
  std::string frames = "YUV4MPEG2 W96 H64 F25:1 Ip A1:1 C420jpeg\n";
  for (int t = 0; t < 4000; ++t) frames += "FRAME\n" + std::string(96 * 64 * 3 / 2, '\x50');
  std::ofstream(work.at("long.y4m")) << frames;
  // The pipe holds far less than the 100 frames before the signal: some have been read by then, and 3,900 have not.
  const Outcome outcome =
      detrack::test::run_program("cd '" + work.at("").string() + "' && mkfifo live.y4m && { '" DETRACK_TRACK "' " + kRun +
                                 "--video live.y4m --start 3000 --out boxes.txt & } && track=$! && "
                                 "{ head -c 922000; kill -TERM $track; cat; } <long.y4m >live.y4m 2>/dev/null; wait $track");
  CHECK_MESSAGE(outcome.status == 130, outcome.output);
  CHECK(work.text("boxes.txt") == "precious\n");
}

TEST_CASE("track: the JSON document is complete when the disk is full, and whatever bytes file names have") {
  const ClipWorkshop work;
  // A limit on the size of files stands in for the disk.
  const Outcome outcome =
      detrack::test::run_program("cd '" + work.at("").string() + "' && trap '' XFSZ && ulimit -f 4 && '" DETRACK_TRACK "' " +
                                 kRun + "--frames frames --show-denoising --json all.json --out boxes.txt");
  CAPTURE(outcome.output);
  CHECK(outcome.status == 2);
  CHECK(outcome.says("all.json: cannot write: "));
  const auto kept = nlohmann::json::parse(work.text("all.json")).at("frames").size();
  CHECK(kept > 0);
  CHECK(kept < 12);

  fs::copy(work.at("frames"), work.at("\xff"));
  CHECK(work.track(kRun + "--frames \xff --json all.json").status == 0);
  CHECK(nlohmann::json::parse(work.text("all.json")).at("frames").size() == 12);
}

TEST_CASE("track: random weights of a preset run, and say what they are") {
  const ClipWorkshop work;
  const Outcome outcome = work.track("--random-weights detrack-n128 --box 20,24,16,16 --frames frames --frames-count 3");
  CHECK_MESSAGE(outcome.status == 0, outcome.output);
  CHECK(outcome.says("the boxes mean nothing"));
}
