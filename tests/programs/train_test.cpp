// The train program, run as people run it: from folders of pictures to weights, killed and resumed, with bad data.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "detrack/image/stb.hpp"
#include "detrack/io/safetensors.hpp"
#include "detrack/model/config_json.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace detrack;
using detrack::test::Outcome;

namespace {

namespace fs = std::filesystem;

class TrainWorkshop {
 public:
  TrainWorkshop() {
    for (const char* name : {"walk", "drive"}) {
      fs::create_directories(at(std::string("videos/") + name + "/img"));
      std::ofstream truth(at(std::string("videos/") + name + "/groundtruth.txt"));
      for (int t = 0; t < 10; ++t) {
        save(std::string("videos/") + name + "/img/" + std::to_string(100 + t) + ".jpg", 8 + 2 * t);
        truth << (t == 4 ? "nan,nan,nan,nan" : t == 5 ? "10,10,0,16" : std::to_string(8 + 2 * t) + ",20,20,20") << '\n';
      }
    }
    fs::create_directories(at("boxed"));
    std::ofstream table(at("boxed/boxes.tsv"));
    table << "image\tx\ty\tw\th\tclass\n";
    for (int i = 0; i < 3; ++i) {
      save("boxed/" + std::to_string(i) + ".jpg", 10 * i);
      table << i << ".jpg\t" << 10 * i << "\t20\t20\t20\tthing\n";
    }
    std::ofstream(at("config.json")) << R"({
  // a model that is trained in no time
  "model": {"name": "tiny", "width": 24, "depth": 2, "heads": 3, "mlp_ratio": 2, "patch": 8, "search_size": 32,
            "template_size": 16, "templates": 2, "bins_per_unit": 20, "coord_range": 2, "trajectory": 2, "refine_layers": 1,
            "refine_heads": 2},
  "autoencoder": {"decoder_width": 24, "decoder_depth": 1, "decoder_heads": 2},
  "steps": 6, "batch": 4,
  "data": [{"name": "videos", "weight": 2}, {"name": "boxed"}],
  "optimizer": {"lr": 1e-3, "ema": 0.9, "schedule": "cosine"},
  "loader": {"threads": 2, "cache_mb": 16},
  "log_every": 2, "checkpoint_every": 2
})";
  }

  void save(const std::string& name, int left) const {
    Image image(96, 64);
    for (std::int64_t y = 20; y < 40; ++y)
      for (std::int64_t x = left; x < std::min<std::int64_t>(left + 20, 96); ++x) image.pixel(y, x)[0] = 250;
    save_image(at(name), image);
  }

  fs::path at(const std::string& name) const { return folder_ / name; }
  std::string command(const std::string& arguments, const std::string& config = "config.json") const {
    return std::string(DETRACK_TRAIN) + " --threads 2 --quiet --config " + at(config).string() +
           " --data videos=" + at("videos").string() + " --data boxed=" + at("boxed").string() + ",1.5 " + arguments;
  }
  /// Sends a signal once the run in folder `run` has written a checkpoint.
  Outcome interrupted(const std::string& arguments, const std::string& run, const std::string& signal) const {
    const std::string mark = at(run + ".mark").string(), checkpoint = at(run + "/last.ckpt").string();
    return test::run_program("touch " + mark + "; " + command(arguments + out(run)) + " & pid=$!; while [ ! " + checkpoint +
                             " -nt " + mark + " ] && kill -0 $pid 2>/dev/null; do sleep 0.01; done; kill -" + signal +
                             " $pid; wait $pid");
  }
  Outcome train(const std::string& arguments, const std::string& config = "config.json") const {
    return test::run_program(command(arguments, config));
  }
  std::string out(const std::string& name) const { return " --out " + at(name).string(); }

  std::vector<nlohmann::json> metrics(const std::string& run) const {
    std::vector<nlohmann::json> lines;
    std::ifstream in(at(run + "/metrics.jsonl"));
    for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
  }
  bool same_weights(const std::string& a, const std::string& b) const {
    const auto bytes = test::read_file(at(a + "/weights.safetensors"));
    return !bytes.empty() && bytes == test::read_file(at(b + "/weights.safetensors"));
  }

 private:
  test::TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("train: the stages one after another, each with its files, numbers and report") {
  const TrainWorkshop w;
  const Outcome pairs =
      w.train("--set validation.every=3 --set validation.path=" + w.at("videos").string() + w.out("pairs"));
  INFO(pairs.output);
  REQUIRE(pairs.status == 0);
  CHECK(pairs.says("videos               weight  2.000       2 videos with       16 frames"));
  CHECK(pairs.says("boxed                weight  1.500       0 videos with        0 frames,       3 pictures with boxes"));
  CHECK(pairs.says("step 3: validation AUC"));
  CHECK(pairs.says("weights.safetensors"));
  for (const char* file :
       {"config.json", "metrics.jsonl", "last.ckpt", "best.safetensors", "best.ckpt", "weights.safetensors", "report.html"})
    CHECK(fs::exists(w.at(std::string("pairs/") + file)));
  const auto lines = w.metrics("pairs");
  REQUIRE(lines.size() == 5);  // steps 2, 4, 6 and two validations
  CHECK(lines[0]["step"] == 2);
  CHECK(lines[0]["samples"] == 8);
  CHECK(lines[0]["loss"] > 1);
  CHECK(lines[1].contains("auc"));
  const std::string report = test::read_text(w.at("pairs/report.html"));
  CHECK(report.find("data:image/png;base64,") != std::string::npos);
  CHECK(report.find("Parts of the loss") != std::string::npos);
  CHECK(report.find(w.at("").string()) == std::string::npos);  // no paths

  const SafetensorsFile weights = SafetensorsFile::open(w.at("pairs/weights.safetensors"));
  CHECK(weights.get("box.word_embed.weight").dtype == DType::bf16);
  CHECK(config_from_json(weights.metadata().at(Config::kMetadataKey)).trajectory_used == 0);
  CHECK(weights.metadata().at("detrack.training.samples") == "24");
  CHECK(weights.metadata().at("detrack.training").find(w.at("").string()) == std::string::npos);

  const std::string init = " --init " + w.at("pairs/weights.safetensors").string();
  const Outcome sequences = w.train("--stage sequences --set rollout=8 --set steps=2" + init + w.out("sequences"));
  INFO(sequences.output);
  REQUIRE(sequences.status == 0);
  CHECK(config_from_json(SafetensorsFile::open(w.at("sequences/weights.safetensors")).metadata().at(Config::kMetadataKey))
            .trajectory_used == 2);
  CHECK(w.metrics("sequences").back()["samples"].get<int>() % 4 == 0);
  const std::string tracked = " --init " + w.at("sequences/weights.safetensors").string();
  const Outcome iou = w.train("--stage iou --set steps=2 --set model.confidence_window=5" + tracked + w.out("iou"));
  INFO(iou.output);
  REQUIRE(iou.status == 0);
  const Config judged =
      config_from_json(SafetensorsFile::open(w.at("iou/weights.safetensors")).metadata().at(Config::kMetadataKey));
  CHECK(judged.trajectory_used == 2);
  CHECK(judged.confidence_window == 2);  // as the weights had it
  const Outcome other = w.train("--stage iou --set model.search_factor=5" + tracked + w.out("other"));
  CHECK(other.status == 2);
  CHECK(other.says("expected the weights of the run's model, got another's: search_factor 4.0 (the run has 5.0)\n"));
  const Outcome mae = w.train("--stage mae" + w.out("mae"));
  INFO(mae.output);
  REQUIRE(mae.status == 0);
  const Outcome after = w.train("--init " + w.at("mae/weights.safetensors").string() + w.out("after"));
  INFO(after.output);
  CHECK(after.status == 0);
  CHECK(after.says("init: "));
}

TEST_CASE("train: a run that is killed and resumed ends with the bytes of the unbroken one") {
  const TrainWorkshop w;
  const std::string longer = "--set steps=150 --set checkpoint_every=3 --set optimizer.drop_path=0.2";
  REQUIRE(w.train(longer + w.out("unbroken")).status == 0);
  const Outcome killed = w.interrupted(longer, "killed", "KILL");
  CHECK(killed.status == 137);
  CHECK_FALSE(fs::exists(w.at("killed/weights.safetensors")));
  const Outcome refused = w.train(longer + w.out("killed"));
  CHECK(refused.status == 2);
  CHECK(refused.says("holds a run already"));
  const Outcome other = w.train(longer + " --set optimizer.lr=0.5 --resume" + w.out("killed"));
  CHECK(other.status == 2);
  CHECK(other.says("was begun with other options (/optimizer/lr)"));
  // Ctrl-C this time: a checkpoint of its own and a word on how to go on.
  const Outcome stopped = w.interrupted(longer + " --resume", "killed", "INT");
  INFO(stopped.output);
  CHECK(stopped.status == 130);
  CHECK(stopped.says("with --resume goes on"));
  const Outcome resumed = w.train(longer + " --resume --set loader.threads=4" + w.out("killed"));
  INFO(resumed.output);
  REQUIRE(resumed.status == 0);
  CHECK(w.same_weights("unbroken", "killed"));
  const auto expected = w.metrics("unbroken"), got = w.metrics("killed");
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i]["step"] == expected[i]["step"]);
}

TEST_CASE("train: a run touches no file of others, and none of another run") {
  const TrainWorkshop w;
  const std::string longer = "--set steps=3000 --set checkpoint_every=2 ";
  const auto write = [&](const std::string& name) {
    fs::create_directories(w.at(name).parent_path());
    std::ofstream(w.at(name)) << "mine";
  };
  const auto refused = [&](const std::string& arguments, const std::string& words) {
    const Outcome outcome = w.train(arguments);
    INFO(arguments << "\n" << outcome.output);
    CHECK(outcome.status == 2);
    CHECK(outcome.says(words));
  };
  write("run/notes.tmp-1");
  write("run/best.safetensors.tmp-old/deep");
  fs::create_directories(w.at("run/last.ckpt.tmp-2"));
  const Outcome busy = test::run_program(w.command(longer + w.out("run")) + " & pid=$!; while [ ! -e " +
                                         w.at("run/last.ckpt").string() + " ] && kill -0 $pid; do sleep 0.01; done; " +
                                         w.command(longer + "--resume" + w.out("run")) + "; kill -KILL $pid");
  INFO(busy.output);
  CHECK(busy.says("run: expected a folder that nobody trains in, got one in use"));
  CHECK_FALSE(busy.says("resumed"));
  write("run/last.ckpt.tmp-3");
  const Outcome resumed = w.interrupted(longer + "--resume", "run", "INT");  // the lock went with its process
  INFO(resumed.output);
  CHECK(resumed.status == 130);
  CHECK_FALSE(fs::exists(w.at("run/last.ckpt.tmp-3")));
  for (const char* kept : {"run/notes.tmp-1", "run/best.safetensors.tmp-old/deep", "run/last.ckpt.tmp-2"})
    CHECK(fs::exists(w.at(kept)));

  refused("--resume" + w.out("mistyped"), "there is no checkpoint");
  CHECK_FALSE(fs::exists(w.at("mistyped")));
  write("file");
  refused(w.out("file/run"), "file/run: cannot create the folder: Not a directory");
  for (const std::string name : {"best.safetensors", "weights.safetensors", "metrics.jsonl", "config.json"}) {
    write(name + ".d/" + name);
    refused(w.out(name + ".d"), "expected a folder without files of another run, got one with " + name);
    CHECK(test::read_text(w.at(name + ".d/" + name)) == "mine");
  }
  fs::create_directories(w.at("own"));
  fs::copy_file(w.at("config.json"), w.at("own/config.json"));
  CHECK(w.train(w.out("own"), "own/config.json").says("got one with config.json"));
  CHECK(test::read_text(w.at("own/config.json")) == test::read_text(w.at("config.json")));

  refused("--init " + w.at("none").string() + w.out("new"), "none: cannot open");
  CHECK_FALSE(fs::exists(w.at("new/config.json")));
  REQUIRE(w.train(w.out("new")).status == 0);
  for (const auto& entry : fs::directory_iterator(w.at("new")))  // as if it had been killed before its first checkpoint
    if (const auto name = entry.path().filename(); name != "config.json" && name != "metrics.jsonl")
      fs::remove(entry.path());
  refused("--set steps=7" + w.out("new"), "got one with config.json");
  CHECK(w.train(w.out("new")).status == 0);
}

TEST_CASE("train: a run of nothing but skipped updates fails and leaves no weights") {
  const TrainWorkshop w;
  REQUIRE(w.train("--set steps=1" + w.out("pairs")).status == 0);
  auto bytes = test::read_file(w.at("pairs/weights.safetensors"));
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(sizeof header + header), bytes.end(), std::byte{0xff});  // NaN
  test::write_file(w.at("nan.safetensors"), bytes);
  for (const auto& [steps, got] : {std::pair{"6", "6 steps"}, {"150", "the last 100 steps"}}) {
    const Outcome outcome = w.train("--init " + w.at("nan.safetensors").string() + " --set steps=" + steps + w.out(steps));
    INFO(outcome.output);
    CHECK(outcome.status == 2);
    CHECK(outcome.says(std::string("expected an update with a finite loss and gradient, got none in ") + got));
    CHECK_FALSE(fs::exists(w.at(steps + std::string("/weights.safetensors"))));
  }
}

TEST_CASE("train: missing and damaged pictures are named, counted and replaced; the run is the same every time") {
  const TrainWorkshop w;
  fs::remove(w.at("videos/walk/img/101.jpg"));
  std::ofstream(w.at("boxed/1.jpg"), std::ios::trunc) << "no picture at all";
  for (const char* run : {"one", "two"}) {
    const Outcome outcome = w.train(w.out(run));
    INFO(outcome.output);
    CHECK(outcome.status == 0);
    CHECK(outcome.says("boxed/1.jpg: expected a JPEG"));
    CHECK(outcome.says("drawn again"));
    CHECK(w.metrics(run).back()["replaced"] > 0);
  }
  CHECK(w.same_weights("one", "two"));
}

TEST_CASE("train: crops made on the device give the same weights, in every stage that makes them, damaged pictures or not") {
  const TrainWorkshop w;
  std::ofstream(w.at("boxed/1.jpg"), std::ios::trunc) << "no picture at all";
  const std::string clips =
      " --set rollout=8 --set steps=3 --set augment.flip=0.5 --set sampling.still_prob=0.5"
      " --set augment.clip_prob=0.7 --set augment.rotation=0.3 --set augment.camera=0.1"
      " --set augment.motion_blur_prob=0.5 --init " +
      w.at("pairs/weights.safetensors").string();
  for (const std::string stage : {"pairs", "mae", "sequences"}) {
    const std::string arguments = "--stage " + stage + (stage == "sequences" ? clips : "");
    REQUIRE(w.train(arguments + w.out(stage)).status == 0);
    const Outcome outcome =
        w.train("--set loader.device_mb=1 --set loader.cache_mb=0 " + arguments + w.out(stage + "-device"));
    INFO(outcome.output);
    CHECK(outcome.status == 0);
    CHECK(w.same_weights(stage, stage + "-device"));
    CHECK(w.metrics(stage).back()["replaced"] > 0);
  }
}

TEST_CASE("train: a full disk stops the run with the file's name, and the last checkpoint still serves") {
  const TrainWorkshop w;
  const std::string longer = "--set steps=100 ";
  REQUIRE(w.train(longer + w.out("reference")).status == 0);
  // A checkpoint, then no room for another: no file may grow beyond a few KiB, but the one that is there stays.
  const Outcome stopped = w.interrupted(longer, "full", "KILL");
  CHECK(stopped.status == 137);
  const Outcome full = test::run_program("trap '' XFSZ; ulimit -f 8; " + w.command(longer + "--resume" + w.out("full")));
  INFO(full.output);
  CHECK(full.status == 2);
  CHECK(full.says("last.ckpt: cannot write"));
  const Outcome resumed = w.train(longer + "--resume" + w.out("full"));
  INFO(resumed.output);
  CHECK(resumed.status == 0);
  CHECK(w.same_weights("reference", "full"));
}

TEST_CASE("train: packs of the data give the weights that the folders give") {
  const TrainWorkshop w;
  std::ofstream(w.at("boxed/1.jpg"), std::ios::trunc) << "no picture at all";  // packed as it is, and found in training
  fs::create_directories(w.at("bare"));
  for (int i = 0; i < 3; ++i) w.save("bare/" + std::to_string(i) + ".png", 9 * i);
  const std::string bare = "--set steps=2 --data bare=" + w.at("bare").string();
  const Outcome packing = w.train(bare + " --shard-mb 1 --pack " + w.at("packs").string());
  INFO(packing.output);
  REQUIRE(packing.status == 0);
  CHECK(packing.says("packs/videos: 1 shard,"));
  CHECK(packing.says("2 videos, 0 images, 20 pictures in all"));
  const Outcome again = w.train(bare + " --pack " + w.at("packs").string());
  CHECK(again.status == 2);
  CHECK(again.says("packs/videos holds a pack already"));

  const Outcome plain = w.train(bare + w.out("plain"));
  INFO(plain.output);
  REQUIRE(plain.status == 0);
  fs::rename(w.at("packs"), w.at("travelled"));
  for (const char* name : {"videos", "boxed", "bare"}) fs::rename(w.at(name), w.at(name + std::string(".gone")));
  std::string packs = "--set steps=2";
  for (const char* name : {"videos", "boxed", "bare"})
    packs += std::string(" --data ") + name + "=" + w.at(std::string("travelled/") + name).string();
  const Outcome packed = w.train(packs + w.out("packed"));
  INFO(packed.output);
  REQUIRE(packed.status == 0);
  CHECK(packed.says("videos               weight  2.000       2 videos with       16 frames"));
  CHECK(w.same_weights("plain", "packed"));
  // A pack of a pack is the same pack.
  const Outcome repacked = w.train(packs + " --shard-mb 1 --pack " + w.at("once-more").string());
  INFO(repacked.output);
  REQUIRE(repacked.status == 0);
  CHECK(test::read_file(w.at("once-more/videos/pack.json")) == test::read_file(w.at("travelled/videos/pack.json")));

  const fs::path shard = w.at("travelled/boxed/pack-000.safetensors");
  fs::resize_file(shard, fs::file_size(shard) - 1);
  const Outcome cut = w.train(packs + w.out("cut"));
  CHECK(cut.status == 2);
  CHECK(cut.says("travelled/boxed/pack-000.safetensors: expected"));
  fs::remove(shard);
  CHECK(w.train(packs + w.out("cut")).says("pack-000.safetensors: cannot open"));
}

TEST_CASE("train: what cannot be used is refused in words") {
  const TrainWorkshop w;
  const auto refused = [&](const std::string& arguments, const std::string& words) {
    const Outcome outcome = w.train(arguments + w.out("refused"));
    INFO(arguments << "\n" << outcome.output);
    CHECK(outcome.status == 2);
    CHECK(outcome.says(words));
  };
  refused("--set optimizer.learning_rate=1", "learning_rate: expected a known field");
  refused("--set optimizer.lr=fast", "config.json with --set: optimizer: lr: expected a number");
  refused("--set steps=0", "steps: expected a number in [1,");
  refused("--set =1", "--set: expected FIELD=VALUE");
  refused("--set loss.noise_target=some", "noise_target: expected one of layers, total");
  refused("--set model=detrack-x1", "detrack-n128, detrack-t256");
  refused("--set templates=5", "at most the model's 2");
  refused("--model detrack-n128 --set model.templates=0", "templates: expected a number in [1,");
  refused("--precision int8", "--precision: expected f32 or bf16 for training, got int8");
  refused("--model detrack-n128 --set model.wings=2", "wings: expected a known field");
  refused("--data nothing", "--data: expected NAME=DIR");
  refused("--data more=" + w.at("nowhere").string(), "nowhere: expected a dataset folder");
  fs::create_directories(w.at("empty"));
  refused("--data more=" + w.at("empty").string(), "empty: expected");
  refused("--set data='[{\"name\":\"boxed\",\"path\":\"" + w.at("boxed").string() + "\",\"only\":[\"a\"]}]'",
          "only: expected videos");
  refused("--set data='[{\"name\":\"videos\",\"path\":\"" + w.at("videos").string() + "\",\"subset\":\"train\"}]'",
          "videos: subset: the layout plain has no use for it");
  refused("--set data='[{\"name\":\"videos\",\"path\":\"" + w.at("videos").string() + "\",\"only\":[\"run\"]}]'",
          "data: videos: only: expected what names of its 2 videos begin with, got 'run'");
  fs::create_directories(w.at("bare/seq/img"));
  std::ofstream(w.at("bare/seq/groundtruth.txt")).close();
  w.save("bare/seq/img/1.jpg", 5);  // a broken annotation does not make its pictures unlabelled ones
  refused("--data more=" + w.at("bare").string(), "groundtruth.txt: expected at least one box, got none");
  std::ofstream(w.at("bare/seq/groundtruth.txt")) << "1,2,3\n";
  refused("--data more=" + w.at("bare").string(), "groundtruth.txt: line 1");
  refused("--stage iou", "expected --init with the weights of stage pairs");
  refused("--init " + w.at("boxed/0.jpg").string(), "0.jpg");
  refused("--device cuda", "built without the CUDA backend");
  refused("--resume", "there is no checkpoint");
  CHECK(test::run_program(std::string(DETRACK_TRAIN) + " --config " + w.at("none.json").string() + w.out("x"))
            .says("none.json: cannot open"));
  std::ofstream(w.at("broken.json")) << "{\"steps\": ";
  CHECK(test::run_program(std::string(DETRACK_TRAIN) + " --config " + w.at("broken.json").string() + w.out("x"))
            .says("broken.json: expected JSON"));
  const auto says = [&](const std::string& json, const std::string& words) {
    std::ofstream(w.at("shape.json")) << json;
    const Outcome outcome = w.train(w.out("refused"), "shape.json");
    INFO(json << "\n" << outcome.output);
    CHECK(outcome.status == 2);
    CHECK(outcome.says("shape.json: " + words));
  };
  says(R"({"data": 5})", "data: expected a list of objects, got 5");
  says(R"({"data": {"a": 1}})", "data: expected a list of objects, got an object");
  says(R"({"data": [{"name": 5}]})", "data[0]: name: expected a string, got 5");
  says(R"({"model": {"preset": 5}})", "model: preset: expected a string, got 5");
  const Outcome help = test::run_program(std::string(DETRACK_TRAIN) + " --help");
  CHECK(help.status == 0);
  CHECK(help.says("--resume"));
  CHECK(help.says("--pack"));
  CHECK(w.train("").says("expected --out"));
  CHECK(w.train("--pack " + w.at("x").string() + w.out("y")).status == 2);
}

TEST_CASE("train: the configurations that come with it are valid") {
  const TrainWorkshop w;
  int count = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(DETRACK_SOURCE_DIR) / "examples/train")) {
    if (entry.path().extension() != ".json") continue;
    ++count;
    // Without folders for their data: what comes before them must have been right. And its model can be varied.
    const Outcome outcome = test::run_program(std::string(DETRACK_TRAIN) + " --config " + entry.path().string() +
                                              " --set model.noise_prediction=false" + w.out("x"));
    INFO(entry.path().string() << "\n" << outcome.output);
    CHECK(outcome.status == 2);
    CHECK(outcome.says("expected a folder; give one with --data"));
  }
  CHECK(count >= 6);
}
