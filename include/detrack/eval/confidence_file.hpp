// A tracker's scores and states as a text file, a line for each frame.
#pragma once

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/data/annotation.hpp"
#include "detrack/eval/fixed.hpp"
#include "detrack/eval/reliability.hpp"
#include "detrack/io/mapped_file.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack {

/// `score,iou,state` a line: scores with six decimals, the state by its name.
inline std::string format_confidences(std::span<const FrameConfidence> confidences) {
  std::string text;
  for (const FrameConfidence& confidence : confidences) {
    for (const double value : {confidence.score, confidence.iou}) {
      detail::append_fixed(text, value, 6);
      text += ',';
    }
    text += to_string(confidence.state);
    text += '\n';
  }
  return text;
}

namespace detail {

inline FrameConfidence parse_confidence(std::string_view line, const std::string& label, std::size_t number) {
  FrameConfidence confidence;
  std::string_view rest = line;
  const auto take_score = [&](double& value) {
    if (!take_number(rest, value) || !rest.starts_with(',')) return false;
    rest.remove_prefix(1);
    return std::isnan(value) || (value >= 0 && value <= 1);
  };
  if (take_score(confidence.score) && take_score(confidence.iou))
    for (const TargetState state : kTargetStates)
      if (rest == to_string(state)) {
        confidence.state = state;
        return confidence;
      }
  fail(ErrorCode::format, label, ": line ", number,
       ": expected two scores in [0, 1] (or nan) and tracking, uncertain or lost, between commas, got ", in_quotes(line));
}

}  // namespace detail

/// What format_confidences() writes. `label` stands in messages where a path would. Errors: format, naming the line.
inline std::vector<FrameConfidence> parse_confidences(std::string_view text, const std::string& label = "memory") {
  std::vector<FrameConfidence> confidences;
  detail::for_each_line(text, label, [&](std::size_t number, std::string_view line) {
    confidences.push_back(detail::parse_confidence(line, label, number));
  });
  return confidences;
}

/// The same from a file, which must have a line for each of `frames` frames. Errors: io; format.
inline std::vector<FrameConfidence> read_confidences(const std::filesystem::path& path, std::size_t frames) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  auto confidences = parse_confidences({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.string());
  if (confidences.size() != frames)
    fail(ErrorCode::format, path.string(), ": expected ", frames, " lines, one for each box, got ", confidences.size());
  return confidences;
}

}  // namespace detrack
