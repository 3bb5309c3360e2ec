// Boxes as words: the vocabulary of coordinates, and the operation that looks words up for boxes.
#pragma once

#include <cmath>

#include "detrack/core/host_device.hpp"
#include "detrack/ops/op.hpp"

namespace detrack {

/// The words that stand for coordinates: word k covers [min + k / per_unit, min + (k + 1) / per_unit) in crop units.
struct Vocabulary {
  std::int64_t size = 0;
  double per_unit = 1;  ///< words per crop side
  double min = 0;       ///< lower end of word 0, crop units

  /// Position of a coordinate in words: word k is [k, k + 1).
  DETRACK_HOST_DEVICE double position(double coordinate) const { return (coordinate - min) * per_unit; }
  /// Word of a position: floor, clamped to the vocabulary; NaN gives word 0.
  DETRACK_HOST_DEVICE std::int64_t word_at(double position) const {
    const double k = std::floor(position);
    if (!(k > 0)) return 0;
    return k < static_cast<double>(size) ? static_cast<std::int64_t>(k) : size - 1;
  }
  DETRACK_HOST_DEVICE std::int64_t word(double coordinate) const { return word_at(position(coordinate)); }
  /// Coordinate at the middle of word k, crop units.
  DETRACK_HOST_DEVICE double centre(double k) const { return (k + 0.5) / per_unit + min; }
};

/// Math:   words[4 r + i] = word(box[r, i]), in double whatever T is (floor is not continuous).
/// Shapes: box (R, 4) as x1, y1, x2, y2 in crop units; words (4 R).
template <class T>
struct BoxToWords {
  static constexpr const char* kName = "box_to_words";
  View<const double> box{};
  Vocabulary vocabulary;
  View<std::int32_t> words{};

  template <class F>
  void views(F&& f) const {
    f("box", box), f("words", words);
  }
  void check() const {
    ops::expect_rank(kName, "box", box.shape(), 2);
    ops::expect_view(kName, "box", box, {box.extent(0), 4});
    ops::expect_view(kName, "words", words, {4 * box.extent(0)});
    ops::expect(vocabulary.size >= 1, kName, "vocabulary", "at least one word", static_cast<double>(vocabulary.size));
  }
  double flops() const { return 2.0 * static_cast<double>(box.numel()); }
};

}  // namespace detrack
