// Crops of frames: each row of the frame is fetched once, mixed with the next one, and then along the row.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "detrack/cpu/rows.hpp"
#include "detrack/ops/crop.hpp"

namespace detrack::cpu {
inline namespace DETRACK_CPU_ISA {

/// A pixel's channels and a lane that nobody reads: whatever is done is done to all channels at once.
template <class T>
struct CropPixelOf {
  using type __attribute__((vector_size(4 * sizeof(T)))) = T;
};
template <class T>
using CropPixel = typename CropPixelOf<T>::type;
using CropInts = CropPixel<std::int32_t>;

/// The two neighbours in a line of pixels that a bilinear sample mixes: `first`, which is in the frame, and the next one,
/// which weighs nothing where it is not.
struct CropTaps {
  std::int64_t first = 0;
  std::array<double, 2> weights{};

  CropTaps(double source, std::int64_t extent) {
    if (!(source > -1 && source < static_cast<double>(extent))) return;
    const auto before = static_cast<std::int64_t>(std::floor(source));
    first = std::clamp<std::int64_t>(before, 0, std::max<std::int64_t>(extent - 2, 0));
    const auto tent = [&](std::int64_t pixel) { return std::max(1 - std::abs(source - static_cast<double>(pixel)), 0.0); };
    weights[0] = tent(first);
    if (first + 1 < extent) weights[1] = tent(first + 1);
  }
  bool in_frame() const { return weights[0] > 0 || weights[1] > 0; }
};

/// What all rows of a crop have in common. Memory grows when a size is first met and is kept.
template <class T>
class CropColumns {
 public:
  std::int64_t begin = 0, end = 0;  ///< columns of the crop that see the frame
  std::int64_t count = 0;           ///< columns of the frame that they read: at most twice as many

  void prepare(const CropNormalise<T>& op) {
    const std::int64_t S = op.y.extent(1), width = op.frame.width;
    size_ = S;
    indices_.reserve(3 * S);
    weights_.reserve(2 * S);
    begin = end = count = 0;
    for (std::int64_t j = 0; j < S; ++j) {
      const CropTaps taps(op.source(op.left, j), width);
      if (!taps.in_frame()) continue;
      if (end == 0) begin = j;
      end = j + 1;
      place()[j] = taps.first;
      for (std::size_t tap : {0, 1}) weights(tap)[j] = static_cast<T>(taps.weights[tap]);
    }
    if (end == 0) return;
    // All columns of the range or, where those are more, two for each column of the crop.
    const std::int64_t from = place()[begin], range = place()[end - 1] + 2 - from, taps = 2 * (end - begin);
    count = std::min(range, taps);
    for (std::int64_t k = 0; k < count; ++k)
      columns()[k] = std::min(range <= taps ? from + k : place()[begin + k / 2] + k % 2, width - 1);
    for (std::int64_t j = begin; j < end; ++j) place()[j] = range <= taps ? place()[j] - from : 2 * (j - begin);
  }

  std::int64_t* columns() const { return indices_.data() + size_; }  ///< the frame's, rising
  std::int64_t* place() const { return indices_.data(); }            ///< of a crop column's first tap in columns()
  T* weights(std::size_t tap) const { return weights_.data() + static_cast<std::int64_t>(tap) * size_; }

 private:
  Scratch<std::int64_t> indices_;
  Scratch<T> weights_;
  std::int64_t size_ = 0;
};

/// Reads columns of a frame's rows as pixels of T.
template <class T>
class CropReader {
 public:
  explicit CropReader(const Pixels& frame) : frame_(frame) {
    const auto address = [&](std::size_t c) { return reinterpret_cast<std::uintptr_t>(frame.planes[c].samples.data()); };
    const std::uintptr_t lowest = std::min({address(0), address(1), address(2)});
    bool found[3] = {};
    packed_ = frame.is_rgb && std::endian::native == std::endian::little;
    for (std::size_t c = 0; c < 3; ++c) {
      const Pixels::Plane &plane = frame.planes[c], &other = frame.planes[0];
      const std::uintptr_t place = address(c) - lowest;
      packed_ = packed_ && place < 3 && plane.shift_x == 0 && plane.shift_y == 0 && plane.samples.stride(1) >= 3 &&
                plane.samples.stride(1) == other.samples.stride(1) && plane.samples.stride(0) == other.samples.stride(0);
      if (packed_) found[place] = true, lane_[c] = place;
    }
    packed_ = packed_ && found[0] && found[1] && found[2];
    if (!packed_) lane_ = {0, 1, 2};
  }

  /// Which lane holds red, green or blue.
  std::size_t lane(std::size_t channel) const { return lane_[channel]; }

  /// line[4 k + lane] = the pixel at (row, columns[k]).
  void fetch(std::int64_t row, const CropColumns<T>& columns, T* line) const {
    std::array<const std::uint8_t*, 3> data{};
    for (std::size_t c = 0; c < 3; ++c) {
      const Pixels::Plane& plane = frame_.planes[c];
      data[lane_[c]] = plane.samples.data() + (row >> plane.shift_y) * plane.samples.stride(0);
    }
    if (packed_)
      fetch_packed(data[0], columns.columns(), columns.count, line);
    else if (frame_.is_rgb)
      fetch_planes(data, columns.columns(), columns.count, line);
    else
      fetch_yuv(data, columns.columns(), columns.count, line);
  }

 private:
  static DETRACK_INLINE void put(T* to, CropInts pixel) {
    const CropPixel<T> p = __builtin_convertvector(pixel, CropPixel<T>);
    std::memcpy(to, &p, sizeof p);
  }

  /// Where the three bytes of a pixel lie side by side, they are read as four with the one before them, which belongs to the
  /// row as well unless the pixel is its first.
  void fetch_packed(const std::uint8_t* data, const std::int64_t* columns, std::int64_t count, T* line) const {
    const std::int64_t step = frame_.planes[0].samples.stride(1);
    std::int64_t k = 0;
    for (; k < count && columns[k] == 0; ++k) put(line + 4 * k, CropInts{data[0], data[1], data[2], 0});
    for (; k < count; ++k) {
      std::int32_t four;
      std::memcpy(&four, data + columns[k] * step - 1, sizeof four);
      put(line + 4 * k, ((CropInts{} + four) >> CropInts{8, 16, 24, 0}) & 255);
    }
  }

  void fetch_planes(const std::array<const std::uint8_t*, 3>& data, const std::int64_t* columns, std::int64_t count,
                    T* line) const {
    const auto& p = frame_.planes;
    for (std::int64_t k = 0; k < count; ++k) {
      const auto sample = [&](std::size_t i) { return data[i][(columns[k] >> p[i].shift_x) * p[i].samples.stride(1)]; };
      put(line + 4 * k, CropInts{sample(0), sample(1), sample(2), 0});
    }
  }

  /// Pixels::apply on all channels at once; neighbours that share their chroma share its part of the sum.
  void fetch_yuv(const std::array<const std::uint8_t*, 3>& data, const std::int64_t* columns, std::int64_t count,
                 T* line) const {
    const auto& p = frame_.planes;
    const int shift[3] = {p[0].shift_x, p[1].shift_x, p[2].shift_x}, shared = std::min(shift[1], shift[2]);
    const std::int64_t step[3] = {p[0].samples.stride(1), p[1].samples.stride(1), p[2].samples.stride(1)};
    CropInts weights[4];
    for (std::size_t i = 0; i < 4; ++i)
      weights[i] = CropInts{frame_.to_rgb[0][i], frame_.to_rgb[1][i], frame_.to_rgb[2][i], 0};
    CropInts chroma{};
    std::int64_t chroma_of = -1;
    for (std::int64_t k = 0; k < count; ++k) {
      const auto part = [&, x = columns[k] ](std::size_t i) __attribute__((always_inline)) {
        return weights[i] * std::int32_t{data[i][(x >> shift[i]) * step[i]]};
      };
      if (columns[k] >> shared != chroma_of) {
        chroma_of = columns[k] >> shared;
        chroma = part(1) + part(2) + weights[3];
      }
      CropInts rgb = (part(0) + chroma) >> 16;
      rgb = rgb < 0 ? CropInts{} : rgb;
      put(line + 4 * k, rgb > 255 ? CropInts{} + 255 : rgb);
    }
  }

  Pixels frame_;
  bool packed_ = false;
  std::array<std::size_t, 3> lane_{};
};

/// What becomes of a channel's bytes, and where: y = scale byte + black.
template <class T>
struct CropChannel {
  T* y = nullptr;
  T scale = 1, black = 0;
};

/// Mixes pixels along a line into a row of the crop, whose channels come in the order of the lanes.
template <class T>
void write_crop_row(const T* line, const CropColumns<T>& columns, const std::array<CropChannel<T>, 3>& channels) {
  const std::int64_t* place = columns.place();
  const T *before = columns.weights(0), *after = columns.weights(1);
  T* const y[3] = {channels[0].y, channels[1].y, channels[2].y};
  const T scale[3] = {channels[0].scale, channels[1].scale, channels[2].scale};
  const T black[3] = {channels[0].black, channels[1].black, channels[2].black};
  const auto at = [&](std::int64_t j) __attribute__((always_inline)) {
    CropPixel<T> p, q;
    std::memcpy(&p, line + 4 * place[j], sizeof p);
    std::memcpy(&q, line + 4 * place[j] + 4, sizeof q);
    return p * before[j] + q * after[j];
  };
  std::int64_t j = columns.begin;
  for (; j + 4 <= columns.end; j += 4) {  // four pixels of a channel, from four channels of a pixel
    const CropPixel<T> p[4] = {at(j), at(j + 1), at(j + 2), at(j + 3)};
    const CropPixel<T> low = __builtin_shufflevector(p[0], p[1], 0, 4, 1, 5),
                       high = __builtin_shufflevector(p[0], p[1], 2, 6, 3, 7);
    const CropPixel<T> low2 = __builtin_shufflevector(p[2], p[3], 0, 4, 1, 5),
                       high2 = __builtin_shufflevector(p[2], p[3], 2, 6, 3, 7);
    const CropPixel<T> values[3] = {__builtin_shufflevector(low, low2, 0, 1, 4, 5),
                                    __builtin_shufflevector(low, low2, 2, 3, 6, 7),
                                    __builtin_shufflevector(high, high2, 0, 1, 4, 5)};
    for (std::size_t c = 0; c < 3; ++c) {
      const CropPixel<T> v = values[c] * scale[c] + black[c];
      std::memcpy(y[c] + j, &v, sizeof v);
    }
  }
  for (; j < columns.end; ++j) {
    const CropPixel<T> p = at(j);
    for (std::size_t c = 0; c < 3; ++c) y[c][j] = p[c] * scale[c] + black[c];
  }
}

template <class T>
void run(Team<T>& team, CropColumns<T>& columns, const CropNormalise<T>& given) {
  const CropNormalise<T> op = given.resolved();
  constexpr std::int64_t kRows = 16;  // of a task: enough that rows of the frame are seldom fetched by two of them
  const std::int64_t S = op.y.extent(1);
  columns.prepare(op);
  const CropReader<T> reader(op.frame);
  std::array<CropChannel<T>, 3> channels;  // in the order of the lanes
  for (std::size_t c = 0; c < 3; ++c)
    channels[reader.lane(c)] = {op.y.data() + static_cast<std::int64_t>(c) * op.y.stride(0),
                                static_cast<T>(1 / (255 * op.std[c])), static_cast<T>(-op.mean[c] / op.std[c])};
  const std::int64_t size = 4 * columns.count;
  team.reserve(3 * 4 * 2 * S);  // whatever the side: a target that comes nearer allocates nothing
  const double work = 8.0 * static_cast<double>(S) * static_cast<double>(S + columns.count) / kLanes<T>;
  team.parallel((S + kRows - 1) / kRows, work, [&](std::int64_t task, T* scratch) {
    T* const mixed = scratch + 2 * size;
    std::int64_t held[2] = {-1, -1};
    const auto line_of = [&](std::int64_t row) {  // neighbouring rows do not displace each other
      const std::int64_t slot = row % 2;
      if (held[slot] != row) reader.fetch(row, columns, scratch + slot * size);
      held[slot] = row;
      return scratch + slot * size;
    };
    for (std::int64_t i = task * kRows; i < std::min(S, (task + 1) * kRows); ++i) {
      const CropTaps taps(op.source(op.top, i), op.frame.height);
      const bool seen = taps.in_frame() && columns.count > 0;
      auto row = channels;
      for (CropChannel<T>& channel : row) {
        channel.y += i * op.y.stride(1);
        std::fill(channel.y, channel.y + (seen ? columns.begin : S), channel.black);
        if (seen) std::fill(channel.y + columns.end, channel.y + S, channel.black);
      }
      if (!seen) continue;
      const T* upper = taps.weights[0] > 0 ? line_of(taps.first) : nullptr;
      const T* lower = taps.weights[1] > 0 ? line_of(taps.first + 1) : upper;
      if (!upper) upper = lower;
      const T w0 = static_cast<T>(taps.weights[0]), w1 = static_cast<T>(taps.weights[1]);
      for_each_vector<T>(
          size, [&](std::int64_t k, auto get, auto put)
                    __attribute__((always_inline)) { put(mixed + k, get(upper + k) * w0 + get(lower + k) * w1); });
      write_crop_row(mixed, columns, row);
    }
  });
}

}  // namespace DETRACK_CPU_ISA
}  // namespace detrack::cpu
