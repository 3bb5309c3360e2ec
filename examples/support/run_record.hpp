// Says which run a folder of results belongs to, so that no resumed run mixes the results of two.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "detrack/core/error.hpp"
#include "detrack/data/sequence.hpp"
#include "detrack/io/atomic_file.hpp"
#include "detrack/io/crc32.hpp"
#include "detrack/io/json.hpp"
#include "detrack/io/quoted.hpp"
#include "examples/support/read_text.hpp"

namespace detrack::program {

/// Tells datasets apart: their sequences' names and lengths, and what a tracker starts from, the first box and the size of
/// the first picture's file. Where the dataset lies makes no difference.
inline std::string fingerprint(std::span<const Sequence> sequences) {
  std::string text;
  std::size_t frames = 0;
  for (const Sequence& sequence : sequences) {
    const Box first = sequence.truth_at(0);
    std::error_code ignored;  // a picture that is not there is an error of its own, later
    const std::uintmax_t bytes = sequence.frames.empty() ? 0 : std::filesystem::file_size(sequence.frames[0], ignored);
    text += sequence.name + '\n';
    for (const double value : {first.x, first.y, first.w, first.h}) text += std::to_string(value) + ' ';
    text += std::to_string(sequence.frames.size()) + ' ' + std::to_string(bytes) + '\n';
    frames += sequence.frames.size();
  }
  char line[80];
  std::snprintf(line, sizeof line, "%zu sequences, %zu frames, %08x", sequences.size(), frames,
                static_cast<unsigned>(detrack::detail::crc32(std::as_bytes(std::span(text)))));
  return line;
}

class RunRecord {
 public:
  void set(const std::string& key, std::string_view value) { json_[key] = value; }

  /// Writes run.json into `folder`, which is there, or finds one that says the same. Errors: argument (it says something
  /// else, or nothing that can be read), io.
  void claim(const std::filesystem::path& folder) const {
    const auto path = folder / "run.json";
    const std::string text = json_.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";  // file names may be no UTF-8
    const auto there = read_text(path);
    if (!there) return write_atomically(path, text);
    const std::string differences = compare(parse(*there), parse(text));
    if (!differences.empty())
      fail(ErrorCode::argument, path.string(), ": ", differences, "; choose another folder, or remove this one");
  }

 private:
  using Json = nlohmann::ordered_json;

  static Json parse(std::string text) { return Json::parse(std::move(text), nullptr, false); }

  /// "weights: expected ..., got ...; ..." for what `there`, a folder's record, has otherwise than `here`.
  static std::string compare(const Json& there, const Json& here) {
    if (!there.is_object()) return "expected the record of a run, got a damaged file";
    std::string text;
    const auto value = [](const Json& record, const std::string& key) {
      return record.contains(key) ? record.at(key).dump(-1, ' ', true).substr(0, 400) : "none";
    };
    const auto note = [&](const std::string& key) {
      text += (text.empty() ? "" : "; ") + detrack::detail::escaped(key) + ": expected " + value(here, key) +
              " as in this run, got " + value(there, key);
    };
    for (const auto& [key, mine] : here.items())
      if (!there.contains(key) || there.at(key) != mine) note(key);
    for (const auto& [key, other] : there.items())
      if (!here.contains(key)) note(key);
    return text;
  }

  Json json_;
};

}  // namespace detrack::program
