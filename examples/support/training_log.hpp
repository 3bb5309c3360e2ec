// metrics.jsonl: one JSON object a line, appended while a run goes on.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "detrack/io/atomic_file.hpp"
#include "detrack/io/json.hpp"
#include "examples/support/output_files.hpp"

namespace detrack::program {

/// The lines of a file that are objects with a "step" of at most `last`; a last line that was cut off is left out.
inline std::vector<nlohmann::json> read_metrics(const std::filesystem::path& path, std::int64_t last) {
  std::vector<nlohmann::json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    auto json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_object() && json.contains("step") && json["step"].is_number_integer() &&
        json["step"].get<std::int64_t>() <= last)
      lines.push_back(std::move(json));
  }
  return lines;
}

class TrainingLog {
 public:
  TrainingLog() = default;
  /// Goes on after `step`: what an interrupted run wrote beyond its checkpoint is dropped, it comes again. Errors: io.
  TrainingLog(const std::filesystem::path& path, std::int64_t step) : lines_(read_metrics(path, step)) {
    std::string kept;
    for (const auto& line : lines_) kept += line.dump() + "\n";
    write_atomically(path, kept);
    file_ = LineFile(path, true);
  }

  void write(nlohmann::json line) {
    file_.write(line.dump() + "\n");
    lines_.push_back(std::move(line));
  }
  const std::vector<nlohmann::json>& lines() const { return lines_; }
  /// Whether a line of that step has the field.
  bool has(std::int64_t step, const char* field) const {
    return std::any_of(lines_.begin(), lines_.end(),
                       [&](const auto& line) { return line["step"] == step && line.contains(field); });
  }

 private:
  std::vector<nlohmann::json> lines_;
  LineFile file_;
};

}  // namespace detrack::program
