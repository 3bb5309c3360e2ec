// The floors of the house: reads every #include of include/detrack and cuda and finds those that climb.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const std::map<std::string, int> kFloors{{"core", 0}, {"ops", 1},   {"image", 1}, {"io", 1},    {"video", 2}, {"cpu", 2},
                                         {"nn", 3},   {"model", 4}, {"data", 5},  {"track", 5}, {"eval", 6},  {"train", 7}};

// Folder, or one file, and how the outside headers start that it may include besides the standard library's.
const std::map<std::string, std::vector<std::string>> kOutside{{"cpu", {"Eigen/"}},
                                                               {"cpu/bfloat_pair.hpp", {"immintrin.h", "arm_neon.h"}},
                                                               {"cpu/byte_quad.hpp", {"immintrin.h", "arm_neon.h"}},
                                                               {"io/json.hpp", {"nlohmann/"}},
                                                               {"io", {"fcntl.h", "sys/", "unistd.h"}},
                                                               {"image/stb_library.hpp", {"stb/"}},
                                                               {"image/text.hpp", {"stb/"}},
                                                               {"video", {"libav", "libsw"}}};

// What cuda/, beside include/, may include: folders of ours, and how CUDA's headers start.
const std::vector<std::string> kCudaMayInclude{"cuda/", "detrack/core/", "detrack/ops/"};
const std::vector<std::string> kCudaHeaders{"cublasLt", "cuda_"};

// Words that code (comments are free to speak of anything) may use in cpu/ only, and words that nn and model may not use.
const std::vector<std::string> kCpuWords{"Eigen", "pragma omp"};
const std::vector<std::string> kCudaWords{"cuda", "CUDA"};

// Headers that a program includes by name; the umbrella leaves them out.
const std::set<std::string> kOptIn{"cuda.hpp",      "image/contact_sheet.hpp", "image/folder.hpp", "image/pixel_grid.hpp",
                                   "image/stb.hpp", "image/stb_library.hpp",   "image/text.hpp"};
const std::set<std::string> kOptInFolders{"video"};

// Names of the standard library, and the header that each wants. tests/headers compiles the headers with all standard ones
// at hand, which is quick but does not see one missing.
const std::map<std::string, std::string> kStandardNames{
    {"std::array<", "array"},           {"std::vector<", "vector"},          {"std::map<", "map"},
    {"std::set<", "set"},               {"std::optional<", "optional"},      {"std::variant<", "variant"},
    {"std::span<", "span"},             {"std::string ", "string"},          {"std::string_view ", "string_view"},
    {"std::function<", "functional"},   {"std::unique_ptr<", "memory"},      {"std::shared_ptr<", "memory"},
    {"std::thread", "thread"},          {"std::mutex", "mutex"},             {"std::condition_variable", "condition_variable"},
    {"std::atomic<", "atomic"},         {"std::filesystem::", "filesystem"}, {"std::ifstream", "fstream"},
    {"std::ofstream", "fstream"},       {"std::int64_t", "cstdint"},         {"std::uint8_t", "cstdint"},
    {"std::numeric_limits<", "limits"}, {"std::min(", "algorithm"},          {"std::max(", "algorithm"},
    {"std::clamp(", "algorithm"},       {"std::sort(", "algorithm"},         {"std::any_of(", "algorithm"},
    {"std::sqrt(", "cmath"},            {"std::exp(", "cmath"},              {"std::floor(", "cmath"},
    {"std::isfinite(", "cmath"},        {"std::memcpy(", "cstring"},         {"std::memmove(", "cstring"},
    {"std::snprintf(", "cstdio"},       {"std::exchange(", "utility"},       {"std::move(", "utility"},
    {"std::is_same_v<", "type_traits"}, {"std::bit_cast<", "bit"},           {"std::chrono::", "chrono"},
    {"std::accumulate(", "numeric"},    {"std::numbers::", "numbers"},       {"std::deque<", "deque"}};

std::string folder_of(const std::string& file) {
  return file.substr(0, file.find('/'));
}

bool starts_with_any(const std::string& header, const std::vector<std::string>& starts) {
  return std::any_of(starts.begin(), starts.end(), [&](const auto& start) { return header.starts_with(start); });
}

bool is_standard(const std::string& header) {
  return header.find_first_of("/.") == std::string::npos;
}

bool may_include(const std::string& who, const std::string& header) {
  const auto rule = kOutside.find(who);
  return rule != kOutside.end() && starts_with_any(header, rule->second);
}

/// What is wrong with `file` (a path below include/detrack) including `header`; empty if nothing is.
std::string breach(const std::string& file, const std::string& header, bool quoted) {
  const bool ours = header.starts_with("detrack/");
  if (quoted != ours) return quoted ? "quotes are for detrack/... only" : "detrack's own headers stand in quotes";
  const std::string folder = folder_of(file);
  const bool outermost = folder == file;  // detrack.hpp, cuda.hpp
  if (!ours) {
    const bool allowed = is_standard(header) || may_include(folder, header) || may_include(file, header);
    return allowed ? "" : "not a standard header, and not one this folder may use";
  }
  const std::string target = header.substr(std::string("detrack/").size());
  const std::string target_folder = folder_of(target);
  if (target_folder == target) return "nothing includes the outermost headers";
  if (!kFloors.contains(target_folder)) return "an unknown folder";
  if (outermost || folder == target_folder) return "";
  if (!kFloors.contains(folder)) return "from an unknown folder";
  if (kFloors.at(target_folder) >= kFloors.at(folder)) return "not a lower floor";
  const bool any_backend = folder == "nn" || folder == "model";
  if (any_backend && kFloors.at(target_folder) == 2) return "nn and model know no backend";
  return "";
}

/// The same for a file of cuda/.
std::string cuda_breach(const std::string&, const std::string& header, bool quoted) {
  const bool ours = header.starts_with("cuda/") || header.starts_with("detrack/");
  if (quoted != ours) return quoted ? "quotes are for cuda/... and detrack/... only" : "our own headers stand in quotes";
  if (ours) return starts_with_any(header, kCudaMayInclude) ? "" : "cuda/ includes itself, core and ops only";
  return is_standard(header) || starts_with_any(header, kCudaHeaders) ? "" : "not a standard header, and not one of CUDA's";
}

struct Report {
  std::vector<std::string> breaches;
  std::map<std::string, std::set<std::string>> includes;            ///< header to the detrack headers it includes
  std::map<std::string, std::set<std::string>> standard;            ///< header to the standard headers it includes
  std::map<std::string, std::map<std::string, std::string>> names;  ///< header to the standard headers its names want
};

bool any_in(const std::string& text, const std::vector<std::string>& words) {
  return std::any_of(words.begin(), words.end(), [&](const auto& word) { return text.find(word) != std::string::npos; });
}

/// `#  include <x> // y` as {"<x>"}, any other line as {}.
std::string included(const std::string& line) {
  const auto skip = [&](std::size_t at) { return std::min(line.find_first_not_of(" \t", at), line.size()); };
  const std::size_t hash = skip(0);
  if (hash == line.size() || line[hash] != '#') return {};
  const std::size_t word = skip(hash + 1);
  if (line.compare(word, 7, "include") != 0) return {};
  const std::size_t begin = skip(word + 7), end = line.find_first_of(">\"", begin + 1);
  return end == std::string::npos ? "" : line.substr(begin, end + 1 - begin);
}

/// Reads every file of code below `root` (include/detrack, or cuda); `breach_of` is the rule for its includes.
Report read_tree(const fs::path& root, decltype(&breach) breach_of = breach) {
  Report report;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const std::string extension = entry.path().extension().string();
    if (!entry.is_regular_file() || extension == ".sh") continue;
    const std::string file = entry.path().lexically_relative(root).generic_string(), folder = folder_of(file);
    auto& includes = report.includes[file];
    auto& standard = report.standard[file];
    auto& names = report.names[file];
    const auto complain = [&](const std::string& what) { report.breaches.push_back(file + ": " + what); };

    std::ifstream in(entry.path());
    bool once = false;
    int number = 0;
    for (std::string line; std::getline(in, line);) {
      if (++number == 1 && !line.starts_with("// ")) complain("the first line must say what the file is for");
      once = once || line == "#pragma once";
      if (const std::string name = included(line); !name.empty()) {
        const std::string header = name.substr(1, name.size() - 2);
        if (const auto what = breach_of(file, header, name[0] == '"'); !what.empty()) complain(name + ": " + what);
        if (header.starts_with("detrack/")) includes.insert(header.substr(std::string("detrack/").size()));
        if (name[0] == '<') standard.insert(header);
        continue;
      }
      const std::string code = line.substr(0, line.find("//"));
      for (const auto& [used, header] : kStandardNames)
        if (code.find(used) != std::string::npos) names.emplace(header, used);
      if (folder != "cpu" && any_in(code, kCpuWords))
        complain("line " + std::to_string(number) + ": only cpu/ uses Eigen and OpenMP");
      if ((folder == "nn" || folder == "model") && any_in(code, kCudaWords))
        complain("line " + std::to_string(number) + ": nn and model know no backend");
    }
    if (!once && extension != ".cu") complain("no #pragma once");
  }
  return report;
}

/// Headers that including `start` brings in, itself among them.
std::set<std::string> reach(const Report& report, const std::string& start) {
  std::set<std::string> seen;
  std::vector<std::string> todo{start};
  while (!todo.empty()) {
    const std::string file = todo.back();
    todo.pop_back();
    if (!seen.insert(file).second || !report.includes.contains(file)) continue;
    const auto& next = report.includes.at(file);
    todo.insert(todo.end(), next.begin(), next.end());
  }
  return seen;
}

/// Headers whose names want a standard header that neither they nor what they include bring in.
std::vector<std::string> missing_standard_headers(const Report& report) {
  std::vector<std::string> missing;
  for (const auto& [file, names] : report.names) {
    const auto reached = reach(report, file);
    for (const auto& [header, name] : names)
      if (std::none_of(reached.begin(), reached.end(), [&](const std::string& from) {
            return report.standard.contains(from) && report.standard.at(from).contains(header);
          }))
        missing.push_back(file + ": " + name + " wants <" + header + ">");
  }
  return missing;
}

/// A small tree that a test fills with files, removed at its end.
class Tree {
 public:
  Tree() { fs::create_directories(root_); }
  ~Tree() { fs::remove_all(root_); }
  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << "// Purpose.\n#pragma once\n" << text << '\n';
  }
  const fs::path& root() const { return root_; }

 private:
  fs::path root_ = fs::temp_directory_path() / ("detrack_floors_test." + std::to_string(::getpid()));
};

}  // namespace

TEST_CASE("every include of the library keeps to its floor") {
  const Report report = read_tree(fs::path(DETRACK_SOURCE_DIR) / "include/detrack");
  CHECK(report.includes.size() > 30);
  for (const auto& what : report.breaches) FAIL_CHECK(what);
}

TEST_CASE("every include of the CUDA backend keeps to its floor") {
  const Report report = read_tree(fs::path(DETRACK_SOURCE_DIR) / "cuda", cuda_breach);
  CHECK(report.includes.size() > 30);
  for (const auto& what : report.breaches) FAIL_CHECK(what);
}

TEST_CASE("the umbrella reaches every header but the opt-in ones and what only these need") {
  const Report report = read_tree(fs::path(DETRACK_SOURCE_DIR) / "include/detrack");
  const auto is_opt_in = [](const std::string& file) {
    return kOptIn.contains(file) || kOptInFolders.contains(folder_of(file));
  };
  const auto reached = reach(report, "detrack.hpp");
  std::set<std::string> reached_by_name;
  for (const auto& [file, includes] : report.includes)
    if (is_opt_in(file)) reached_by_name.merge(reach(report, file));
  for (const auto& [file, includes] : report.includes) {
    if (is_opt_in(file) && reached.contains(file)) FAIL_CHECK("detrack.hpp must not bring in " << file);
    if (!reached.contains(file) && !reached_by_name.contains(file)) FAIL_CHECK("detrack.hpp lacks " << file);
  }
}

TEST_CASE("every header of the library brings in the standard headers whose names it uses") {
  const Report report = read_tree(fs::path(DETRACK_SOURCE_DIR) / "include/detrack");
  for (const auto& what : missing_standard_headers(report)) FAIL_CHECK(what);

  const Tree tree;
  tree.write("core/a.hpp", "#include <vector>\nstd::vector<int> a;");
  tree.write("ops/b.hpp", "#include \"detrack/core/a.hpp\"\nstd::vector<int> b;\nstd::optional<int> c;");
  CHECK(missing_standard_headers(read_tree(tree.root())) ==
        std::vector<std::string>{"ops/b.hpp: std::optional< wants <optional>"});
}

TEST_CASE("a tree that keeps to its floors passes") {
  const Tree tree;
  tree.write("core/a.hpp", "#include <vector>");
  tree.write("ops/b.hpp", "#include \"detrack/core/a.hpp\"\n#include \"detrack/ops/c.hpp\"");
  tree.write("cpu/d.hpp", "#include <Eigen/Core>\n#include \"detrack/ops/b.hpp\"\n#pragma omp parallel for");
  tree.write("nn/e.hpp", "#include \"detrack/ops/b.hpp\"\n// Eigen and CUDA may be spoken of here");
  tree.write("detrack.hpp", "#include \"detrack/nn/e.hpp\"");
  const Report report = read_tree(tree.root());
  for (const auto& what : report.breaches) FAIL_CHECK(what);
  CHECK(reach(report, "detrack.hpp") ==
        std::set<std::string>{"detrack.hpp", "nn/e.hpp", "ops/b.hpp", "core/a.hpp", "ops/c.hpp"});
}

TEST_CASE("each breach is found") {
  const std::map<std::string, std::string> breaches{
      {"core/climbs.hpp", "#include \"detrack/ops/add.hpp\""},
      {"core/outside.hpp", "#include <Eigen/Core>"},
      {"core/spaced.hpp", "  #  include  <nlohmann/json.hpp>"},
      {"ops/sibling.hpp", "#include \"detrack/io/json.hpp\""},
      {"ops/openmp.hpp", "#pragma omp parallel for"},
      {"cpu/intrinsics.hpp", "#include <immintrin.h>"},
      {"io/eigen.hpp", "#include <Eigen/Core>"},
      {"image/stb_elsewhere.hpp", "#include <stb/stb_image.h>"},
      {"nn/backend.hpp", "#include \"detrack/cpu/backend.hpp\""},
      {"nn/names.hpp", "using Matrix = Eigen::MatrixXf;"},
      {"model/names.hpp", "cudaStream_t stream;"},
      {"model/json.hpp", "#include <nlohmann/json.hpp>"},
      {"track/sibling.hpp", "#include \"detrack/data/sequence.hpp\""},
      {"eval/climbs.hpp", "#include \"detrack/train/loss.hpp\""},
      {"train/umbrella.hpp", "#include \"detrack/detrack.hpp\""},
      {"train/relative.hpp", "#include \"loss.hpp\""},
      {"train/brackets.hpp", "#include <detrack/core/view.hpp>"},
      {"attic/unknown.hpp", "#include \"detrack/core/view.hpp\""},
      {"core/unknown.hpp", "#include \"detrack/attic/view.hpp\""},
  };
  for (const auto& [file, text] : breaches) {
    const Tree tree;
    tree.write(file, text);
    const auto found = read_tree(tree.root()).breaches;
    REQUIRE_MESSAGE(found.size() == 1, file);
    CHECK(found[0].starts_with(file + ": "));
  }
}

TEST_CASE("a CUDA backend that keeps to its floor passes") {
  const Tree tree;
  tree.write("a.cuh", "#include <cublasLt.h>\n#include <vector>\n#include \"cuda/b.cuh\"\n#include \"detrack/ops/add.hpp\"");
  tree.write("run.sh", "no code");
  for (const auto& what : read_tree(tree.root(), cuda_breach).breaches) FAIL_CHECK(what);
}

TEST_CASE("each breach of the CUDA backend is found") {
  const std::map<std::string, std::string> breaches{
      {"climbs.cuh", "#include \"detrack/nn/linear.hpp\""}, {"declares.cuh", "#include \"detrack/cuda.hpp\""},
      {"relative.cuh", "#include \"launch.cuh\""},          {"brackets.cuh", "#include <cuda/launch.cuh>"},
      {"outside.cuh", "#include <cutlass/cutlass.h>"},      {"cublas.cuh", "#include <cublas_v2.h>"},
      {"test.cuh", "#include \"tests/cuda/machine.hpp\""},  {"eigen.cuh", "Eigen::MatrixXf x;"},
  };
  for (const auto& [file, text] : breaches) {
    const Tree tree;
    tree.write(file, text);
    const auto found = read_tree(tree.root(), cuda_breach).breaches;
    REQUIRE_MESSAGE(found.size() == 1, file);
    CHECK(found[0].starts_with(file + ": "));
  }
}
