// Pictures for a report: frames from the whole of a sequence, with the true box and the tracker's.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "detrack/data/dataset.hpp"
#include "detrack/eval/evaluation.hpp"
#include "detrack/eval/report.hpp"
#include "detrack/image/draw.hpp"
#include "detrack/image/resize.hpp"
#include "detrack/image/stb.hpp"
#include "examples/support/progress.hpp"

namespace detrack::program {

/// Strips of the `count` sequences with the lowest AUC, in the dataset's order: six frames each, evenly spread from the
/// second to the last. The truth is white, the result orange. Pictures that cannot be read are left out.
inline std::vector<FilmStrip> film_strips(const Dataset& dataset, const std::vector<SequenceResult>& results,
                                          const Evaluation& evaluation, std::size_t count, bool quiet) {
  constexpr std::size_t kTiles = 6;
  std::vector<std::size_t> order(evaluation.sequences.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return evaluation.sequences[a].auc < evaluation.sequences[b].auc; });
  order.resize(std::min(count, order.size()));
  std::sort(order.begin(), order.end());

  std::vector<FilmStrip> strips;
  Progress progress(quiet);
  for (const std::size_t at : order) {
    const SequenceScores& scores = evaluation.sequences[at];
    const Sequence* sequence = dataset.find(scores.name);
    const auto result = std::find_if(results.begin(), results.end(), [&](const auto& r) { return r.name == scores.name; });
    if (!sequence || sequence->frames.empty() || result == results.end() || result->runs.empty()) continue;
    const std::vector<Box>& boxes = result->runs[0];
    const std::size_t last = sequence->frames.size() - 1, first = std::min<std::size_t>(1, last);
    FilmStrip strip{.sequence = scores.name, .tiles = {}};
    std::size_t before = SIZE_MAX;
    for (std::size_t i = 0; i < kTiles; ++i) {
      const std::size_t frame = first + i * (last - first) / (kTiles - 1);
      if (frame == before) continue;
      before = frame;
      try {
        const Image image = load_image(sequence->frames[frame]);
        const ImageSize size = fit({image.width(), image.height()}, {320, 320});
        Image tile = resize(image, size.width, size.height);
        const double scale = static_cast<double>(size.width) / static_cast<double>(image.width());
        const auto draw = [&](const Box& box, Colour colour) {
          draw_rectangle(tile, {box.x * scale, box.y * scale, box.w * scale, box.h * scale}, colour, 2);
        };
        draw(sequence->truth_at(frame), {255, 255, 255});
        if (frame < boxes.size()) draw(boxes[frame], {255, 140, 0});
        const auto jpeg = encode_jpeg(tile, 75);
        strip.tiles.push_back({std::string(reinterpret_cast<const char*>(jpeg.data()), jpeg.size()),
                               static_cast<std::int64_t>(frame),
                               frame < scores.overlaps.size() ? scores.overlaps[frame] : std::nan("")});
      } catch (const Error&) {
        continue;  // the scores do not depend on it, and the report shows that a tile is missing
      }
    }
    strips.push_back(std::move(strip));
    if (progress.due())
      progress.show("pictures for the report: " + std::to_string(strips.size()) + "/" + std::to_string(order.size()));
  }
  return strips;
}

}  // namespace detrack::program
