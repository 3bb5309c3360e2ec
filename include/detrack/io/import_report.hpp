// What became of every tensor of a file and of every parameter of a model when one was imported into the other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/io/quoted.hpp"

namespace detrack {

struct ImportReport {
  enum class Outcome {
    loaded,        ///< the file's values
    interpolated,  ///< the file's values on another grid
    initialised,   ///< the file has nothing for this parameter: it is as it was before
    unused         ///< a tensor of the file that the model has no place for
  };
  struct Entry {
    Outcome outcome = Outcome::loaded;
    std::string parameter;                    ///< of the model; empty where unused
    std::vector<std::string> tensors;         ///< of the file; three where queries, keys and values are stored apart
    std::int64_t from_grid = 0, to_grid = 0;  ///< sides, where interpolated
  };

  std::string file;
  std::vector<Entry> entries;  ///< the model's parameters in its order, then the file's unused tensors by name

  std::size_t count(Outcome outcome) const {
    return static_cast<std::size_t>(
        std::count_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.outcome == outcome; }));
  }
  /// Of a parameter, or nullptr.
  const Entry* find(std::string_view parameter) const {
    const auto at = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
      return entry.outcome != Outcome::unused && entry.parameter == parameter;
    });
    return at == entries.end() ? nullptr : &*at;
  }
  /// Several lines for people. Names that differ in numbers only share a line.
  std::string summary() const;
};

constexpr std::string_view to_string(ImportReport::Outcome outcome) {
  switch (outcome) {
    case ImportReport::Outcome::loaded: return "loaded";
    case ImportReport::Outcome::interpolated: return "interpolated";
    case ImportReport::Outcome::initialised: return "initialised";
    case ImportReport::Outcome::unused: return "unused";
  }
  return "unknown";
}

namespace detail {

/// "blocks.11.norm1.bias" as "blocks.*.norm1.bias".
inline std::string without_numbers(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const std::size_t end = std::min(name.find('.'), name.size());
    const std::string_view word = name.substr(0, end);
    const bool number = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
    out += number ? "*" : word;
    name.remove_prefix(end);
    if (!name.empty()) {
      out += '.';
      name.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace detail

inline std::string ImportReport::summary() const {
  constexpr std::size_t kShown = 64;  // lines of a kind: a file may hold anything
  std::string text = detail::escaped(file, 400) + ":\n";
  for (const Outcome outcome : {Outcome::loaded, Outcome::interpolated, Outcome::initialised, Outcome::unused}) {
    std::vector<std::pair<std::string, std::size_t>> lines;
    std::map<std::string, std::size_t> place;  // of a line
    for (const Entry& entry : entries) {
      if (entry.outcome != outcome) continue;
      std::string line = detail::escaped(
          detail::without_numbers(outcome == Outcome::unused ? entry.tensors.front() : entry.parameter), 200);
      if (outcome == Outcome::interpolated) {
        const auto grid = [](std::int64_t side) { return std::to_string(side) + "x" + std::to_string(side); };
        line += " from " + detail::escaped(entry.tensors.front(), 200) + ", " + grid(entry.from_grid) + " to " +
                grid(entry.to_grid);
      }
      const auto [at, first] = place.emplace(line, lines.size());
      if (first) lines.emplace_back(std::move(line), 0);
      ++lines[at->second].second;
    }
    text += "  " + std::string(to_string(outcome)) + ": " + std::to_string(count(outcome)) +
            (outcome == Outcome::initialised ? " (not in the file)" : "") +
            (outcome == Outcome::unused ? " (of the file)" : "") + "\n";
    for (std::size_t i = 0; i < std::min(lines.size(), kShown); ++i)
      text +=
          "    " + lines[i].first + (lines[i].second > 1 ? ", " + std::to_string(lines[i].second) + " times" : "") + "\n";
    if (lines.size() > kShown) text += "    and " + std::to_string(lines.size() - kShown) + " more\n";
  }
  return text;
}

}  // namespace detrack
