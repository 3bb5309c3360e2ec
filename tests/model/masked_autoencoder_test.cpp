// The masked autoencoder: masks, targets, what the encoder sees, gradients, memory, files, and a few steps of learning.
#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "detrack/model/initialise.hpp"
#include "detrack/model/masked_autoencoder_file.hpp"
#include "detrack/model/masked_autoencoder_plan.hpp"
#include "detrack/model/paint_prediction.hpp"
#include "detrack/ops/reference_backend.hpp"
#include "tests/support/compare.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/small_model.hpp"
#include "tests/support/temporary_folder.hpp"

namespace {

using namespace detrack;

/// 16 patches of 48 values.
Config masked_config() {
  Config c = test::small_config();
  c.patch = 4;
  c.search_size = 16;
  c.template_size = 8;
  c.width = 12;
  return c;
}
constexpr MaskedAutoencoderConfig kSmallDecoder{.decoder_width = 8, .decoder_depth = 2, .decoder_heads = 2};

/// A model with random parameters, images, a mask, and a context with room for a pass.
struct MaskedSetup {
  explicit MaskedSetup(std::int64_t batch = 2) : model(masked_config(), kSmallDecoder), images({batch, 3, 16, 16}) {
    test::randomise(model);
    test::fill_normal(images.view(), 3);
    Philox rng(7);
    mask = random_mask(rng, batch, 16, 0.75);
    reserve(ctx, model, batch);
  }
  double loss(View<double> prediction = {}) { return pass.evaluate(ctx, model, images.view(), mask, prediction); }
  double train() { return pass.run(ctx, model, images.view(), mask); }
  double& pixel(std::int64_t b, std::int64_t token, std::int64_t i) {
    return images.view()(b, i / 16, token / 4 * 4 + i / 4 % 4, token % 4 * 4 + i % 4);
  }
  std::int64_t masked_rows() const { return static_cast<std::int64_t>(mask.masked.size()); }

  MaskedAutoencoder<double> model;
  Tensor<double> images;
  TokenMask mask;
  Context<double> ctx = reference_context<double>();
  MaskedAutoencoderPass<double> pass;
};

/// (B Nm, 48): mean and unbiased variance of each masked patch taken off, by the book.
Tensor<double> normalised_by_hand(MaskedSetup& s) {
  Tensor<double> target({s.masked_rows(), 48});
  for (std::int64_t r = 0; r < s.masked_rows(); ++r) {
    const auto value = [&](std::int64_t i) { return s.pixel(r / 12, s.mask.masked[static_cast<std::size_t>(r)], i); };
    double mean = 0, variance = 0;
    for (int i = 0; i < 48; ++i) mean += value(i) / 48;
    for (int i = 0; i < 48; ++i) variance += (value(i) - mean) * (value(i) - mean) / 47;
    for (int i = 0; i < 48; ++i) target.view()(r, i) = (value(i) - mean) / std::sqrt(variance + 1e-6);
  }
  return target;
}

/// Those parameters of a model whose names `wanted` holds for.
template <class Model, class Wanted>
struct ParametersWhere {
  Model& model;
  Wanted wanted;
  template <class F>
  void visit(F&& f) {
    model.visit([&](const std::string& name, auto& p) {
      if (wanted(name)) f(name, p);
    });
  }
};

std::map<std::string, Shape> shapes_of(auto& model) {
  std::map<std::string, Shape> shapes;
  model.visit([&](const std::string& name, auto& p) { CHECK(shapes.emplace(name, p.shape).second); });
  return shapes;
}

}  // namespace

TEST_CASE("random mask: a partition of every sample's tokens, the same number each, and the same from the same seed") {
  Philox rng(5), again(5), other(6), fewer(5);
  const TokenMask mask = random_mask(rng, 300, 16, 0.75);
  CHECK(mask.visible.size() == 300 * 4);
  CHECK(mask.masked.size() == 300 * 12);
  std::vector<int> masked(16);
  for (std::size_t b = 0; b < 300; ++b) {
    const auto visible_at = mask.visible.begin() + static_cast<std::ptrdiff_t>(4 * b);
    const auto masked_at = mask.masked.begin() + static_cast<std::ptrdiff_t>(12 * b);
    CHECK(std::is_sorted(visible_at, visible_at + 4));
    CHECK(std::is_sorted(masked_at, masked_at + 12));
    std::set<std::int32_t> all(visible_at, visible_at + 4);
    all.insert(masked_at, masked_at + 12);
    CHECK(all.size() == 16);
    CHECK((*all.begin() == 0 && *all.rbegin() == 15));
    for (auto at = masked_at; at != masked_at + 12; ++at) ++masked[static_cast<std::size_t>(*at)];
  }
  for (const int count : masked) CHECK(std::abs(count - 225) < 5 * std::sqrt(300 * 0.75 * 0.25));
  CHECK(random_mask(again, 300, 16, 0.75).masked == mask.masked);
  CHECK(random_mask(again, 300, 16, 0.75).masked != mask.masked);  // the stream goes on
  CHECK(random_mask(other, 300, 16, 0.75).masked != mask.masked);
  const TokenMask begin = random_mask(fewer, 2, 16, 0.75);
  CHECK(std::equal(begin.masked.begin(), begin.masked.end(), mask.masked.begin()));

  CHECK(masked_tokens(64, 0.75) == 48);
  CHECK(masked_tokens(10, 0.9) == 9);
  CHECK(masked_tokens(16, 0) == 1);
  CHECK(masked_tokens(16, 1) == 15);
  test::error_of(ErrorCode::argument, [&] { random_mask(rng, 0, 16, 0.75); });
  test::error_of(ErrorCode::argument, [&] { random_mask(rng, 1, 1, 0.75); });
  test::error_of(ErrorCode::argument, [&] { random_mask(rng, 1, 16, std::nan("")); });
}

TEST_CASE("masked autoencoder: the backbone is a DeTrack's image half by name and shape; the rest is the decoder") {
  MaskedAutoencoder<float> model(masked_config(), kSmallDecoder);
  DeTrack<float> whole(masked_config());
  std::map<std::string, Shape> shapes = shapes_of(model), rest;
  for (const auto& [name, shape] : shapes_of(whole)) {
    const bool image_half = name.starts_with("backbone.") && name.find(".denoise.") == std::string::npos &&
                            name.find("template") == std::string::npos;
    CAPTURE(name);
    CHECK(shapes.contains(name) == image_half);
    if (!image_half) continue;
    CHECK(shapes.at(name) == shape);
    shapes.erase(name);
  }
  const std::map<std::string, Shape> decoder{
      {"decoder.embed.weight", {8, 12}}, {"decoder.embed.bias", {8}},      {"decoder.mask_token", {1, 8}},
      {"decoder.pos_embed", {1, 16, 8}}, {"decoder.norm.weight", {8}},     {"decoder.norm.bias", {8}},
      {"decoder.head.bias", {48}},       {"decoder.head.weight", {48, 8}},
  };
  for (const auto& [name, shape] : shapes)
    if (!name.starts_with("decoder.blocks.")) rest.emplace(name, shape);
  CHECK(rest == decoder);
  CHECK(shapes.at("decoder.blocks.1.attn.qkv.weight") == Shape{24, 8});
  CHECK(shapes.size() == decoder.size() + 2 * 12);
}

TEST_CASE("masked autoencoder: a file initialises a DeTrack's image half by name, and comes back as it was") {
  const test::TemporaryFolder folder;
  MaskedAutoencoder<float> model(masked_config(), kSmallDecoder);
  test::randomise(model);
  save_masked_autoencoder(folder / "mae", model);
  const SafetensorsFile file = SafetensorsFile::open(folder / "mae");
  CHECK(read_config(file) == masked_config());

  DeTrack<float> whole(masked_config());
  ParametersWhere found{whole, [&](const std::string& name) { return file.find(name) != nullptr; }};
  load_state_dict(file, found, {.allow_unexpected = true});
  std::map<std::string, View<const float>> values;
  model.visit([&](const std::string& name, Param<float>& p) { values.emplace(name, p.value); });
  int loaded = 0;
  found.visit([&](const std::string& name, Param<float>& p) {
    ++loaded;
    CHECK(bool(test::compare(test::to_array(p.value), test::to_array(values.at(name)), {})));
  });
  CHECK(loaded == 2 + 1 + 2 * 12 + 2);

  MaskedAutoencoder<float> again = load_masked_autoencoder<float>(folder / "mae");
  CHECK(again.autoencoder_config() == kSmallDecoder);
  const View<const float> x = model.parameters().values(), y = again.parameters().values();
  CHECK(std::equal(x.data(), x.data() + x.numel(), y.data(), y.data() + y.numel()));
  save_model(folder / "detrack", whole);
  CHECK(test::error_of(ErrorCode::config, [&] {
          load_masked_autoencoder<float>(folder / "detrack");
        }).find("detrack.masked_autoencoder, got none") != std::string::npos);
}

TEST_CASE("masked autoencoder: configurations that do not fit are refused and the field named") {
  const auto refused = [](const std::string& field, auto change) {
    Config model = masked_config();
    MaskedAutoencoderConfig c = kSmallDecoder;
    change(c, model);
    const std::string message = test::error_of(ErrorCode::config, [&] { validate(c, model); });
    CAPTURE(message);
    CHECK(message.find("config: " + field + ": expected") == 0);
  };
  refused("decoder_width", [](auto& c, auto&) { c.decoder_heads = 3; });
  refused("decoder_width", [](auto& c, auto&) { c.decoder_width = 6; });
  refused("decoder_depth", [](auto& c, auto&) { c.decoder_depth = 0; });
  refused("mask_ratio", [](auto& c, auto&) { c.mask_ratio = 1.5; });
  refused("width", [](auto&, auto& model) { model.heads = 5; });
  refused("search_size", [](auto&, auto& model) { model.search_size = 4; });
  const auto read = [](const std::string& json) { return masked_autoencoder_config_from_json(json); };
  CHECK(read(to_json(kSmallDecoder)) == kSmallDecoder);
  CHECK(read(R"({"decoder_width":8,"decoder_depth":2,"decoder_heads":2})") == kSmallDecoder);
  CHECK(test::error_of(ErrorCode::config, [&] { read(R"({"decoder_width":8,"decoder_depth":2})"); }).find("decoder_heads") !=
        std::string::npos);
  CHECK(test::error_of(ErrorCode::config, [&] {
          read(R"({"decoder_width":8,"decoder_depth":2,"decoder_heads":2,"depth":3})");
        }).find("depth: expected a known field") != std::string::npos);
}

TEST_CASE("masked autoencoder: initialise gives both grids sines and cosines, and the mask token small numbers") {
  MaskedAutoencoder<double> model(masked_config(), {.decoder_width = 12, .decoder_depth = 1, .decoder_heads = 1});
  initialise(model, 5);
  const test::Array grid = test::to_array(model.backbone.pos_embed_search.value);
  CHECK(bool(test::compare(test::to_array(model.decoder.pos_embed.value), grid, {})));
  CHECK(grid.values[12 + 9] == doctest::Approx(std::cos(1.0)));  // token 1 is in column 1
  for (const double x : test::to_array(model.decoder.mask_token.value).values) CHECK((x != 0 && std::abs(x) <= 0.04));
}

TEST_CASE("masked autoencoder: the loss compares with masked patches, each normalised by itself") {
  MaskedSetup s;
  const Tensor<double> target = normalised_by_hand(s);
  Tensor<double> prediction(target.shape());
  const double loss = s.loss(prediction.view());
  double expected = 0;
  for (std::int64_t i = 0; i < target.numel(); ++i)
    expected += std::pow(prediction.data()[i] - target.data()[i], 2) / static_cast<double>(target.numel());
  CHECK(loss == doctest::Approx(expected).epsilon(1e-12));
  CHECK(loss > 0.1);
  s.model.allocate_gradients();
  CHECK(s.train() == loss);

  // Painted over noise-free pictures, the targets are the pictures.
  Tensor<double> painted = s.images.clone();
  paint_prediction(target.view(), s.mask, 4, painted.view());
  CHECK(bool(test::compare(test::to_array(painted.view()), test::to_array(s.images.view()), {1e-12, 1e-12})));
  paint_prediction(View<const double>(prediction.view()), s.mask, 4, painted.view());
  CHECK_FALSE(bool(test::compare(test::to_array(painted.view()), test::to_array(s.images.view()), {1e-3, 1e-3})));
}

TEST_CASE("masked autoencoder: a prediction that equals the normalised patches costs nothing") {
  MaskedSetup s;
  for (std::int64_t b = 0; b < 2; ++b)
    for (std::int64_t token = 0; token < 16; ++token)
      for (std::int64_t i = 0; i < 48; ++i) s.pixel(b, token, i) = s.pixel(0, 0, i);
  const Tensor<double> target = normalised_by_hand(s);
  const View<double> weight = s.model.decoder.head.weight.value;
  std::fill_n(weight.data(), weight.numel(), 0.0);
  std::copy_n(target.data(), 48, s.model.decoder.head.bias.value.data());
  CHECK(s.loss() < 1e-24);
  s.model.decoder.head.bias.value(5) += 0.5;
  CHECK(s.loss() == doctest::Approx(0.25 / 48));
}

TEST_CASE("masked autoencoder: masked pixels reach the targets and not the encoder") {
  MaskedSetup s;
  Tensor<double> before({s.masked_rows(), 48}), after(before.shape());
  const double loss = s.loss(before.view());
  s.pixel(1, s.mask.masked[12 + 3], 7) += 1;
  CHECK(s.loss(after.view()) != loss);
  CHECK(bool(test::compare(test::to_array(after.view()), test::to_array(before.view()), {})));
  s.pixel(1, s.mask.visible[4 + 2], 7) += 1;
  s.loss(after.view());
  const auto sample = [](const Tensor<double>& of, std::int64_t b) {
    return test::to_array(of.view().slice(0, 12 * b, 12));
  };
  CHECK(bool(test::compare(sample(after, 0), sample(before, 0), {})));
  CHECK_FALSE(bool(test::compare(sample(after, 1), sample(before, 1), {1e-6, 0})));
}

TEST_CASE("masked autoencoder: every gradient is the slope of the loss; the decoder's grid has none") {
  MaskedSetup s;
  s.model.allocate_gradients();
  s.train();
  s.train();  // gradients add up
  s.model.visit([&](const std::string& name, Param<double>& p) {
    CAPTURE(name);
    Tensor<double> direction(p.shape);
    test::fill_normal(direction.view(), 11, stream_of(name));
    double slope = 0;
    for (std::int64_t i = 0; i < p.shape.numel(); ++i) slope += p.grad.data()[i] * direction.data()[i] / 2;
    if (name == "decoder.pos_embed") {
      for (std::int64_t i = 0; i < p.shape.numel(); ++i) CHECK(p.grad.data()[i] == 0);
      return;
    }
    const std::vector<double> origin(p.value.data(), p.value.data() + p.shape.numel());
    const auto at = [&](double step) {
      for (std::size_t i = 0; i < origin.size(); ++i) p.value.data()[i] = origin[i] + step * direction.data()[i];
      return s.loss();
    };
    const double h = 1e-5, difference = (at(h) - at(-h)) / (2 * h);
    at(0);
    CHECK(std::abs(slope) > 1e-5);
    CHECK(std::abs(difference - slope) <= 1e-6 * std::abs(slope) + 1e-9);
  });
}

TEST_CASE("masked autoencoder: a few plain gradient steps on one picture lower the loss") {
  MaskedSetup s(1);
  initialise(s.model, 2);
  for (std::int64_t i = 0; i < 16 * 48; ++i)  // diagonal waves
    s.images.data()[i] = std::sin(0.7 * static_cast<double>(i % 16) + 0.4 * static_cast<double>(i / 16 % 16));
  s.model.allocate_gradients();
  const double first = s.loss();
  CHECK(first == doctest::Approx(1).epsilon(0.1));  // nothing predicted yet: the variance
  double last = first;
  for (int step = 0; step < 20; ++step) {
    s.model.zero_gradients(s.ctx);
    s.train();
    const View<double> values = s.model.parameters().values(), gradients = s.model.parameters().gradients();
    for (std::int64_t i = 0; i < values.numel(); ++i) values(i) -= 0.2 * gradients(i);
    const double loss = s.loss();
    CHECK(loss < last);
    last = loss;
  }
  CHECK(last < 0.95 * first);
}

TEST_CASE("masked autoencoder: a plan tells exactly the scratch memory a pass takes") {
  MaskedSetup s;
  s.model.allocate_gradients();
  for (const bool training : {false, true}) {
    auto ctx = reference_context<double>();
    ctx.set_checks(true);
    const Plan made = reserve(ctx, s.model, 2, training);
    if (training)
      s.pass.run(ctx, s.model, s.images.view(), s.mask);
    else
      s.pass.evaluate(ctx, s.model, s.images.view(), s.mask);
    CHECK(ctx.arena().peak() == made.arena_bytes);
    CHECK(ctx.arena().used() == 0);
  }
}

TEST_CASE("masked autoencoder: images and masks that do not fit are named, with what was expected") {
  MaskedSetup s;
  const auto refused = [&](ErrorCode code, const std::string& part, auto&& f) {
    const std::string message = test::error_of(code, f);
    CAPTURE(message);
    CHECK(message.find(part) != std::string::npos);
    CHECK(s.ctx.arena().used() == 0);
  };
  refused(ErrorCode::argument, "allocate_gradients", [&] { s.train(); });
  refused(ErrorCode::shape, "images: expected (2, 3, 16, 16), got (2, 3, 16, 15)",
          [&] { s.pass.evaluate(s.ctx, s.model, s.images.view().slice(3, 0, 15), s.mask); });
  refused(ErrorCode::argument, "expected 1 samples of 16 tokens, got 2 of 16",
          [&] { s.pass.evaluate(s.ctx, s.model, s.images.view().slice(0, 0, 1), s.mask); });
  const auto with_mask = [&](auto change) {
    return [&s, change] {
      const TokenMask kept = s.mask;
      change(s.mask);
      try {
        s.loss();
      } catch (...) {
        s.mask = kept;
        throw;
      }
    };
  };
  refused(ErrorCode::argument, "each token once", with_mask([](TokenMask& m) { m.visible[1] = m.visible[0]; }));
  refused(ErrorCode::argument, "places in [0, 16), got 16", with_mask([](TokenMask& m) { m.masked[3] = 16; }));
  refused(ErrorCode::argument, "got 8 and 23", with_mask([](TokenMask& m) { m.masked.pop_back(); }));
}
