// Result files as got-10k/toolkit and pytracking name and write them.
#pragma once

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/data/annotation.hpp"
#include "detrack/data/layouts/folder.hpp"
#include "detrack/data/sequence.hpp"
#include "detrack/eval/confidence_file.hpp"
#include "detrack/eval/convention.hpp"
#include "detrack/eval/evaluation.hpp"
#include "detrack/eval/fixed.hpp"
#include "detrack/io/atomic_file.hpp"
#include "detrack/io/make_folder.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack {

/// How the result files of one tracker lie in its folder. Scores, which are no part of either program's layout, lie where
/// the times do: <sequence>_scores.txt, in scores/ for toolkit, by format_confidences().
enum class ResultLayout {
  toolkit,    ///< <sequence>.txt, `%.3f` and commas; times/<sequence>_time.txt, `%.8f`
  got10k,     ///< <sequence>/<sequence>_001.txt and <sequence>/<sequence>_time.txt, written the same
  pytracking  ///< <sequence>.txt, whole pixels (truncated) and tabs; <sequence>_time.txt, `%f`
};

struct ResultPaths {
  std::filesystem::path boxes, times, confidences;
};

inline ResultPaths result_paths(const std::filesystem::path& folder, ResultLayout layout, const std::string& sequence) {
  const std::string boxes = sequence + ".txt", times = sequence + "_time.txt", confidences = sequence + "_scores.txt";
  switch (layout) {
    case ResultLayout::got10k:
      return {folder / sequence / (sequence + "_001.txt"), folder / sequence / times, folder / sequence / confidences};
    case ResultLayout::pytracking: return {folder / boxes, folder / times, folder / confidences};
    case ResultLayout::toolkit: break;
  }
  return {folder / boxes, folder / "times" / times, folder / "scores" / confidences};
}

/// Where got-10k/toolkit looks for a tracker's results below its result_dir.
inline std::filesystem::path toolkit_folder(const std::filesystem::path& root, Protocol protocol,
                                            const std::string& tracker) {
  switch (protocol) {
    case Protocol::otb: return root / "OTB2015" / tracker;
    case Protocol::got10k: return root / "GOT-10k" / tracker;
    case Protocol::lasot:
    case Protocol::trackingnet: break;
  }
  return root / tracker;
}

// --- writing

/// The text of a box file. Errors: argument (pytracking: a box that is not finite).
inline std::string format_boxes(std::span<const Box> boxes, ResultLayout layout) {
  const bool whole = layout == ResultLayout::pytracking;
  std::string text;
  for (const Box& box : boxes) {
    if (whole && !box.finite())
      fail(ErrorCode::argument, "format_boxes: expected finite boxes for pytracking's whole pixels");
    for (const double value : {box.x, box.y, box.w, box.h}) {
      detail::append_fixed(text, whole ? std::trunc(value) + 0.0 : value, whole ? 0 : 3);  // + 0.0: no "-0"
      text += whole ? '\t' : ',';
    }
    text.back() = '\n';
  }
  return text;
}

/// The text of a file of times, one a line.
inline std::string format_times(std::span<const double> seconds, ResultLayout layout) {
  std::string text;
  for (const double value : seconds) {
    detail::append_fixed(text, value, layout == ResultLayout::pytracking ? 6 : 8);
    text += '\n';
  }
  return text;
}

namespace detail {

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  make_folder(path.parent_path());
  write_atomically(path, text);
}

}  // namespace detail

/// Writes a run into the tracker's folder, each file all or nothing, times and confidences (if there are any) before boxes:
/// where there are boxes the run is complete. Errors: io; argument (as format_boxes()).
inline void write_result(const std::filesystem::path& folder, ResultLayout layout, const std::string& sequence,
                         std::span<const Box> boxes, std::span<const double> seconds,
                         std::span<const FrameConfidence> confidences = {}) {
  const ResultPaths paths = result_paths(folder, layout, sequence);
  const std::string text = format_boxes(boxes, layout);
  if (!seconds.empty()) detail::write_text(paths.times, format_times(seconds, layout));
  if (!confidences.empty()) detail::write_text(paths.confidences, format_confidences(confidences));
  detail::write_text(paths.boxes, text);
}

/// Whether write_result() left a run there with a box for each of `frames` frames: a stopped evaluation goes on from there.
/// No where it is not there, of another length or damaged.
inline bool result_complete(const std::filesystem::path& folder, ResultLayout layout, const std::string& sequence,
                            std::size_t frames) {
  const auto path = result_paths(folder, layout, sequence).boxes;
  if (!detail::is_file(path)) return false;
  try {
    return read_boxes(path).size() == frames;
  } catch (const Error&) {
    return false;
  }
}

// --- reading

namespace detail {

struct FoundResult {
  std::vector<std::filesystem::path> runs;
  std::filesystem::path times, confidences;  ///< may not exist
};

/// The result files of a sequence in one folder, in whichever layout they are.
inline FoundResult find_result(const std::filesystem::path& folder, const Sequence& sequence) {
  std::vector<std::string> names{sequence.name};
  names.insert(names.end(), sequence.other_names.begin(), sequence.other_names.end());
  for (const std::string& name : names) {
    if (is_file(folder / (name + ".txt"))) {
      const ResultPaths beside = result_paths(folder, ResultLayout::pytracking, name);
      const ResultPaths below = result_paths(folder, ResultLayout::toolkit, name);
      return {{beside.boxes},
              is_file(beside.times) ? beside.times : below.times,
              is_file(beside.confidences) ? beside.confidences : below.confidences};
    }
    if (!is_folder(folder / name)) continue;
    const ResultPaths paths = result_paths(folder, ResultLayout::got10k, name);
    FoundResult found{{}, paths.times, paths.confidences};
    for (const std::string& file : names_in(folder / name, [&](const auto& entry) {
           const std::string file = entry.path().filename().string();
           return file.starts_with(name + "_") && file.ends_with(".txt") && file.size() > name.size() + 5 &&
                  std::isdigit(static_cast<unsigned char>(file[name.size() + 1])) != 0 && is_file(entry.path());
         }))
      found.runs.push_back(folder / name / file);
    if (!found.runs.empty()) return found;
  }
  return {};
}

/// Column r of a file of times for run r; a file of one line is one run.
inline std::vector<std::vector<double>> read_times(const std::filesystem::path& path, std::size_t runs) {
  const auto table = read_table(path);
  if (table.size() == 1) return table;
  std::vector<std::vector<double>> times(runs);
  for (const auto& row : table)
    for (std::size_t r = 0; r < std::min(runs, row.size()); ++r) times[r].push_back(row[r]);
  return times;
}

}  // namespace detail

/// The results of one sequence in a tracker's folder: <sequence>.txt, or <sequence>/<sequence>_001.txt and further
/// repetitions; numbers separated by commas, tabs or blanks; times and scores where they are. No file is no error: the
/// result has no runs. A file of times that cannot be read is a warning, as is one of scores, or one that has not a line for
/// each box of the first run. Errors: io; format (naming file and line).
inline SequenceResult read_result(const std::filesystem::path& folder, const Sequence& sequence) {
  SequenceResult result;
  result.name = sequence.name;
  const auto found = detail::find_result(folder, sequence);
  for (const auto& path : found.runs) {
    result.runs.push_back(read_boxes(path));
    if (result.runs.back().empty()) fail(ErrorCode::format, path.string(), ": expected at least one box, got none");
  }
  if (found.runs.empty()) return result;
  const auto read_if_there = [&](const std::filesystem::path& path, const char* what, const auto& read) {
    if (!detail::is_file(path)) return;
    try {
      read();
    } catch (const Error& error) {
      result.warnings.push_back(std::string(error.what()) + "; " + what + " are left out");
    }
  };
  read_if_there(found.times, "times", [&] { result.seconds = detail::read_times(found.times, result.runs.size()); });
  read_if_there(found.confidences, "scores",
                [&] { result.confidences = read_confidences(found.confidences, result.runs[0].size()); });
  return result;
}

/// The folder in which results of these sequences lie: `root`, or the one folder among those up to three levels below it
/// (OTB2015/<tracker>, GOT-10k/<tracker>, <tracker>/<parameters>, trackingnet). The level closest to `root` decides.
/// Errors: io (no such folder); format (no results; several folders have some, naming them).
inline std::filesystem::path locate_results(const std::filesystem::path& root, std::span<const Sequence> sequences) {
  if (!detail::is_folder(root)) fail(ErrorCode::io, root.string(), ": expected a folder of results, got none");
  const auto has_results = [&](const std::filesystem::path& folder) {
    return std::any_of(sequences.begin(), sequences.end(),
                       [&](const Sequence& sequence) { return !detail::find_result(folder, sequence).runs.empty(); });
  };
  std::vector<std::filesystem::path> level{root};
  for (int depth = 0; depth <= 3 && !level.empty(); ++depth) {
    std::vector<std::filesystem::path> having, next;
    for (const auto& folder : level) {
      if (has_results(folder)) having.push_back(folder);
      for (const std::string& name : detail::folders_in(folder)) next.push_back(folder / name);
    }
    if (having.size() == 1) return having[0];
    if (having.size() > 1)
      fail(ErrorCode::format, root.string(), ": expected the results of one tracker, got those of ", having.size(), ": ",
           having[0].string(), ", ", having[1].string(),
           having.size() > 2 ? ", ...; name one of them" : "; name one of them");
    level = std::move(next);
  }
  fail(ErrorCode::format, root.string(), ": expected result files such as ",
       sequences.empty() ? "<sequence>" : detail::escaped(sequences[0].name),
       ".txt, there or up to three folders below; got none");
}

/// The results of all sequences, in their order. Errors: as locate_results() and read_result().
inline std::vector<SequenceResult> read_results(const std::filesystem::path& root, std::span<const Sequence> sequences) {
  const auto folder = locate_results(root, sequences);
  std::vector<SequenceResult> results;
  for (const Sequence& sequence : sequences) results.push_back(read_result(folder, sequence));
  return results;
}

}  // namespace detrack
