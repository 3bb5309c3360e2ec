// The evaluate program, run as people run it: a small dataset, with weights and with result files, stopped and resumed.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "detrack/image/stb.hpp"
#include "detrack/model/weights_file.hpp"
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
  CHECK(work.json("again/summary.json").at("overall").at("auc") == first.at("overall").at("auc"));

  outcome = work.evaluate("--weights other.safetensors --dataset data --protocol otb --save results");
  CHECK(outcome.status == 2);
  CHECK(outcome.says("run.json"));

  CHECK(work.evaluate("--weights w.safetensors --dataset data --protocol got10k --save got").status == 0);
  CHECK(fs::exists(work.at("got/walk/walk_001.txt")));
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
  fs::remove(work.at("good/drive.txt"));
  rejects(on_data + "--results good", {"drive"});
  CHECK(work.evaluate(on_data + "--results good --skip-missing").status == 0);
  std::ofstream(work.at("good/drive.txt")) << "1,2,3\n";
  rejects(on_data + "--results good", {"drive.txt"});
  CHECK(work.evaluate("--help").status == 0);
}
