// Overlap over time as inline SVG: sequences of any length in a bounded number of points.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "detrack/eval/fixed.hpp"
#include "detrack/eval/line_style.hpp"

namespace detrack::detail {

/// Frames that share a place in a plot.
struct TimeBucket {
  std::size_t begin = 0, end = 0;                                                       ///< frames
  double least = std::numeric_limits<double>::infinity(), greatest = -least, mean = 0;  ///< of the values there are
  std::size_t values = 0, missing = 0;  ///< how many are there, and how many are not (NaN)
};

inline std::size_t bucket_size(std::size_t frames, std::size_t buckets) {
  return std::max<std::size_t>((frames + buckets - 1) / buckets, 1);
}

/// `values` in at most `buckets` buckets of one size (the last may be smaller). No extreme is lost.
inline std::vector<TimeBucket> decimate(std::span<const double> values, std::size_t buckets) {
  const std::size_t size = bucket_size(values.size(), buckets);
  std::vector<TimeBucket> all;
  for (std::size_t begin = 0; begin < values.size(); begin += size) {
    TimeBucket& bucket = all.emplace_back();
    bucket.begin = begin, bucket.end = std::min(begin + size, values.size());
    for (const double value : values.subspan(begin, bucket.end - begin)) {
      if (!std::isfinite(value)) {
        ++bucket.missing;
        continue;
      }
      bucket.least = std::min(bucket.least, value), bucket.greatest = std::max(bucket.greatest, value);
      bucket.mean += (value - bucket.mean) / static_cast<double>(++bucket.values);
    }
  }
  return all;
}

/// Frames [begin, end).
struct FrameRange {
  std::size_t begin = 0, end = 0;
};

/// Where values are missing (NaN); ranges less than a bucket apart are one.
inline std::vector<FrameRange> missing_ranges(std::span<const double> values, std::size_t buckets) {
  const std::size_t size = bucket_size(values.size(), buckets);
  std::vector<FrameRange> ranges;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    if (ranges.empty() || i >= ranges.back().end + size)
      ranges.push_back({i, i + 1});
    else
      ranges.back().end = i + 1;
  }
  return ranges;
}

inline constexpr std::size_t kTimeBuckets = 400;  ///< of a plot; more would not show on a screen

/// A line over frames.
struct TimeLine {
  std::span<const double> overlaps;  ///< NaN: not scored
  std::size_t number = 0;            ///< for its looks
};

/// The plot's area without axes, to be stretched to any width: a unit wide for each frame, 100 high. The first line is
/// drawn on top; where it is not scored the area is shaded. Where several frames share a place the line is their mean, and
/// the first has a band from the least to the greatest. `marks` are frames to be marked at the foot. `label` is HTML.
inline std::string time_svg(const std::string& label, std::size_t frames, std::span<const TimeLine> lines,
                            std::span<const std::size_t> marks) {
  const std::string width = std::to_string(std::max<std::size_t>(frames, 1));
  const auto height = [](double overlap) { return fixed(100 * (1 - std::clamp(overlap, 0.0, 1.0)), 1); };
  std::string svg = "<svg class=\"time\" viewBox=\"0 0 " + width +
                    " 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"" + label + "\">\n";
  std::string shade, band, ticks;
  if (!lines.empty()) {
    for (const FrameRange& range : missing_ranges(lines[0].overlaps, kTimeBuckets))
      shade += "M" + std::to_string(range.begin) + " 0H" + std::to_string(range.end) + "V100H" +
               std::to_string(range.begin) + "Z";
    for (const TimeBucket& bucket : decimate(lines[0].overlaps, kTimeBuckets))
      if (bucket.values > 1)
        band += "M" + std::to_string(bucket.begin) + " " + height(bucket.greatest) + "H" + std::to_string(bucket.end) + "V" +
                height(bucket.least) + "H" + std::to_string(bucket.begin) + "Z";
  }
  if (!shade.empty()) svg += "<path class=\"missing\" d=\"" + shade + "\"/>\n";
  svg += "<path class=\"grid\" d=\"M0 0H" + width + "M0 100H" + width + "\"/><path class=\"half\" d=\"M0 50H" + width +
         "\"/>\n";
  if (!band.empty())
    svg += "<path class=\"band c" + std::to_string(lines[0].number % kColours) + "\" d=\"" + band + "\"/>\n";
  for (std::size_t k = lines.size(); k-- > 0;) {
    std::string path;
    bool pen_down = false;
    for (const TimeBucket& bucket : decimate(lines[k].overlaps, kTimeBuckets)) {
      if (bucket.values > 0) {
        path += (pen_down ? "L" : "M") + fixed(static_cast<double>(bucket.begin + bucket.end) / 2, 1) + " " +
                height(bucket.mean);
        if (!pen_down) path += "h0";  // a value between two gaps is a dot
      }
      pen_down = bucket.values > 0 && bucket.missing == 0;
    }
    svg += line_svg(lines[k].number, path);
  }
  for (const std::size_t mark : marks) ticks += "M" + std::to_string(mark) + ".5 100v-7";
  if (!ticks.empty()) svg += "<path class=\"mark\" d=\"" + ticks + "\"/>\n";
  return svg + "</svg>\n";
}

}  // namespace detrack::detail
