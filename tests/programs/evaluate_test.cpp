// The evaluate program, run as people run it: a small dataset, with weights and with result files, stopped and resumed.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "detrack/image/stb.hpp"
#include "detrack/model/weights_file.hpp"
#include "detrack/track/model_network.hpp"
#include "examples/support/sequence_runner.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/small_model.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace detrack;
using detrack::test::Outcome;

namespace {

namespace fs = std::filesystem;

/// Two sequences of ten and six frames in the plain layout; the target of the second is absent in its frame 3.
class DatasetWorkshop {
 public:
  DatasetWorkshop() {
    Config config = detrack::test::small_config();
    DeTrack<float> model(config);
    detrack::test::randomise(model);
    save_model(at("w.safetensors"), model);
    detrack::test::randomise(model, 2);
    save_model(at("other.safetensors"), model);
    add("walk", 10, -1);
    add("drive", 6, 3);
  }

  void add(const std::string& name, int frames, int absent) const {
    fs::create_directories(at("data/" + name + "/img"));
    std::ofstream truth(at("data/" + name + "/groundtruth.txt"));
    for (int t = 0; t < frames; ++t) {
      Image image(64, 48);
      for (std::int64_t y = 10; y < 26; ++y)
        for (std::int64_t x = 8 + t; x < 24 + t; ++x) image.pixel(y, x)[0] = 255;
      char file[32];
      std::snprintf(file, sizeof file, "%06d.jpg", t + 1);
      save_image(at("data/" + name + "/img/" + file), image);
      truth << (t == absent ? "nan,nan,nan,nan" : std::to_string(8 + t) + ",10,16,16") << '\n';
    }
  }
  /// A tracker that is `dx` pixels off from frame 1 on.
  void add_results(const std::string& folder, double dx, const std::string& separator) const {
    fs::create_directories(at(folder));
    for (const auto& [name, frames] : {std::pair{"walk", 10}, {"drive", 6}}) {
      std::ofstream out(at(folder + "/" + name + ".txt"));
      for (int t = 0; t < frames; ++t)
        out << 8 + t + (t > 0 ? dx : 0) << separator << 10 << separator << 16 << separator << 16 << '\n';
    }
  }

  fs::path at(const std::string& name) const { return folder_ / name; }
  Outcome evaluate(const std::string& arguments) const {
    return detrack::test::run_program("cd '" + folder_.path().string() + "' && '" DETRACK_EVALUATE "' --quiet " + arguments);
  }
  std::string text(const std::string& name) const {
    std::ostringstream out;
    out << std::ifstream(at(name)).rdbuf();
    return out.str();
  }
  nlohmann::json json(const std::string& name) const { return nlohmann::json::parse(text(name)); }

 private:
  detrack::test::TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("evaluate: result files are scored, compared, and reported") {
  const DatasetWorkshop work;
  work.add_results("good", 4, ",");   // overlap 12 / 20
  work.add_results("bad", 12, "\t");  // overlap 4 / 28
  const Outcome outcome =
      work.evaluate("--results good --dataset data --protocol otb --compare bad --report report --name Good");
  CHECK_MESSAGE(outcome.status == 0, outcome.output);
  for (const char* word : {"walk", "drive", "overall", "Good", "bad", "left out"}) CHECK(outcome.says(word));

  const auto summary = work.json("report/summary.json");
  // 21 thresholds, strict: an overlap of 0.6 passes those below it, 0 to 0.55 (12); frame 0 is the truth and passes 20.
  const double walk = (9 * 12 + 20) / 210.0, drive = (4 * 12 + 20) / 105.0;
  CHECK(summary.at("sequences").at("walk").at("auc").get<double>() == doctest::Approx(walk).epsilon(1e-12));
  CHECK(summary.at("sequences").at("drive").at("auc").get<double>() == doctest::Approx(drive).epsilon(1e-12));
  CHECK(summary.at("overall").at("auc").get<double>() == doctest::Approx((walk + drive) / 2).epsilon(1e-12));
  CHECK(summary.at("overall").at("precision") == 1.0);
  CHECK(summary.at("overall").at("ao").get<double>() == doctest::Approx(0.6).epsilon(1e-9));
  CHECK(summary.at("overall").at("fps").is_null());

  const std::string report = work.text("report/report.html");
  for (const char* part : {"<svg", "data:image/jpeg;base64,", "walk", "drive", "Good", "bad"})
    CHECK(report.find(part) != std::string::npos);
  CHECK(report.find("src=\"http") == std::string::npos);
}

TEST_CASE("evaluate: runs the tracker, saves result files, and does not run twice what is complete") {
  const DatasetWorkshop work;
  const std::string run = "--weights w.safetensors --dataset data --protocol otb --save results ";
  Outcome outcome = work.evaluate(run + "--report report --jobs 2");
  CHECK_MESSAGE(outcome.status == 0, outcome.output);
  for (const char* part : {"network ", "update ", "end to end "}) CHECK(outcome.says(part));
  const auto first = work.json("results/summary.json");
  CHECK(first.at("overall").at("fps") > 0);
  CHECK(fs::exists(work.at("results/times/walk_time.txt")));

  fs::remove(work.at("results/walk.txt"));
  const std::string kept = work.text("results/drive.txt");
  outcome = work.evaluate(run + "--jobs 1");
  CHECK(outcome.status == 0);
  CHECK(outcome.says("1 sequences were complete"));
  CHECK(work.text("results/drive.txt") == kept);
  const auto second = work.json("results/summary.json");
  for (const char* key : {"auc", "precision", "norm_precision", "ao", "sr50", "sr75"})
    CHECK(second.at("overall").at(key) == first.at("overall").at(key));

  outcome = work.evaluate("--results results --dataset data --protocol otb --report again");
  CHECK(outcome.status == 0);
  CHECK_FALSE(outcome.says("end to end "));  // nothing was tracked
  CHECK(work.json("again/summary.json").at("overall").at("auc") == first.at("overall").at("auc"));

  outcome = work.evaluate("--weights other.safetensors --dataset data --protocol otb --save results");
  CHECK(outcome.status == 2);
  CHECK(outcome.says("run.json"));

  CHECK(work.evaluate("--weights w.safetensors --dataset data --protocol got10k --save got").status == 0);
  CHECK(fs::exists(work.at("got/walk/walk_001.txt")));
}

TEST_CASE("evaluate: more starts are more sequences, which a run with fewer of them goes on to") {
  const DatasetWorkshop work;
  const std::string run = "--weights w.safetensors --dataset data --protocol otb --save results --jobs 1 ";
  REQUIRE(work.evaluate(run).status == 0);
  const auto alone = work.json("results/summary.json");
  const Outcome outcome = work.evaluate(run + "--starts 2");
  INFO(outcome.output);
  REQUIRE(outcome.status == 0);
  CHECK(outcome.says("2 sequences were complete"));
  CHECK(outcome.says("walk@5"));
  const auto summary = work.json("results/summary.json");
  CHECK(summary.at("sequences").size() == 4);
  CHECK(summary.at("sequences").at("walk").at("auc") == alone.at("sequences").at("walk").at("auc"));
  CHECK(summary.at("sequences").contains("drive@4"));  // in frame 3 there is no target
  // Five frames: the box that is given, where the target is then.
  const std::string boxes = work.text("results/walk@5.txt");
  CHECK(boxes.starts_with("13"));
  CHECK(std::count(boxes.begin(), boxes.end(), '\n') == 5);
  const Outcome again = work.evaluate("--results results --dataset data --protocol otb --starts 2 --report again");
  CHECK(again.status == 0);
  CHECK(again.says("from up to 2 starts"));
  CHECK(work.text("again/report.html").find("up to 2 a sequence") != std::string::npos);
  CHECK(work.json("again/summary.json").at("overall").at("auc") == summary.at("overall").at("auc"));
}

TEST_CASE("evaluate: the tracker's scores are kept, and count the same when they are read again") {
  const DatasetWorkshop work;
  const std::string run = "--weights w.safetensors --dataset data --protocol otb --save results --report report ";
  Outcome outcome = work.evaluate(run);
  CHECK_MESSAGE(outcome.status == 0, outcome.output);
  CHECK(outcome.says("calibration error"));
  CHECK(work.text("report/report.html").find("id=\"confidence\"") != std::string::npos);
  const std::string scores = work.text("results/scores/walk_scores.txt");
  CHECK(scores.starts_with("1.000000,1.000000,tracking\n"));
  CHECK(std::count(scores.begin(), scores.end(), '\n') == 10);
  const auto reliability = work.json("results/summary.json").at("reliability");
  CHECK(reliability.at("frames") == 9 + 4);  // frame 0 and the absent target are no test
  CHECK(reliability.at("score").at("frames") == 9 + 4);

  fs::remove(work.at("results/drive.txt"));  // stopped before its end
  outcome = work.evaluate(run);
  CHECK(outcome.says("1 sequences were complete"));
  CHECK(work.json("results/summary.json").at("reliability") == reliability);

  CHECK(work.evaluate("--results results --dataset data --protocol otb --report again").status == 0);
  CHECK(work.json("again/summary.json").at("reliability") == reliability);

  std::ofstream(work.at("results/scores/walk_scores.txt")) << "0.5,0.5\n";
  outcome = work.evaluate("--results results --dataset data --protocol otb --report damaged");
  CHECK(outcome.status == 0);
  CHECK(outcome.says("walk_scores.txt: line 1"));
  CHECK(work.json("damaged/summary.json").at("reliability").at("frames") == 4);

  work.add_results("silent", 4, ",");
  outcome = work.evaluate("--results silent --dataset data --protocol otb --report without");
  CHECK(outcome.status == 0);
  CHECK_FALSE(outcome.says("calibration error"));
  CHECK(work.text("without/report.html").find("id=\"confidence\"") == std::string::npos);
  CHECK_FALSE(work.json("without/summary.json").contains("reliability"));
}

TEST_CASE("evaluate: a folder takes the results of one run over one dataset, and says what another one has otherwise") {
  const DatasetWorkshop work;
  const auto run = [&](const std::string& arguments) {
    return work.evaluate("--weights w.safetensors --protocol otb --save results --dataset " + arguments);
  };
  REQUIRE(run("data --sequences walk").status == 0);
  const auto refused = [&](const std::string& arguments, std::initializer_list<const char*> words) {
    const std::string kept = work.text("results/walk.txt");
    const Outcome outcome = run(arguments);
    CAPTURE(outcome.output);
    CHECK(outcome.status == 2);
    CHECK(outcome.says("results/run.json: "));
    for (const char* word : words) CHECK(outcome.says(word));
    CHECK(work.text("results/walk.txt") == kept);
  };

  // Sequences of the same names and lengths, with other targets.
  fs::copy(work.at("data"), work.at("twin"), fs::copy_options::recursive);
  std::ofstream(work.at("twin/walk/groundtruth.txt")) << "9,11,14,14\n9,11,14,14\n9,11,14,14\n9,11,14,14\n9,11,14,14\n"
                                                         "9,11,14,14\n9,11,14,14\n9,11,14,14\n9,11,14,14\n9,11,14,14\n";
  refused("twin", {"dataset: expected \"2 sequences, 16 frames, ", " as in this run, got \"2 sequences, 16 frames, "});
  refused("data --hold-after 0 --memory fixed", {"options: expected \"", "hold after 0", "hold after 2",
                                                 "memory: expected \"fixed\" as in this run, got \"gated\""});

  fs::rename(work.at("data"), work.at("moved"));  // the same data elsewhere, and more of its sequences
  Outcome outcome = run("moved");
  CHECK_MESSAGE(outcome.status == 0, outcome.output);
  CHECK(outcome.says("1 sequences were complete"));

  auto record = work.json("results/run.json");
  record.erase("dataset");  // as records were once
  std::ofstream(work.at("results/run.json")) << record.dump();
  refused("moved", {"dataset: expected \"2 sequences", "got none"});
  std::ofstream(work.at("results/run.json")) << "{\"network\": ";
  refused("moved", {"damaged"});
}

TEST_CASE("evaluate: names that are not UTF-8 are no obstacle to going on") {
  const DatasetWorkshop work;
  fs::rename(work.at("w.safetensors"), work.at("w\xe9.safetensors"));
  const std::string run = "--weights 'w\xe9.safetensors' --dataset data --protocol otb --save results";
  Outcome outcome = work.evaluate(run);
  CHECK_MESSAGE(outcome.status == 0, outcome.output);
  outcome = work.evaluate(run);
  CHECK_MESSAGE(outcome.status == 0, outcome.output);
  CHECK(outcome.says("2 sequences were complete"));
}

TEST_CASE("evaluate: trackers whose folders have one name are told apart by the folders above") {
  const DatasetWorkshop work;
  for (const char* folder : {"here/a/boxes", "here/b/boxes", "there/b/boxes", "other"}) work.add_results(folder, 4, ",");
  const auto names = [&](const std::string& arguments, std::initializer_list<const char*> expected) {
    const Outcome outcome = work.evaluate("--dataset data --protocol otb " + arguments);
    CAPTURE(outcome.output);
    CHECK(outcome.status == 0);
    for (const char* name : expected) CHECK(outcome.says("\n" + std::string(name) + " "));
  };
  names("--results here/a/boxes --compare here/b/boxes/ there/b/boxes other",
        {"a/boxes", "here/b/boxes", "there/b/boxes", "other"});
  names("--results here/a/boxes --name boxes --compare here/b/boxes", {"boxes", "b/boxes"});
  names("--results here/a/boxes --compare other/", {"boxes", "other"});
}

TEST_CASE("evaluate: one sequence gets all threads, also if it is named twice") {
  const DatasetWorkshop work;
  const std::string run = "--weights w.safetensors --dataset data --protocol otb --threads 4 ";
  CHECK(work.evaluate(run + "--sequences walk,walk").says("1 sequences of data (plain), 1 at a time with 4 threads each"));
  CHECK(work.evaluate(run + "--jobs 3").says("2 sequences of data (plain), 2 at a time with 2 threads each"));
}

namespace {

/// A network on a device with room for some of its runs only.
class CrowdedNetwork : public Network {
 public:
  CrowdedNetwork(std::shared_ptr<const Network> network, int room) : network_(std::move(network)), room_(room) {}
  const Config& config() const override { return network_->config(); }
  std::unique_ptr<NetworkRun> make_run(const NetworkRunOptions& options) const override {
    if (room_-- <= 0) fail(ErrorCode::out_of_memory, "device: no room");
    return network_->make_run(options);
  }

 private:
  std::shared_ptr<const Network> network_;
  mutable std::atomic<int> room_;
};

}  // namespace

TEST_CASE("evaluate: where there is no room for more trackers, those that there are take all sequences") {
  const DatasetWorkshop work;
  Sequence sequence;
  for (int t = 1; t <= 6; ++t) sequence.frames.push_back(work.at("data/drive/img/00000" + std::to_string(t) + ".jpg"));
  sequence.truth = {{8, 10, 16, 16}};
  std::vector<Sequence> sequences(9, sequence);
  for (std::size_t i = 0; i < sequences.size(); ++i) sequences[i].name = "s" + std::to_string(i);
  const auto network = cpu_network(load_model<float>(work.at("w.safetensors")));
  for (const int room : {0, 1, 3}) {
    CAPTURE(room);
    program::SequenceRunner runner(std::make_shared<CrowdedNetwork>(network, room), sequences,
                                   {.tracker = {.threads = 1}, .jobs = 4, .quiet = true});
    const auto results = runner.run();
    REQUIRE(results.size() == sequences.size());
    for (const SequenceResult& result : results) CHECK(result.runs.size() == (room > 0 ? 1 : 0));
    CHECK(runner.failures().size() == (room > 0 ? 0 : 1));
    CHECK(runner.warnings().size() == (room > 0 ? 4 - static_cast<std::size_t>(room) : 0));
  }
}

TEST_CASE("evaluate: a sequence that cannot be read is named; the others are scored; status 2") {
  const DatasetWorkshop work;
  std::ofstream(work.at("data/walk/img/000005.jpg")) << "no picture";
  const Outcome outcome = work.evaluate("--weights w.safetensors --dataset data --protocol otb --save results");
  CHECK(outcome.status == 2);
  CHECK(outcome.says("000005.jpg"));
  CHECK_FALSE(fs::exists(work.at("results/walk.txt")));
  CHECK(work.json("results/summary.json").at("sequences").contains("drive"));
  CHECK_FALSE(work.json("results/summary.json").at("sequences").contains("walk"));
}

TEST_CASE("evaluate: what cannot be used is named, status 2") {
  const DatasetWorkshop work;
  work.add_results("good", 4, ",");
  const auto rejects = [&](const std::string& arguments, std::initializer_list<const char*> words) {
    const Outcome outcome = work.evaluate(arguments);
    CAPTURE(arguments);
    CAPTURE(outcome.output);
    CHECK(outcome.status == 2);
    for (const char* word : words) CHECK(outcome.says(word));
  };
  const std::string on_data = "--dataset data --protocol otb ";
  rejects(on_data, {"--weights", "--results"});
  rejects(on_data + "--weights w.safetensors --results good", {"both"});
  rejects(on_data + "--weights none.safetensors", {"none.safetensors"});
  rejects(on_data + "--results none", {"none"});
  rejects("--results good --dataset none --protocol otb", {"none"});
  rejects("--results good --dataset data --protocol vot", {"otb"});
  rejects(on_data + "--results good --convention wrong", {"pytracking"});
  rejects(on_data + "--results good --layout wrong", {"plain"});
  rejects(on_data + "--results good --sequences nobody", {"nobody"});
  rejects("--results good --protocol otb", {"--dataset"});
  rejects(on_data + "--results good --film-strips -1", {"--film-strips"});
  rejects(on_data + "--results good --jobs -1", {"--jobs", "0 to 1000000"});
  // Before anything is tracked, once, and without a claim on the folder.
  std::ofstream(work.at("file")) << "no folder";
  const std::string run = on_data + "--weights w.safetensors --save results ";
  rejects(run + "--compare nobody", {"nobody: expected a folder of results"});
  rejects(run + "--report file/report", {"file/report: cannot create the folder"});
  rejects(on_data + "--weights w.safetensors --save file/results", {"file/results: cannot create the folder"});
  rejects(run + "--threads -1", {"threads: expected"});
  rejects(run + "--trajectory 9", {"trajectory: expected at most 3"});
  rejects(run + "--read-block 13", {"evaluate: TrackerOptions: read_block: expected at most 2"});
  CHECK_FALSE(fs::exists(work.at("results/run.json")));
  fs::remove(work.at("good/drive.txt"));
  rejects(on_data + "--results good", {"drive"});
  CHECK(work.evaluate(on_data + "--results good --skip-missing").status == 0);
  std::ofstream(work.at("good/drive.txt")) << "1,2,3\n";
  rejects(on_data + "--results good", {"drive.txt"});
  const Outcome help = work.evaluate("--help");
  CHECK(help.status == 0);
  for (const char* word : {"gated, or always", "toolkit, or got10k"}) CHECK(help.says(word));
}
