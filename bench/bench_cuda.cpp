// Times the CUDA backend: operations, models, trackers and the crops of training, against cuBLAS and copies on the same GPU
// in the same process.
//
// Not one of Google Benchmark's programs: a row is a CUDA graph of many runs, replayed, so that neither launches nor waiting
// for the host are in the figures.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <deque>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

#include "detrack/cuda.hpp"
#include "detrack/model/initialise.hpp"
#include "detrack/ops/plan_backend.hpp"
#include "detrack/track/tracker.hpp"
#include "detrack/train/plan_crop.hpp"
#include "detrack/train/sampler.hpp"

namespace {

using namespace detrack;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Memory of a context for one set of arguments. The same numbers whatever T and the device.
template <class T>
class Arrays {
 public:
  Arrays(Context<T>& ctx, std::uint64_t set) : ctx_(ctx), rng_(set) {}

  View<T> in(const Shape& shape) {
    std::vector<T> host(static_cast<std::size_t>(shape.numel()));
    for (T& x : host) x = T(static_cast<float>(bfloat16(static_cast<float>(2 * rng_.uniform() - 1))));
    Tensor<T>& tensor = tensors_.emplace_back(shape, ctx_.allocator());
    ops::copy(ctx_, View<const T>(host.data(), shape), tensor.view());
    return tensor.view();
  }
  View<T> out(const Shape& shape) {
    outputs_.push_back(in(shape));  // gradients of parameters are added to it
    return outputs_.back();
  }
  View<stat_t<T>> statistics(const Shape& shape, float value) {
    const std::vector<stat_t<T>> host(static_cast<std::size_t>(shape.numel()), value);
    const View<stat_t<T>> view = statistics_.emplace_back(shape, ctx_.allocator()).view();
    ops::copy(ctx_, View<const stat_t<T>>(host.data(), shape), view);
    return view;
  }

  /// All outputs, as floats.
  std::vector<float> results() {
    std::vector<float> all;
    for (const View<T>& view : outputs_) {
      std::vector<T> host(static_cast<std::size_t>(view.numel()));
      ops::copy(ctx_, View<const T>(view), View<T>(host.data(), view.shape()));
      for (const T x : host) all.push_back(static_cast<float>(x));
    }
    return all;
  }

 private:
  Context<T>& ctx_;
  Philox rng_;
  std::deque<Tensor<T>> tensors_;
  std::deque<Tensor<stat_t<T>>> statistics_;
  std::vector<View<T>> outputs_;
};

struct Timing {
  double median = 0, p95 = 0;  ///< seconds of a run
};

/// `work` is `runs` runs.
template <class T>
Timing time_runs(Context<T>& ctx, int runs, const std::function<void()>& work) {
  work();
  ctx.backend().synchronize();
  const auto recording = ctx.backend().record(work);
  const auto replay = [&] {
    const double begin = now();
    recording->replay();
    ctx.backend().synchronize();
    return now() - begin;
  };
  for (int i = 0; i < 3; ++i) replay();
  std::vector<double> times;
  for (const double begin = now(); times.size() < 10 || now() - begin < 0.3;) times.push_back(replay() / runs);
  std::sort(times.begin(), times.end());
  return {times[times.size() / 2], times[times.size() * 95 / 100]};
}

/// Search crops of `samples` samples, then their templates, drawn from pictures with a target in the middle of each.
template <class PictureOf>
std::vector<CropPlan> draw_plans(const Config& config, std::int64_t samples, std::int64_t pictures, PictureOf&& picture_of) {
  std::vector<StillImage> images;
  for (std::int64_t i = 0; i < pictures; ++i) images.push_back({std::to_string(i), {Box{250, 130, 140, 100}}});
  TrainOptions options;
  options.augment = {.flip = 0.5,
                     .grayscale = 0.1,
                     .brightness = 0.35,
                     .colour = 0.15,
                     .gamma = 0.4,
                     .blur_prob = 0.1,
                     .noise_prob = 0.1,
                     .occlusion_prob = 0.12,
                     .motion_blur_prob = 0.1,
                     .low_resolution_prob = 0.15,
                     .foreign_occlusion_prob = 0.15,
                     .rotation = 0.12,
                     .aspect = 0.15};
  const Sampler sampler(
      std::make_shared<const TrainingData>(std::vector<TrainingSource>{{.name = "pictures", .images = images}}, 6), config,
      options, [](const std::filesystem::path&) { return ImageSize{}; });
  const auto placed = [&](const std::filesystem::path& file) { return picture_of(std::stoll(file.string())); };
  std::vector<CropPlan> search, templates;
  for (std::int64_t i = 0; i < samples; ++i) {
    const SampleRecipe sample = sampler(static_cast<std::uint64_t>(i));
    search.push_back(plan_crop(sample.search, sample.flip, placed));
    for (const CropRecipe& one : sample.templates) templates.push_back(plan_crop(one, sample.flip, placed));
  }
  search.insert(search.end(), templates.begin(), templates.end());
  return search;
}

template <class T>
class Bench {
 public:
  Bench(Context<T> ctx, std::string rows, bool check) : ctx_(std::move(ctx)), rows_(rows), check_(check) {
    std::fprintf(stderr, "%s\n", ctx_.describe().c_str());
    // The ceilings: a large product, and a copy far beyond the caches.
    const std::int64_t n = 8192;
    Arrays<T> a(ctx_, 1);
    const LinearForward<T> product{.x = a.in({n, n}), .w = a.in({n, n}), .y = a.out({n, n})};
    product_rate_ = product.flops() / time_runs(ctx_, 4, [&] {
                                        for (int i = 0; i < 4; ++i) ops::run(ctx_, product);
                                      }).median;
    const Add<T> copy{.a = product.x, .y = product.y};
    copy_rate_ = ops::bytes_moved(copy) / time_runs(ctx_, 8, [&] {
                                            for (int i = 0; i < 8; ++i) ops::run(ctx_, copy);
                                          }).median;
    std::printf("# %s; cuBLASLt, 8192 x 8192 x 8192: %.0f TFLOP/s; copy of 2 x %.0f MB: %.0f GB/s\n",
                ctx_.describe().c_str(), 1e-12 * product_rate_, 1e-6 * static_cast<double>(n * n) * sizeof(T),
                1e-9 * copy_rate_);
    std::printf("| row | us | p95 us | TFLOP/s | %% of cuBLAS | GB/s | %% of copy |\n|---|---:|---:|---:|---:|---:|---:|\n");
    std::fflush(stdout);
  }

  /// `make(arrays)` makes the operation, for this context and for the reference. Warm: one set of arguments again and again;
  /// cold: as many sets as are twice the size of any L2.
  template <class Make>
  void operation(const std::string& name, Make&& make) {
    for (const bool cold : {false, true}) {
      const std::string row = name + (cold ? "/cold" : "/warm");
      if (!wanted(row)) continue;
      std::deque<Arrays<T>> arrays;
      auto first = make(arrays.emplace_back(ctx_, 1));
      const double bytes = ops::bytes_moved(first), flops = first.flops();
      if (check_ && !cold && !right(row, first, arrays.front(), make)) continue;
      std::vector<decltype(first)> sets{first};
      while (cold && static_cast<double>(sets.size()) * bytes < 2.5e8 && sets.size() < 512)
        sets.push_back(make(arrays.emplace_back(ctx_, sets.size() + 1)));
      const int runs = std::max<int>(static_cast<int>(sets.size()), 32);
      const Timing timing = time_runs(ctx_, runs, [&] {
        for (int i = 0; i < runs; ++i) ops::run(ctx_, sets[static_cast<std::size_t>(i) % sets.size()]);
      });
      print(row, timing, flops, bytes);
    }
  }

  void model(const Config& config, std::int64_t batch) {
    const std::string row = "forward/" + config.name + "/batch " + std::to_string(batch);
    if (!wanted(row)) return;
    DeTrack<float> host(config);
    initialise(host, 1);
    const DeTrack<T> model = copy_model(host, ctx_);
    const RunShape shape{batch, config.templates, config.trajectory};
    const InputBuffers<T> in(config, shape, ctx_.allocator());
    OutputBuffers<T> out(config, shape, ctx_.allocator());
    for (const View<const T>& pixels : {in.views().search, in.views().templates})
      ops::run(ctx_, Fill<T>{.value = 0.5, .y = View<T>(const_cast<T*>(pixels.data()), pixels.shape(), pixels.device())});
    for (const View<const double>& boxes : {in.views().start_box, in.views().trajectory}) {
      const std::vector<double> middle(static_cast<std::size_t>(boxes.numel()), 0.5);
      ops::copy(ctx_, View<const double>(middle.data(), boxes.shape()),
                View<double>(const_cast<double*>(boxes.data()), boxes.shape(), boxes.device()));
    }
    const Plan plan = reserve(ctx_, config, shape);
    print(row, time_runs(ctx_, 1, [&] { model.forward(ctx_, in.views(), out.views()); }), plan.cost.flops, 0);
  }

  /// update() of `targets` targets in a decoded 1920 x 1080 frame: in the GPU's memory, and in the host's.
  void tracker(const Config& config, std::int64_t targets) {
    const auto row_of = [&](bool on_device) {
      return "update/" + config.name + "/targets " + std::to_string(targets) + (on_device ? "/gpu frame" : "/host frame");
    };
    if (!wanted(row_of(true)) && !wanted(row_of(false))) return;
    DeTrack<float> host(config);
    initialise(host, 1);
    std::vector<std::uint8_t> pixels(3 * 1920 * 1080);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>((i * 2654435761u) >> 24);
    Tensor<std::uint8_t> resident({static_cast<std::int64_t>(pixels.size())}, ctx_.allocator());
    ops::copy(ctx_, View<const std::uint8_t>(pixels.data(), resident.shape()), resident.view());
    for (const bool on_device : {true, false}) {
      const std::string row = row_of(on_device);
      if (!wanted(row)) continue;
      MultiTracker tracker(cuda::network<T>(host, ctx_.device().index));
      ImageView frame = ImageView::packed(on_device ? resident.data() : pixels.data(), 1920, 1080, PixelFormat::rgb);
      if (on_device) frame = frame.on(ctx_.device());
      for (std::size_t i = 0; i < static_cast<std::size_t>(targets); ++i)
        tracker.init(i, frame, {100 + 25.0 * static_cast<double>(i), 400, 120, 90});
      for (int i = 0; i < 5; ++i) tracker.update(frame);
      std::vector<double> times;
      for (const double begin = now(); times.size() < 50 || now() - begin < 1;) {
        const double start = now();
        tracker.update(frame);
        times.push_back(now() - start);
      }
      std::sort(times.begin(), times.end());
      print(row, {times[times.size() / 2], times[times.size() * 95 / 100]}, 0, 0);
    }
  }

  /// The pixels of a training batch, as train makes them of pictures in the GPU's memory: changed as
  /// examples/train/t256.json has it.
  void crops(const Config& config, std::int64_t samples) {
    const std::string row = "crops/" + config.name + "/samples " + std::to_string(samples);
    if (!wanted(row)) return;
    constexpr std::int64_t kPictures = 50, kWidth = 640, kHeight = 360, kBytes = 3 * kWidth * kHeight;
    std::vector<std::uint8_t> pixels(kPictures * kBytes);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>((i * 2654435761u) >> 24);
    Tensor<std::uint8_t> resident({kPictures * kBytes}, ctx_.allocator());
    ops::copy(ctx_, View<const std::uint8_t>(pixels.data(), resident.shape()), resident.view());
    const std::vector<CropPlan> plans = draw_plans(config, samples, kPictures, [&](std::int64_t picture) {
      return RgbPicture{resident.data() + picture * kBytes, kHeight, kWidth};
    });
    Tensor<CropPlan> placed({static_cast<std::int64_t>(plans.size())}, ctx_.allocator());
    ops::copy(ctx_, View<const CropPlan>(plans.data(), placed.shape()), placed.view());
    const std::int64_t S = config.search_size, Z = config.template_size, templates = samples * config.templates;
    Tensor<T> search({samples, 3, S, S}, ctx_.allocator()), template_crops({templates, 3, Z, Z}, ctx_.allocator());
    const View<const CropPlan> all = placed.view();
    const AugmentedCrops<T> parts[] = {{all.slice(0, 0, samples), config.mean, config.std, search.view()},
                                       {all.slice(0, samples, templates), config.mean, config.std, template_crops.view()}};
    const Timing timing = time_runs(ctx_, 8, [&] {
      for (int i = 0; i < 8; ++i)
        for (const AugmentedCrops<T>& part : parts) ops::run(ctx_, part);
    });
    print(row, timing, 0, ops::bytes_moved(parts[0]) + ops::bytes_moved(parts[1]));
    std::fprintf(stderr, "%s: %.0f samples a second\n", row.c_str(), static_cast<double>(samples) / timing.median);
  }

  nlohmann::json results() const {
    return {{"device", ctx_.describe()}, {"product_flops", product_rate_}, {"copy_bytes", copy_rate_}, {"rows", json_}};
  }
  bool all_right() const { return all_right_; }

 private:
  bool wanted(const std::string& row) const { return std::regex_search(row, rows_); }

  /// Refuses to time what is wrong: the same operation on the CPU in float, from the same numbers.
  template <class Op, class Make>
  bool right(const std::string& row, const Op& op, Arrays<T>& arrays, Make&& make) {
    auto cpu = cpu::make_context<float>();
    Arrays<float> truth(cpu, 1);
    ops::run(cpu, make(truth));
    ops::run(ctx_, op);
    const std::vector<float> got = arrays.results(), want = truth.results();
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
      difference += std::pow(static_cast<double>(got[i]) - static_cast<double>(want[i]), 2);
      norm += std::pow(static_cast<double>(want[i]), 2);
    }
    const double error = std::sqrt(difference / norm);
    if (error <= (sizeof(T) == 2 ? 2e-2 : 1e-4)) return true;
    std::printf("| %s | wrong: relative error %.2g | | | | | |\n", row.c_str(), error);
    std::fflush(stdout);
    return all_right_ = false;
  }

  void print(const std::string& row, const Timing& t, double flops, double bytes) {
    std::printf("| %s | %.2f | %.2f | %.1f | %.0f | %.0f | %.0f |\n", row.c_str(), 1e6 * t.median, 1e6 * t.p95,
                1e-12 * flops / t.median, 100 * flops / t.median / product_rate_, 1e-9 * bytes / t.median,
                100 * bytes / t.median / copy_rate_);
    std::fflush(stdout);
    json_.push_back({{"row", row}, {"median_s", t.median}, {"p95_s", t.p95}, {"flops", flops}, {"bytes", bytes}});
  }

  Context<T> ctx_;
  std::regex rows_;
  bool check_, all_right_ = true;
  double product_rate_ = 1, copy_rate_ = 1;
  nlohmann::json json_ = nlohmann::json::array();
};

/// Attention of all tokens, q, k and v columns of one projection; forward, or backward.
template <class T>
AttentionForward<T> attention(Arrays<T>& a, std::int64_t B, std::int64_t N, std::int64_t H, std::int64_t D, bool training) {
  const View<const T> qkv = a.in({B, N, 3 * H * D});
  const auto part = [&](std::int64_t i) { return qkv.slice(2, i * H * D, H * D).split(2, D); };
  return {.q = part(0),
          .k = part(1),
          .v = part(2),
          .scale = 1 / std::sqrt(static_cast<double>(D)),
          .y = a.out({B, N, H * D}).split(2, D),
          .lse = training ? a.statistics({B, H, N}, 0) : View<stat_t<T>>{}};
}

/// y and dy are any numbers; lse is what makes the probabilities of uniform numbers sum to about 1.
template <class T>
AttentionBackward<T> attention_backward(Arrays<T>& a, std::int64_t B, std::int64_t N, std::int64_t H, std::int64_t D) {
  const View<const T> qkv = a.in({B, N, 3 * H * D});
  const View<T> dqkv = a.out({B, N, 3 * H * D});
  const auto part = [&](const auto& x, std::int64_t i) { return x.slice(2, i * H * D, H * D).split(2, D); };
  return {.q = part(qkv, 0),
          .k = part(qkv, 1),
          .v = part(qkv, 2),
          .scale = 1 / std::sqrt(static_cast<double>(D)),
          .y = a.in({B, N, H * D}).split(2, D),
          .lse = a.statistics({B, H, N}, std::log(static_cast<float>(N))),
          .dy = a.in({B, N, H * D}).split(2, D),
          .dq = part(dqkv, 0),
          .dk = part(dqkv, 1),
          .dv = part(dqkv, 2)};
}

/// Products of the box tokens of one target and of two, by the kernel for few rows, by itself and through a layer norm, and
/// by cuBLASLt: as many numbers, weights stored the other way round, which is the product that a gradient of the inputs
/// takes.
template <class T>
void few_rows(Bench<T>& bench) {
  struct Layer {
    std::string name;
    std::int64_t I, O;
  };
  for (const Config& c : presets())
    for (const auto& [name, I, O] :
         {Layer{"q", c.width, c.width}, {"fc1", c.width, 4 * c.width}, {"fc2", 4 * c.width, c.width}})
      for (const std::int64_t R : {4, 8}) {
        const std::string at = name + "/" + c.name + "/rows " + std::to_string(R);
        bench.operation("few rows " + at, [R, I = I, O = O]<class X>(Arrays<X>& a) {
          return LinearForward<X>{.x = a.in({R, I}), .w = a.in({O, I}), .b = a.in({O}), .y = a.out({R, O})};
        });
        bench.operation("few rows, layer norm " + at, [R, I = I, O = O]<class X>(Arrays<X>& a) {
          const View<X> normed = a.out({R, I});
          return NormedLinear<X>{.norm = {.x = a.in({R, I}), .gamma = a.in({I}), .beta = a.in({I}), .y = normed},
                                 .linear = {.x = normed, .w = a.in({O, I}), .b = a.in({O}), .y = a.out({R, O})}};
        });
        bench.operation("few rows, cuBLASLt " + at, [R, I = I, O = O]<class X>(Arrays<X>& a) {
          return LinearBackward<X>{.dy = a.in({R, I}), .w = a.in({I, O}), .dx = a.out({R, O})};
        });
      }
}

template <class T>
int run(const std::string& rows, bool check, const std::string& json) {
  Bench<T> bench(cuda::make_context<T>(), rows, check);
  const auto tokens = [](const Config& c) { return c.search_tokens() + c.templates * c.template_tokens(); };
  for (const Config& c : presets()) {
    const std::int64_t N = tokens(c), C = c.width, H = c.heads, D = C / H;
    for (const std::int64_t B : {1, 32}) {
      const std::string at = "/" + c.name + "/batch " + std::to_string(B);
      bench.operation("attention" + at, [=]<class X>(Arrays<X>& a) { return attention(a, B, N, H, D, false); });
      bench.operation("denoising attention" + at, [=]<class X>(Arrays<X>& a) {
        AttentionForward<X> op = attention(a, B, c.search_tokens(), H, D, false);
        op.q = View<const X>(a.in({B, 4, C})).split(2, D);
        op.y = a.out({B, 4, C}).split(2, D);
        return op;
      });
      bench.operation("layer norm" + at, [=]<class X>(Arrays<X>& a) {
        return LayerNormForward<X>{.x = a.in({B * N, C}), .gamma = a.in({C}), .beta = a.in({C}), .y = a.out({B * N, C})};
      });
      bench.operation("mlp fc1, gelu" + at, [=]<class X>(Arrays<X>& a) {
        return LinearForward<X>{.x = a.in({B * N, C}),
                                .w = a.in({4 * C, C}),
                                .b = a.in({4 * C}),
                                .activation = Activation::gelu,
                                .y = a.out({B * N, 4 * C})};
      });
      bench.operation("mlp fc2, residual" + at, [=]<class X>(Arrays<X>& a) {
        return LinearForward<X>{.x = a.in({B * N, 4 * C}),
                                .w = a.in({C, 4 * C}),
                                .b = a.in({C}),
                                .residual = a.in({B * N, C}),
                                .y = a.out({B * N, C})};
      });
      bench.operation("box q" + at, [=]<class X>(Arrays<X>& a) {
        return LinearForward<X>{.x = a.in({4 * B, C}), .w = a.in({C, C}), .b = a.in({C}), .y = a.out({4 * B, C})};
      });
      bench.operation("linear backward fc1" + at, [=]<class X>(Arrays<X>& a) {
        return LinearBackward<X>{.dy = a.in({B * N, 4 * C}),
                                 .x = a.in({B * N, C}),
                                 .w = a.in({4 * C, C}),
                                 .dx = a.out({B * N, C}),
                                 .dw = a.out({4 * C, C}),
                                 .db = a.out({4 * C})};
      });
    }
  }
  few_rows(bench);
  for (const std::int64_t N : {448, 1008, 1024, 2048, 4096, 8192}) {
    const std::int64_t B = std::max<std::int64_t>(1, 32 * 448 / N), H = 12, D = 64;
    const std::string at = "/tokens " + std::to_string(N) + ", batch " + std::to_string(B) + ", 12 heads of 64";
    bench.operation("attention" + at, [=]<class X>(Arrays<X>& a) { return attention(a, B, N, H, D, false); });
    bench.operation("attention, with lse" + at, [=]<class X>(Arrays<X>& a) { return attention(a, B, N, H, D, true); });
    bench.operation("attention backward" + at, [=]<class X>(Arrays<X>& a) { return attention_backward(a, B, N, H, D); });
  }
  for (const Config& c : presets())
    for (const std::int64_t B : {1, 16, 64}) bench.model(c, B);
  for (const Config& c : presets())
    for (const std::int64_t targets : {1, 64}) bench.tracker(c, targets);
  bench.crops(preset("detrack-t256"), 128);
  if (!json.empty()) {
    std::FILE* file = std::fopen(json.c_str(), "w");
    if (!file) fail(ErrorCode::io, json, ": cannot be written");
    const std::string text = bench.results().dump(1);
    std::fwrite(text.data(), 1, text.size(), file);
    std::fclose(file);
  }
  return bench.all_right() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Times the CUDA backend. Rows are microseconds of one run; warm on the same memory, cold on memory that no cache "
      "holds.\n"
      "Exit status: 0; 1 if a row is wrong, which is then not timed; 2 if there is no GPU.");
  std::string rows = ".", precision = "bf16", json;
  bool no_check = false;
  app.add_option("--rows", rows, "Only rows in which this regular expression is found")->capture_default_str();
  app.add_option("--precision", precision, "bf16 or f32")->check(CLI::IsMember({"bf16", "f32"}))->capture_default_str();
  app.add_option("--json", json, "Also write the figures to this file");
  app.add_flag("--no-check", no_check, "Do not compare operations with the CPU first, which takes minutes on few cores");
  CLI11_PARSE(app, argc, argv);
  try {
    return precision == "f32" ? run<float>(rows, !no_check, json) : run<bfloat16>(rows, !no_check, json);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_cuda: %s\n", error.what());
    return 2;
  }
}
