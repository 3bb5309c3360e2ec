// Crops of pictures changed for training: a kernel for each stage that looks at neighbours, for many crops at once; a crop
// that has none of them is done after the first kernel, and its blocks of the others end at once.
#pragma once

#include "cuda/crop_sample.cuh"
#include "cuda/launch.cuh"
#include "cuda/scalar.cuh"
#include "detrack/ops/augmented_crops.hpp"

namespace detrack::cuda {

inline constexpr int kCropColumns = 64, kCropLines = 4, kCropThreads = kCropColumns * kCropLines;
inline constexpr int kCropRows = 8;  ///< of the crop, for a block
/// Scratch memory of as many crops as are made at once: what they hand on from kernel to kernel stays in the cache.
inline constexpr std::int64_t kCropScratch = std::int64_t{48} << 20;

/// The crops that are made at once; a block's crop is blockIdx.y.
template <class T>
struct CropBatch {
  View<const CropPlan> plans;
  View<T> y;
  float* scratch;  ///< (2, B, 3, S, S)
  std::array<float, 3> scale, shift;

  __device__ const CropPlan& plan() const { return plans(blockIdx.y); }
  __device__ std::int64_t size() const { return y.extent(2); }
  /// Channel c of the block's crop in the first or second buffer.
  __device__ float* plane(int buffer, int c) const {
    return scratch + ((static_cast<std::int64_t>(buffer) * gridDim.y + blockIdx.y) * 3 + c) * size() * size();
  }
};

/// Which stages that look at neighbours a crop goes through. Each reads one buffer and writes the other.
struct CropStages {
  bool motion, blur, fewer;

  __device__ CropStages(const Photometric& p, std::int64_t S)
      : motion(p.motion > 0), blur(p.blur > 0), fewer(p.low_resolution > 1 && FewerPixels(S, p.low_resolution).few < S) {}
  __device__ bool any() const { return motion || blur || fewer; }
  /// The buffer that motion blur leaves its result in; blur, which is two steps, leaves its own there as well.
  __device__ int blurred() const { return motion ? 1 : 0; }
};

__device__ inline int crop_thread() {
  return static_cast<int>(threadIdx.y) * kCropColumns + static_cast<int>(threadIdx.x);
}

/// f(i, j) for the rows of the block, of `size` rows and columns.
template <class F>
__device__ void for_each_crop_pixel(std::int64_t size, F&& f) {
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * kCropRows, end = std::min(begin + kCropRows, size);
  for (std::int64_t i = begin + threadIdx.y; i < end; i += kCropLines)
    for (std::int64_t j = threadIdx.x; j < size; j += kCropColumns) f(i, j);
}

/// The last steps of a pixel: noise, and where it goes.
template <class T>
__device__ void finish_pixel(const CropBatch<T>& batch, const CropPlan& plan, std::int64_t i, std::int64_t j,
                             const float (&v)[3]) {
  const std::int64_t S = batch.size(), column = plan.flip ? S - 1 - j : j;
  const double noise = plan.photometric.noise;
#pragma unroll
  for (int c = 0; c < 3; ++c) {
    float x = v[c];
    if (noise > 0)
      x = with_noise(x, (c * S + i) * S + j, static_cast<float>(noise / CropNoise::kDeviation), plan.photometric.noise_seed);
    batch.y(blockIdx.y, c, i, column) = from_float<T>(x * batch.scale[c] + batch.shift[c]);
  }
}

/// Cut, covered and recoloured: into the first buffer, or all that there is to do.
template <class T>
__global__ void __launch_bounds__(kCropThreads) cut_crops(CropBatch<T> batch) {
  __shared__ float powers[kPowerSteps + 2];
  __shared__ CropCover cover;
  const CropPlan& plan = batch.plan();
  const Photometric& p = plan.photometric;
  const std::int64_t S = batch.size();
  const bool recolours = p.recolours(), gray = p.grayscale, whole = !CropStages(p, S).any();
  if (crop_thread() == 0) cover.place(plan, S);
  if (recolours)
    for (int k = crop_thread(); k < kPowerSteps + 2; k += kCropThreads)
      powers[k] = powf(static_cast<float>(k) / kPowerSteps, static_cast<float>(p.gamma));
  __syncthreads();
  for_each_crop_pixel(S, [&](std::int64_t i, std::int64_t j) {
    float v[3];
    sample_crop(plan, cover, S, i, j, v);
    if (gray) v[0] = v[1] = v[2] = 0.299f * v[0] + 0.587f * v[1] + 0.114f * v[2];
    if (recolours) {
#pragma unroll
      for (int c = 0; c < 3; ++c) v[c] = recoloured(v[c], static_cast<float>(p.gain[c]), powers);
    }
    if (whole) return finish_pixel(batch, plan, i, j, v);
#pragma unroll
    for (int c = 0; c < 3; ++c) batch.plane(0, c)[i * S + j] = v[c];
  });
}

struct CropLineTap {
  int right, down;
  float share;
};

/// Taps that a line across a crop (S, S) can have. Their shared memory bounds S, far beyond any crop's.
inline std::int64_t most_line_taps(std::int64_t S) {
  return 2 * (S + 2);
}

template <class T>
__global__ void __launch_bounds__(kCropThreads) motion_blur_crops(CropBatch<T> batch) {
  const Photometric& p = batch.plan().photometric;
  const std::int64_t S = batch.size();
  if (!(p.motion > 0)) return;
  auto* const taps = dynamic_shared<CropLineTap>();
  const MotionLine line(p.motion, p.motion_direction, S);
  const int count = static_cast<int>(2 * (2 * line.reach + 1));
  for (int k = crop_thread(); k < count; k += kCropThreads) {
    const MotionLine::Tap tap = line.tap(k / 2 - line.reach, k % 2 != 0);
    taps[k] = {static_cast<int>(tap.right), static_cast<int>(tap.down), static_cast<float>(tap.share)};
  }
  __syncthreads();
  for_each_crop_pixel(S, [&](std::int64_t i, std::int64_t j) {
    float sum[3] = {};
    for (int k = 0; k < count; ++k) {
      const CropLineTap tap = taps[k];
      const std::int64_t row = std::clamp<std::int64_t>(i + tap.down, 0, S - 1),
                         column = std::clamp<std::int64_t>(j + tap.right, 0, S - 1);
#pragma unroll
      for (int c = 0; c < 3; ++c) sum[c] += tap.share * batch.plane(0, c)[row * S + column];
    }
#pragma unroll
    for (int c = 0; c < 3; ++c) batch.plane(1, c)[i * S + j] = sum[c];
  });
}

/// Gaussian blur along the rows, into the other buffer, or across them, and back.
template <class T, bool kAcross>
__global__ void __launch_bounds__(kCropThreads) blur_crops(CropBatch<T> batch) {
  constexpr int kMost = 2 * GaussianTaps::kMostReach + 1;
  __shared__ double weights[kMost];
  const Photometric& p = batch.plan().photometric;
  const std::int64_t S = batch.size();
  if (!(p.blur > 0)) return;
  const int from = kAcross ? 1 - CropStages(p, S).blurred() : CropStages(p, S).blurred();
  const GaussianTaps taps(p.blur);
  const int reach = taps.reach;
  if (const int k = crop_thread(); k <= 2 * reach) weights[k] = taps.weight(k - reach);
  __syncthreads();
  double total = 0;
  for (int k = 0; k <= 2 * reach; ++k) total += weights[k];
  const auto scale = static_cast<float>(1 / total);
  for_each_crop_pixel(S, [&](std::int64_t i, std::int64_t j) {
    float sum[3] = {};
    for (int k = -reach; k <= reach; ++k) {
      const std::int64_t row = kAcross ? std::clamp<std::int64_t>(i + k, 0, S - 1) : i,
                         column = kAcross ? j : std::clamp<std::int64_t>(j + k, 0, S - 1);
      const auto weight = static_cast<float>(weights[k + reach]);
#pragma unroll
      for (int c = 0; c < 3; ++c) sum[c] += weight * batch.plane(from, c)[row * S + column];
    }
#pragma unroll
    for (int c = 0; c < 3; ++c) batch.plane(1 - from, c)[i * S + j] = sum[c] * scale;
  });
}

/// A thread a pixel of the small crop, whose planes are as far apart as the large one's.
template <class T>
__global__ void __launch_bounds__(kCropThreads) reduce_crops(CropBatch<T> batch) {
  const Photometric& p = batch.plan().photometric;
  const std::int64_t S = batch.size();
  const CropStages stages(p, S);
  if (!stages.fewer) return;
  const FewerPixels fewer(S, p.low_resolution);
  const auto scale = static_cast<float>(1 / (fewer.size * fewer.size));
  for_each_crop_pixel(fewer.few, [&](std::int64_t row, std::int64_t column) {
    float sum[3] = {};
    const double end = fewer.end(row), right_end = fewer.end(column);
    for (auto i = static_cast<std::int64_t>(fewer.begin(row)); static_cast<double>(i) < end; ++i) {
      float along[3] = {};
      for (auto j = static_cast<std::int64_t>(fewer.begin(column)); static_cast<double>(j) < right_end; ++j) {
        const auto share = static_cast<float>(fewer.overlap(column, j));
#pragma unroll
        for (int c = 0; c < 3; ++c) along[c] += share * batch.plane(stages.blurred(), c)[i * S + j];
      }
      const auto share = static_cast<float>(fewer.overlap(row, i));
#pragma unroll
      for (int c = 0; c < 3; ++c) sum[c] += share * along[c];
    }
#pragma unroll
    for (int c = 0; c < 3; ++c) batch.plane(1 - stages.blurred(), c)[row * fewer.few + column] = sum[c] * scale;
  });
}

/// From the buffer that a crop's last stage has written, enlarged where that was reduced.
template <class T>
__global__ void __launch_bounds__(kCropThreads) finish_crops(CropBatch<T> batch) {
  const CropPlan& plan = batch.plan();
  const std::int64_t S = batch.size();
  const CropStages stages(plan.photometric, S);
  if (!stages.any()) return;
  const FewerPixels fewer(S, plan.photometric.low_resolution);
  for_each_crop_pixel(S, [&](std::int64_t i, std::int64_t j) {
    float v[3];
    if (stages.fewer) {
      const FewerPixels::Taps down = fewer.taps(i), right = fewer.taps(j);
      const auto below = static_cast<float>(down.right), after = static_cast<float>(right.right);
#pragma unroll
      for (int c = 0; c < 3; ++c) {
        const float* small = batch.plane(1 - stages.blurred(), c);
        const float *upper = small + down.before * fewer.few, *lower = small + down.after * fewer.few;
        const float above = upper[right.before] + after * (upper[right.after] - upper[right.before]);
        v[c] = above + below * (lower[right.before] + after * (lower[right.after] - lower[right.before]) - above);
      }
    } else {
#pragma unroll
      for (int c = 0; c < 3; ++c) v[c] = batch.plane(stages.blurred(), c)[i * S + j];
    }
    finish_pixel(batch, plan, i, j, v);
  });
}

template <class T>
void run(Stream& stream, const AugmentedCrops<T>& op) {
  const std::int64_t B = op.y.extent(0), S = op.y.extent(2);
  if (op.y.numel() == 0) return;
  const std::int64_t bytes = 2 * 3 * S * S * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t at_once = std::min(B, std::clamp<std::int64_t>(kCropScratch / bytes, 1, 65535));
  CropBatch<T> batch{{}, {}, static_cast<float*>(stream.scratch(static_cast<std::size_t>(at_once * bytes))), {}, {}};
  for (std::size_t c = 0; c < 3; ++c) {
    batch.scale[c] = static_cast<float>(1 / op.std[c]);
    batch.shift[c] = static_cast<float>(-op.mean[c] / op.std[c]);
  }
  for (std::int64_t first = 0; first < B; first += at_once) {
    const std::int64_t count = std::min(at_once, B - first);
    batch.plans = op.plans.slice(0, first, count);
    batch.y = op.y.slice(0, first, count);
    const auto start = [&](void (*kernel)(CropBatch<T>), std::size_t shared = 0) {
      launch(stream, kernel,
             {dim3(blocks_for(S, kCropRows), static_cast<unsigned>(count)), dim3(kCropColumns, kCropLines), shared}, batch);
    };
    start(cut_crops<T>);
    start(motion_blur_crops<T>, static_cast<std::size_t>(most_line_taps(S)) * sizeof(CropLineTap));
    start(blur_crops<T, false>);
    start(blur_crops<T, true>);
    start(reduce_crops<T>);
    start(finish_crops<T>);
  }
}

}  // namespace detrack::cuda
