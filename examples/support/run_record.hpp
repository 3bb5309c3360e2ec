// Says which run a folder of results belongs to, so that no resumed run mixes the results of two.
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "detrack/core/error.hpp"
#include "detrack/io/atomic_file.hpp"
#include "detrack/io/json.hpp"
#include "examples/support/read_text.hpp"

namespace detrack::program {

class RunRecord {
 public:
  void set(const std::string& key, std::string_view value) { json_[key] = value; }

  /// Writes run.json into `folder`, or finds one that says the same. Errors: argument (it says something else), io.
  void claim(const std::filesystem::path& folder) const {
    const auto path = folder / "run.json";
    std::filesystem::create_directories(folder);
    if (auto text = read_text(path)) {
      const auto there = nlohmann::ordered_json::parse(std::move(*text), nullptr, false);
      if (there == json_) return;
      fail(ErrorCode::argument, path.string(), ": expected a run with the same weights and options, got the results of ",
           "another one; choose another folder, or remove this one");
    }
    const std::string text = json_.dump(2) + "\n";
    AtomicFile file(path);
    file.write(std::as_bytes(std::span(text)));
    file.commit();
  }

 private:
  nlohmann::ordered_json json_;
};

}  // namespace detrack::program
