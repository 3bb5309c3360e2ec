// What samples are drawn: which frames, which crops, and where the target is in them.
#include "detrack/train/sampler.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <set>

#include "detrack/train/clip.hpp"
#include "detrack/train/picture_sampler.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;
using detrack::test::error_of;

namespace {

/// A target that moves right by a pixel a frame; frame i has the file "<name>/i". In frames 3 and 4 it is absent.
Sequence moving(const std::string& name, int frames) {
  Sequence sequence;
  sequence.name = name;
  for (int i = 0; i < frames; ++i) {
    sequence.frames.push_back(name + "/" + std::to_string(i));
    sequence.truth.push_back(i == 3 || i == 4 ? no_box() : Box{100.0 + i, 80, 20, 30});
  }
  return sequence;
}

int frame_of(const std::filesystem::path& file) {
  return std::stoi(file.filename().string());
}

/// Video or picture.
std::string whose(const std::filesystem::path& file) {
  return (file.has_parent_path() ? file.parent_path() : file).string();
}

ImageSize wide(const std::filesystem::path&) {
  return {320, 240};
}

/// Nothing else than mirrored.
bool plain(const Clip& clip) {
  return clip.distortion.none() && clip.camera.empty() && clip.photometric == Photometric{};
}

Config sampler_config() {
  Config c = preset("detrack-t256");
  return c;
}

std::shared_ptr<const TrainingData> data_of(std::vector<TrainingSource> sources, double min_side = 6) {
  return std::make_shared<const TrainingData>(std::move(sources), min_side);
}

TrainOptions sampler_options() {
  TrainOptions o;
  o.augment = {.flip = 0.5,
               .grayscale = 0.3,
               .brightness = 0.2,
               .colour = 0.1,
               .gamma = 0.2,
               .blur_prob = 0.5,
               .noise_prob = 0.5,
               .occlusion_prob = 0.5};
  return o;
}

}  // namespace

TEST_CASE("training data: what cannot be trained on is left out, and weights become shares") {
  StillImage picture{"p", {{0, 0, 50, 50}, {0, 0, 3, 50}, {0, 0, 0, 0}}};
  const auto data =
      data_of({{.name = "videos", .weight = 3, .sequences = {moving("a", 10)}},
               {.name = "pictures", .weight = 1, .images = {picture, {"small", {{0, 0, 4, 4}}}, {"bare", {}}}}});
  REQUIRE(data->sources().size() == 2);
  CHECK(data->sources()[0].until == 0.75);
  CHECK(data->sources()[1].until == 1);
  CHECK(data->sources()[0].videos[0].frames == std::vector<std::uint32_t>{0, 1, 2, 5, 6, 7, 8, 9});
  REQUIRE(data->sources()[1].boxed.size() == 1);
  CHECK(data->sources()[1].boxed[0].boxes.size() == 1);
  CHECK(data->sources()[1].unlabelled.size() == 1);
  CHECK(&data->draw_source(0.7499) == &data->sources()[0]);
  CHECK(&data->draw_source(0.75) == &data->sources()[1]);
  CHECK(error_of(ErrorCode::argument, [] { data_of({}); }).find("at least one source") != std::string::npos);
  CHECK(error_of(ErrorCode::argument,
                 [] {
                   data_of({{.name = "dust", .images = {{"small", {{0, 0, 4, 4}}}}}});
                 })
            .find("dust: expected targets with sides of at least 6 pixels, got none in 0 videos and 1 pictures") !=
        std::string::npos);
  for (const double weight : {0.0, -1.0, std::nan("")})
    CHECK(error_of(ErrorCode::argument, [&] {
            data_of({{.name = "videos", .weight = weight, .sequences = {moving("a", 10)}}});
          }).find("weight") != std::string::npos);
}

TEST_CASE("sampler: sample i is the same whoever asks, another attempt or seed is another sample") {
  const auto data = data_of({{.name = "videos", .sequences = {moving("a", 50), moving("b", 30)}}});
  TrainOptions o = sampler_options();
  const Sampler one(data, sampler_config(), o, wide), same(data, sampler_config(), o, wide);
  o.seed = 2;
  const Sampler other(data, sampler_config(), o, wide);
  const SampleRecipe later = one(100000);
  int different = 0;
  for (std::uint64_t i = 0; i < 50; ++i) {
    CHECK(one(i) == same(i));
    CHECK_FALSE(one(i) == one(i, 1));
    different += one(i) == other(i) ? 0 : 1;
  }
  CHECK(different == 50);
  CHECK(one(100000) == later);
}

TEST_CASE("sampler: templates in the order of time before the search frame, within the gap, where the target is seen") {
  const auto data = data_of({{.name = "videos", .sequences = {moving("a", 60)}}});
  TrainOptions o = sampler_options();
  o.sampling.max_gap = 20;
  const Sampler sampler(data, sampler_config(), o, wide);
  std::set<int> first, last;
  for (std::uint64_t i = 0; i < 500; ++i) {
    const SampleRecipe sample = sampler(i);
    REQUIRE(sample.templates.size() == 3);
    const int search = frame_of(sample.search.file), fixed = frame_of(sample.templates[0].file);
    CHECK(search >= fixed);
    CHECK(search <= fixed + 20);
    int before = fixed;
    for (const CropRecipe& crop : sample.templates) {
      CHECK(frame_of(crop.file) >= before);
      CHECK(frame_of(crop.file) <= search);
      before = frame_of(crop.file);
      CHECK(before != 3);
      CHECK(before != 4);
    }
    first.insert(fixed), last.insert(search);
    // The first template is exactly what a tracker would cut out.
    CHECK(sample.templates[0].region == crop_around({100.0 + fixed, 80, 20, 30}, 2));
  }
  CHECK(first.size() > 50);
  CHECK(last.size() > 50);
}

TEST_CASE("sampler: the truth is where the target is, the prior in the middle of the crop") {
  const auto data = data_of({{.name = "videos", .sequences = {moving("a", 60)}}});
  TrainOptions o = sampler_options();
  const Sampler sampler(data, sampler_config(), o, wide);
  int flipped = 0;
  double widest = 0, furthest = 0;
  for (std::uint64_t i = 0; i < 500; ++i) {
    const SampleRecipe sample = sampler(i);
    const Box box{100.0 + frame_of(sample.search.file), 80, 20, 30};
    const CropBox truth = sample.flip ? mirrored(sample.truth) : sample.truth;
    const Box back = to_frame(truth, sample.search.region);
    CHECK(std::abs(back.x - box.x) + std::abs(back.y - box.y) + std::abs(back.w - 20) + std::abs(back.h - 30) < 1e-9);
    CHECK(std::abs((sample.prior[0] + sample.prior[2]) / 2 - 0.5) < 1e-12);
    CHECK(std::abs((sample.prior[1] + sample.prior[3]) / 2 - 0.5) < 1e-12);
    const Box prior = to_frame(sample.prior, sample.search.region);
    CHECK(sample.search.region.side == std::ceil(4 * std::sqrt(prior.w * prior.h)));
    flipped += sample.flip ? 1 : 0;
    widest = std::max(widest, std::abs(std::log(prior.w / 20)));
    const double reach = std::sqrt(prior.w * prior.h);
    furthest = std::max(furthest, std::abs(prior.centre_x() - box.centre_x()) / reach);
    CHECK(std::abs(prior.centre_x() - box.centre_x()) <= 1.5 * reach + 1e-9);
  }
  CHECK(flipped > 200);
  CHECK(flipped < 300);
  CHECK(widest > 0.4);
  CHECK(widest < 1.5);
  CHECK(furthest > 1.4);
}

TEST_CASE("sampler: pictures give pairs of themselves, those without boxes invented targets inside") {
  const auto data = data_of({{.name = "pictures", .images = {{"boxed", {{10, 20, 60, 40}}}, {"bare", {}}}}});
  const Sampler sampler(data, sampler_config(), sampler_options(), wide);
  std::map<std::string, int> seen;
  for (std::uint64_t i = 0; i < 300; ++i) {
    const SampleRecipe sample = sampler(i);
    ++seen[sample.search.file.string()];
    for (const CropRecipe& crop : sample.templates) CHECK(crop.file == sample.search.file);
    const Box box = to_frame(sample.flip ? mirrored(sample.truth) : sample.truth, sample.search.region);
    if (sample.search.file == "boxed") {
      CHECK(std::abs(box.w - 60) < 1e-9);
      continue;
    }
    CHECK(box.x > -1e-9);
    CHECK(box.right() < 320 + 1e-9);
    CHECK(box.y > -1e-9);
    CHECK(box.bottom() < 240 + 1e-9);
    CHECK(std::min(box.w, box.h) > 15);
  }
  CHECK(seen["boxed"] > 100);
  CHECK(seen["bare"] > 100);
}

TEST_CASE("sampler: absent targets only where the stage wants them") {
  const auto data = data_of({{.name = "videos", .sequences = {moving("a", 60), moving("b", 60)}}});
  TrainOptions o = sampler_options();
  const auto absent = [&] {
    const Sampler sampler(data, sampler_config(), o, wide);
    int count = 0;
    for (std::uint64_t i = 0; i < 400; ++i) count += sampler(i).absent ? 1 : 0;
    return count;
  };
  CHECK(absent() == 0);
  o.stage = "iou";
  CHECK(absent() > 70);
  CHECK(absent() < 130);
  // Never where the target itself is, even if there is nothing else.
  const Sampler sampler(data, sampler_config(), o, wide);
  for (std::uint64_t i = 0; i < 200; ++i)
    if (const SampleRecipe sample = sampler(i); sample.absent)
      CHECK(sample.search.file.parent_path() != sample.templates[0].file.parent_path());
  const Sampler alone(data_of({{.name = "videos", .sequences = {moving("a", 60)}}}), sampler_config(), o, wide);
  for (std::uint64_t i = 0; i < 100; ++i) CHECK_FALSE(alone(i).absent);
}

TEST_CASE("sampler: options that are off change nothing, and the number of templates can be chosen") {
  const auto data = data_of({{.name = "videos", .sequences = {moving("a", 60)}}});
  TrainOptions o;
  o.augment = {.flip = 0, .grayscale = 0, .brightness = 0};
  o.sampling.scale_jitter = o.sampling.centre_jitter = o.sampling.template_jitter = 0;
  o.templates = 1;
  const Sampler sampler(data, sampler_config(), o, wide);
  for (std::uint64_t i = 0; i < 50; ++i) {
    const SampleRecipe sample = sampler(i);
    CHECK(sample.templates.size() == 1);
    CHECK_FALSE(sample.flip);
    CHECK_FALSE(sample.search.occluder.has_value());
    Photometric untouched = sample.search.photometric;
    untouched.noise_seed = 0;
    CHECK(untouched == Photometric{});
    for (std::size_t k = 0; k < 4; ++k) CHECK(std::abs(sample.truth[k] - sample.prior[k]) < 1e-12);
  }
  o.templates = 4;
  CHECK(error_of(ErrorCode::argument, [&] { Sampler(data, sampler_config(), o, wide); }).find("at most the model's 3") !=
        std::string::npos);
}

TEST_CASE("sampler: samples of a configuration that knows nothing of newer options stay what they were") {
  const auto data = data_of({{.name = "videos", .sequences = {moving("a", 50), moving("b", 30)}},
                             {.name = "pictures", .images = {{"boxed", {{10, 20, 60, 40}}}, {"bare", {}}}}});
  TrainOptions o = sampler_options();
  o.stage = "iou";
  const Sampler sampler(data, sampler_config(), o, wide);
  double places = 0, boxes = 0, colours = 0;
  std::uint64_t bits = 0;
  const auto add = [&](const CropRecipe& crop) {
    const Photometric& p = crop.photometric;
    places += crop.region.centre_x + 2 * crop.region.centre_y + crop.region.side;
    colours += p.gamma + p.gain[1] + p.blur + p.noise;
    bits ^= p.noise_seed + (p.grayscale ? 1u : 0u) + crop.file.string().size();
    if (crop.occluder) boxes += crop.occluder->to[0] + 2 * crop.occluder->to[3] + crop.occluder->from_x;
    CHECK(crop.distortion.none());
  };
  for (std::uint64_t i = 0; i < 400; ++i) {
    const SampleRecipe sample = sampler(i);
    add(sample.search);
    for (const CropRecipe& crop : sample.templates) add(crop);
    for (std::size_t k = 0; k < 4; ++k) boxes += static_cast<double>(k + 1) * (sample.truth[k] + 3 * sample.prior[k]);
    boxes += (sample.flip ? 1 : 0) + (sample.absent ? 2 : 0);
  }
  // What the sampler gave before crops could be turned.
  CHECK(std::abs(places - 638375.809904978) < 1e-6);
  CHECK(std::abs(boxes - 9601.264262505) < 1e-6);
  CHECK(std::abs(colours - 3997.264769241) < 1e-6);
  CHECK(bits == 12722574362092497838u);
}

TEST_CASE("sampler: newer options change what they are for and nothing else") {
  const auto data = data_of({{.name = "videos", .sequences = {moving("a", 60), moving("b", 30)}},
                             {.name = "pictures", .images = {{"boxed", {{10, 20, 60, 40}}}, {"bare", {}}}}});
  TrainOptions o = sampler_options();
  const Sampler before(data, sampler_config(), o, wide);
  o.augment.rotation = 0.3, o.augment.aspect = 0.2;
  o.augment.unlabelled_rotation = 1.5, o.augment.unlabelled_aspect = 0.5;
  o.augment.motion_blur_prob = o.augment.low_resolution_prob = o.augment.foreign_occlusion_prob = 0.5;
  const Sampler after(data, sampler_config(), o, wide);
  std::map<std::string, double> turned, stretched;
  int moved = 0, coarse = 0, hidden = 0;
  for (std::uint64_t i = 0; i < 600; ++i) {
    const SampleRecipe one = before(i), two = after(i);
    CHECK(two == after(i));
    CHECK(one.flip == two.flip);
    const std::string kind = two.search.file == "bare" ? "bare" : "labelled";
    const auto compare = [&](const CropRecipe& a, const CropRecipe& b) {
      CHECK(a.file == b.file);
      Photometric p = b.photometric;
      CHECK(p.motion <= 1.0 / 12);
      CHECK(p.low_resolution <= 4);
      moved += p.motion > 0 ? 1 : 0, coarse += p.low_resolution > 1 ? 1 : 0;
      p.motion = p.motion_direction = 0, p.low_resolution = 1;
      CHECK(p == a.photometric);
      turned[kind] = std::max(turned[kind], std::abs(b.distortion.rotation));
    };
    compare(one.search, two.search);
    REQUIRE(one.templates.size() == two.templates.size());
    for (std::size_t k = 0; k < one.templates.size(); ++k) {
      compare(one.templates[k], two.templates[k]);
      CHECK(two.templates[k].distortion.aspect == 0);
      CHECK(two.templates[k].patches.empty());
    }
    stretched[kind] = std::max(stretched[kind], std::abs(two.search.distortion.aspect));
    // The prior is still the middle of the crop, and the crop the right one around it.
    CHECK(std::abs((two.prior[0] + two.prior[2]) / 2 - 0.5) < 1e-9);
    CHECK(std::abs((two.prior[1] + two.prior[3]) / 2 - 0.5) < 1e-9);
    const double w = two.prior[2] - two.prior[0], h = two.prior[3] - two.prior[1], side = two.search.region.side;
    CHECK(std::abs(side - std::ceil(4 * std::sqrt(w * h) * side - 1e-9)) < 1e-9);
    if (two.search.patches.empty()) continue;
    ++hidden;
    const Patch& occluder = two.search.patches.front();
    CHECK(whose(occluder.file) != whose(two.search.file));
    const CropBox truth = two.flip ? mirrored(two.truth) : two.truth;  // occluders are of the crop before it is mirrored
    const auto box = [](const CropBox& c) { return Box{c[0], c[1], c[2] - c[0], c[3] - c[1]}; };
    const double covered = intersection(box(truth), box(occluder.to)) / box(truth).area();
    CHECK(covered > 0.05);
    CHECK(covered <= 0.5 + 1e-9);
  }
  CHECK(turned["labelled"] > 0.28);
  CHECK(turned["labelled"] <= 0.3);
  CHECK(turned["bare"] > 1.4);
  CHECK(turned["bare"] <= 1.5);
  CHECK(stretched["labelled"] > 0.18);
  CHECK(stretched["labelled"] <= 0.2);
  CHECK(stretched["bare"] > 0.45);
  CHECK(stretched["bare"] <= 0.5);
  CHECK(std::abs(moved - 1200) < 120);
  CHECK(std::abs(coarse - 1200) < 120);
  CHECK(std::abs(hidden - 300) < 50);
  // There is nothing else to cover with.
  const Sampler alone(data_of({{.name = "videos", .sequences = {moving("a", 60)}}}), sampler_config(), o, wide);
  for (std::uint64_t i = 0; i < 50; ++i) CHECK(alone(i).search.patches.empty());
}

TEST_CASE("sampler: distractors lie beside the target, from another video or picture of its source") {
  const auto data = data_of({{.name = "videos", .sequences = {moving("a", 60), moving("b", 30)}},
                             {.name = "pictures", .images = {{"p", {{10, 20, 60, 40}}}, {"q", {{50, 60, 30, 90}}}}}});
  TrainOptions o = sampler_options();
  const Sampler without(data, sampler_config(), o, wide);
  o.augment.distractor_prob = 0.5;
  const Sampler sampler(data, sampler_config(), o, wide);
  int count = 0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    SampleRecipe got = sampler(i);
    if (!got.search.patches.empty()) {
      ++count;
      const Patch& patch = got.search.patches.front();
      CHECK(whose(patch.file) != whose(got.search.file));
      CHECK(whose(patch.file).size() == whose(got.search.file).size());
      CHECK((whose(patch.file) < "c") == (whose(got.search.file) < "c"));  // videos with videos, pictures with pictures
      REQUIRE(got.others.size() == 1);
      CHECK(got.others.front() == (got.flip ? mirrored(patch.to) : patch.to));
      const CropBox& to = got.others.front();
      const auto box = [](const CropBox& c) { return Box{c[0], c[1], c[2] - c[0], c[3] - c[1]}; };
      CHECK(intersection(box(to), box(got.truth)) <= 0);
      CHECK(std::min((to[0] + to[2]) / 2, (to[1] + to[3]) / 2) >= 0);
      CHECK(std::max((to[0] + to[2]) / 2, (to[1] + to[3]) / 2) <= 1);
      CHECK(std::abs(std::log(box(to).area() / box(got.truth).area())) < 0.3 * 5);
      // Its own proportions, and the square that is shown begins where the object does.
      const Box object = patch.file == "p"   ? Box{10, 20, 60, 40}
                         : patch.file == "q" ? Box{50, 60, 30, 90}
                                             : Box{0, 0, 20, 30};
      CHECK(box(to).w / box(to).h == doctest::Approx(object.w / object.h));
      CHECK(patch.from.side == std::max(object.w, object.h));
      if (patch.file == "p") CHECK(patch.from.left() == doctest::Approx(10));
      if (patch.file == "q") CHECK(patch.from.top() == doctest::Approx(60));
    }
    got.search.patches.clear(), got.others.clear();
    CHECK(got == without(i));
  }
  CHECK(count > 120);
  CHECK(count < 240);
  // Nothing else is in the source.
  const Sampler alone(data_of({{.name = "videos", .sequences = {moving("a", 60)}}}), sampler_config(), o, wide);
  for (std::uint64_t i = 0; i < 50; ++i) CHECK(alone(i).search.patches.empty());
  // Where the crop does not show the target, nothing that is laid over it does.
  o.stage = "iou";
  o.sampling.negative_prob = 0.5;
  o.augment.distractor_prob = o.augment.foreign_occlusion_prob = 1;
  const Sampler judged(data_of({{.name = "videos", .sequences = {moving("a", 60), moving("b", 30), moving("c", 30)}}}),
                       sampler_config(), o, wide);
  int absent = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    const SampleRecipe sample = judged(i);
    absent += sample.absent ? 1 : 0;
    for (const Patch& patch : sample.search.patches) {
      CHECK(whose(patch.file) != whose(sample.templates.front().file));
      CHECK(whose(patch.file) != whose(sample.search.file));
    }
  }
  CHECK(absent > 25);
}

TEST_CASE("sampler: other targets of a picture are where the crop shows them") {
  const std::vector<Box> boxes{{100, 100, 40, 20}, {150, 110, 20, 40}, {2000, 100, 40, 40}};
  TrainOptions o = sampler_options();
  const auto data = data_of({{.name = "pictures", .images = {{"p", boxes}}}});
  for (const double rotation : {0.0, 0.4}) {
    o.augment.rotation = rotation;
    const Sampler sampler(data, sampler_config(), o, wide);
    int seen = 0;
    for (std::uint64_t i = 0; i < 200; ++i) {
      const SampleRecipe sample = sampler(i);
      CHECK(sample.others.size() <= 1);  // the third is far from the others
      if (sample.others.empty()) continue;
      ++seen;
      const CropBox truth = sample.flip ? mirrored(sample.truth) : sample.truth;
      const CropBox other = sample.flip ? mirrored(sample.others.front()) : sample.others.front();
      const double side = sample.search.region.side;
      const double dx = (other[0] + other[2] - truth[0] - truth[2]) / 2 * side,
                   dy = (other[1] + other[3] - truth[1] - truth[3]) / 2 * side;
      CHECK(std::hypot(dx, dy) == doctest::Approx(std::hypot(40, 20)));  // turning keeps distances
      const auto [a, b, c, d] = sample.search.distortion.matrix();
      const double sign = (truth[2] - truth[0]) * side > 30 ? 1 : -1;  // which of the two is the target
      if (rotation == 0) CHECK(sign * dx == doctest::Approx(40));
      CHECK(sign * dx == doctest::Approx(a * 40 + b * 20));
      CHECK(sign * dy == doctest::Approx(c * 40 + d * 20));
    }
    CHECK(seen > 50);
  }
}

TEST_CASE("picture sampler: squares inside the picture, of a fifth of it at least") {
  const auto data =
      data_of({{.name = "pictures", .images = {{"bare", {}}}}, {.name = "videos", .sequences = {moving("a", 60)}}});
  const PictureSampler sampler(data, sampler_options(), wide);
  for (std::uint64_t i = 0; i < 300; ++i) {
    const SampleRecipe sample = sampler(i);
    CHECK(sample == sampler(i));
    CHECK(sample.templates.empty());
    const CropRegion& region = sample.search.region;
    CHECK(region.side >= 240 * std::sqrt(0.2) - 1e-9);
    CHECK(region.left() >= -1e-9);
    CHECK(region.top() >= -1e-9);
    CHECK(region.left() + region.side <= 320 + 1e-9);
    CHECK(region.top() + region.side <= 240 + 1e-9);
  }
}

TEST_CASE("clips: of one length, of frames in the order of time, at least eight") {
  const auto data = data_of({{.name = "videos", .sequences = {moving("short", 7), moving("a", 14), moving("b", 60)}},
                             {.name = "pictures", .images = {{"boxed", {{10, 20, 60, 40}}}}}});
  TrainOptions o;
  o.batch = 3;
  o.rollout = 20;
  const ClipSampler sampler(data, o, wide);
  std::set<std::size_t> lengths;
  for (std::uint64_t i = 0; i < 100; ++i) {
    const auto clips = sampler(i);
    REQUIRE(clips.size() == 3);
    lengths.insert(clips[0].files.size());
    for (const Clip& clip : clips) {
      CHECK(clip.files.size() == clips[0].files.size());
      CHECK(clip.boxes.size() == clip.files.size());
      for (std::size_t t = 0; t < clip.files.size(); ++t) {
        CHECK(clip.boxes[t].x == 100.0 + frame_of(clip.files[t]));
        if (t > 0) CHECK(frame_of(clip.files[t]) > frame_of(clip.files[t - 1]));
      }
    }
  }
  CHECK(lengths == std::set<std::size_t>{12, 20});
  CHECK(error_of(ErrorCode::argument, [&] {
          ClipSampler(data_of({{.name = "videos", .sequences = {moving("short", 7)}}}), o, wide);
        }).find("a video of at least 8 frames") != std::string::npos);
  CHECK(error_of(ErrorCode::argument, [&] { sampler.replacement(0, 0, 61); }).find("of at least 61") != std::string::npos);
}

TEST_CASE("clips: strides, directions and changes are drawn beside the rest") {
  const auto data = data_of({{.name = "videos", .sequences = {moving("a", 60), moving("b", 30)}}});
  TrainOptions o;
  o.batch = 4;
  o.rollout = 12;
  const ClipSampler unchanged(data, o, wide);
  o.sampling.clip_stride = 3;
  o.sampling.backwards_prob = 0.5;
  o.augment.clip_prob = 0.5;
  o.augment.rotation = 0.2;
  o.augment.aspect = 0.1;
  o.augment.motion_blur_prob = 0.5;
  const ClipSampler sampler(data, o, wide);
  std::set<int> steps;
  int changed = 0;
  for (std::uint64_t i = 0; i < 60; ++i) {
    const auto clips = sampler(i), same = sampler(i), others = unchanged(i);
    for (std::size_t b = 0; b < clips.size(); ++b) {
      const Clip& clip = clips[b];
      CHECK(plain(others[b]));
      CHECK(whose(others[b].files[0]) == whose(clip.files[0]));
      CHECK(others[b].flip == clip.flip);
      CHECK(clip.files == same[b].files);
      CHECK(clip.photometric == same[b].photometric);
      CHECK(clip.distortion == same[b].distortion);
      CHECK(clip.name.ends_with(" from frame " + std::to_string(frame_of(clip.files[0]))));
      const bool forwards = frame_of(clip.files.back()) > frame_of(clip.files[0]);
      const std::size_t late = forwards ? clip.files.size() - 1 : 1;  // of two frames that do not enclose those
      const int step = frame_of(clip.files[late]) - frame_of(clip.files[late - 1]);
      for (std::size_t t = 1; t < clip.files.size(); ++t) {
        CHECK(clip.boxes[t].x == 100.0 + frame_of(clip.files[t]));
        if (std::min(frame_of(clip.files[t]), frame_of(clip.files[t - 1])) > 5)  // past the frames without a target
          CHECK(frame_of(clip.files[t]) - frame_of(clip.files[t - 1]) == step);
      }
      steps.insert(step);
      changed += !plain(clip);
      CHECK(std::abs(clip.distortion.rotation) <= 0.2);
    }
  }
  for (const int step : {-3, -2, -1, 1, 2, 3}) CHECK(steps.contains(step));
  CHECK(changed > 90);  // of 120 that are expected
  CHECK(changed < 150);
}

TEST_CASE("clips: of pictures, before which a camera moves without jerks") {
  const auto data =
      data_of({{.name = "videos", .sequences = {moving("a", 60)}},
               {.name = "pictures", .images = {{"boxed", {{10, 20, 60, 40}, {30, 30, 20, 20}}}, {"bare", {}}}}});
  TrainOptions o;
  o.batch = 4;
  o.rollout = 24;
  o.sampling.still_prob = 0.5;
  o.augment.camera = 0.1;
  const ClipSampler sampler(data, o, wide);
  int stills = 0, invented = 0;
  double furthest = 0;
  for (std::uint64_t i = 0; i < 50; ++i)
    for (const Clip& clip : sampler(i)) {
      if (clip.camera.empty()) {
        CHECK(plain(clip));
        continue;
      }
      ++stills;
      invented += clip.invented;
      const std::string file = clip.invented ? "bare" : "boxed";
      CHECK(clip.name == "pictures: " + file);
      CHECK(clip.files == std::vector<std::filesystem::path>(24, file));
      CHECK(intersection(clip.boxes[0], {0, 0, 320, 240}) == doctest::Approx(clip.boxes[0].w * clip.boxes[0].h));
      CHECK(clip.boxes == std::vector<Box>(24, clip.boxes[0]));
      REQUIRE(clip.camera.size() == 24);
      CHECK(clip.camera[0] == CameraView{});
      const double size = std::sqrt(clip.boxes[0].w * clip.boxes[0].h);
      for (std::size_t t = 1; t < 24; ++t) {
        const CameraView& view = clip.camera[t];
        const double step = std::hypot(view.x - clip.camera[t - 1].x, view.y - clip.camera[t - 1].y) / size;
        CHECK(step < 0.7);  // 5 deviations
        CHECK(std::abs(std::log(view.zoom)) < 1);
        furthest = std::max(furthest, std::hypot(view.x, view.y) / size);
      }
    }
  CHECK(stills > 70);  // of 100 that are expected
  CHECK(stills < 130);
  CHECK(invented > stills / 3);
  CHECK(invented < 2 * stills / 3);
  CHECK(furthest > 1);
}

TEST_CASE("clips: found however little a source with long videos weighs, in the share of those that have them") {
  TrainOptions o;
  o.batch = 1;
  o.augment.flip = 0;
  const auto samples = [&](const std::string& name, double weight, int frames) {
    return TrainingSource{.name = name, .weight = weight, .sequences = {moving(name, 7), moving(name + " 2", frames)}};
  };
  const auto data = data_of({samples("short", 1e8, 7), samples("rare", 1e-12, 20), samples("rarer", 0.5e-12, 20)});
  const ClipSampler sampler(data, o, wide);
  int rare = 0;
  for (std::uint64_t i = 0; i < 30; ++i) {
    const Clip clip = sampler(i)[0];
    CHECK(clip.files.size() == 18);
    CHECK(clip.name.find(" 2 from frame") != std::string::npos);
    rare += clip.name.starts_with("rare:");
  }
  CHECK(rare > 10);  // of 20 that are expected
  CHECK(rare < 30);
}
