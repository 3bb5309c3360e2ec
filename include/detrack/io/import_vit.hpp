// The weights of other people's vision transformers into a model's backbone.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/io/import_report.hpp"
#include "detrack/io/resample_grid.hpp"
#include "detrack/io/state_dict.hpp"
#include "detrack/io/vit_file.hpp"
#include "detrack/io/vit_names.hpp"
#include "detrack/io/weights_file.hpp"

// A model is what it is for state_dict.hpp. What is imported are its parameters "backbone.*"; they have the names of the
// file's tensors but for the position embeddings: "backbone.pos_embed_search" and "backbone.pos_embed_template".

namespace detrack {

struct ImportVitOptions {
  /// A file of more or fewer blocks than the model gives those that both have. Refused otherwise.
  bool allow_depth = false;
};

namespace detail {

inline constexpr std::string_view kBackbone = "backbone.";

/// The side of a square grid of so many tokens, or 0.
inline std::int64_t grid_side(std::int64_t tokens) {
  if (tokens < 1) return 0;
  const auto side = std::llround(std::sqrt(static_cast<double>(tokens)));
  return side * side == tokens ? side : 0;
}

/// Takes the model's parameters one by one, finds for each where its values come from, and writes at the end.
class VitImport {
 public:
  VitImport(const WeightsFile& file, const VitTensors& tensors, const VitSizes& sizes)
      : file_(file), tensors_(tensors), sizes_(sizes) {
    report_.file = file.path();
  }

  template <class T>
  void add(const std::string& parameter, const View<T>& value) {
    if (!names_.insert(parameter).second) return problem(Problems::repeated, in_quotes(parameter));
    if (!parameter.starts_with(kBackbone)) return leave(parameter);
    const std::string_view bare = std::string_view(parameter).substr(kBackbone.size());
    if (bare == "pos_embed_search" || bare == "pos_embed_template") return add_grid(parameter, bare, value);
    if (const auto parts = find_apart(bare); !parts.empty() && !tensors_.has(bare))
      return add_apart(parameter, parts, value);
    if (!tensors_.has(bare)) return needed(bare) ? miss(bare) : leave(parameter);
    const TensorInfo* tensor = one(bare);
    // As many rows as templates: another number of them is no other transformer.
    if (bare == "template_embed" && !same_extents(*tensor, value.shape())) return leave(parameter);
    if (!accepts<T>(*tensor, value.shape())) return;
    enter({ImportReport::Outcome::loaded, parameter, {tensor->name}});
    load(*tensor, value);
  }

  /// Errors: state_dict; nothing is written then.
  ImportReport run() {
    problems_.raise(file_.path());
    for (const TensorInfo& tensor : file_.tensors())
      if (!used_.contains(tensor.name)) report_.entries.push_back({ImportReport::Outcome::unused, "", {tensor.name}});
    std::stable_sort(writes_.begin(), writes_.end(), [](const Write& a, const Write& b) { return a.from < b.from; });
    file_.expect_sequential_reads();
    for (const Write& write : writes_) write.run();
    return std::move(report_);
  }

 private:
  using Problems = StateDictProblems;
  struct Write {
    const std::byte* from;
    std::function<void()> run;
  };

  /// Once, although a position embedding serves two parameters.
  void problem(Problems::Kind kind, std::string text) {
    if (said_.insert(text).second) problems_.add(kind, std::move(text));
  }
  void leave(const std::string& parameter) { enter({ImportReport::Outcome::initialised, parameter, {}}); }
  void miss(std::string_view bare) { problem(Problems::missing, in_quotes(bare)); }
  void enter(ImportReport::Entry entry) {
    used_.insert(entry.tensors.begin(), entry.tensors.end());
    report_.entries.push_back(std::move(entry));
  }

  /// Whether no transformer is whole without it. Files for pooled classifiers lack the last norm.
  bool needed(std::string_view bare) const {
    if (const auto name = vit_block_name(bare)) return is_vit_block_part(name->part) && name->block < sizes_.depth;
    if (bare == "norm.weight") return tensors_.has("norm.bias");
    if (bare == "norm.bias") return tensors_.has("norm.weight");
    return bare.starts_with("patch_embed.proj.");
  }

  /// The tensor of a bare name that the file has.
  const TensorInfo* one(std::string_view bare) {
    const auto& all = tensors_.find(bare);
    if (all.size() > 1) problem(Problems::ambiguous, in_quotes(all[0]->name) + " and " + in_quotes(all[1]->name));
    return all.front();
  }

  template <class T>
  bool accepts_type(const TensorInfo& tensor) {
    if (is_convertible(tensor.dtype, DTypeOf<T>::value)) return true;
    problem(Problems::wrong_type, in_quotes(tensor.name) + " (expected " + std::string(to_string(DTypeOf<T>::value)) +
                                      ", got " + std::string(to_string(tensor.dtype)) + ")");
    return false;
  }
  bool refuse_shape(const TensorInfo& tensor, const std::string& expected) {
    problem(Problems::wrong_shape,
            in_quotes(tensor.name) + " (expected " + expected + ", got " + to_string(tensor.shape) + ")");
    return false;
  }
  template <class T>
  bool accepts(const TensorInfo& tensor, const Shape& shape) {
    return same_extents(tensor, shape) ? accepts_type<T>(tensor) : refuse_shape(tensor, to_string(shape));
  }

  template <class T>
  void load(const TensorInfo& tensor, const View<T>& value) {
    writes_.push_back({tensor.bytes.data(), [this, &tensor, value] {
                         HostOnly host;
                         read_parameter(file_, tensor, value, host);
                       }});
  }

  /// The bare names of queries, keys and values for the fused parameter `bare`, where the file has any of them.
  std::vector<std::string> find_apart(std::string_view bare) {
    const auto name = vit_block_name(bare);
    constexpr std::string_view fused = "attn.qkv.";
    if (!name || !name->part.starts_with(fused)) return {};
    const std::string block(bare.substr(0, bare.size() - name->part.size()));
    std::vector<std::string> found;
    for (const auto& way : kApart) {
      std::vector<std::string> names;
      for (const std::string_view part : way)
        names.push_back(block + std::string(part) + std::string(name->part.substr(fused.size())));
      if (std::none_of(names.begin(), names.end(), [&](const auto& each) { return tensors_.has(each); })) continue;
      const std::string other = !found.empty() ? found.front() : tensors_.has(bare) ? std::string(bare) : "";
      if (!other.empty()) problem(Problems::ambiguous, in_quotes(other) + " and " + in_quotes(names.front()));
      found = std::move(names);
    }
    return found;
  }

  template <class T>
  void add_apart(const std::string& parameter, const std::vector<std::string>& parts, const View<T>& value) {
    if (value.rank() < 1 || value.extent(0) % 3 != 0)
      fail(ErrorCode::shape, "import_vit: parameter ", in_quotes(parameter),
           ": expected rows of queries, keys and values, got ", to_string(value.shape()));
    const std::int64_t rows = value.extent(0) / 3;
    ImportReport::Entry entry{ImportReport::Outcome::loaded, parameter, {}};
    for (std::size_t i = 0; i < 3; ++i) {
      if (!tensors_.has(parts[i])) {
        miss(parts[i]);
        continue;
      }
      const TensorInfo* tensor = one(parts[i]);
      const View<T> part = value.slice(0, static_cast<std::int64_t>(i) * rows, rows);
      entry.tensors.push_back(tensor->name);
      if (accepts<T>(*tensor, part.shape())) load(*tensor, part);
    }
    enter(std::move(entry));
  }

  template <class T>
  void add_grid(const std::string& parameter, std::string_view bare, const View<T>& value) {
    const std::int64_t C = sizes_.width, to = value.rank() == 3 ? grid_side(value.extent(1)) : 0;
    if (to == 0 || !(value.shape() == Shape{1, to * to, C}))
      fail(ErrorCode::state_dict, "import_vit: parameter ", in_quotes(parameter), ": expected the shape (1, n * n, ", C,
           "), got ", to_string(value.shape()));
    std::string_view source = "pos_embed";  // of other people's files
    if (tensors_.has("pos_embed_search")) source = "pos_embed_search";
    if (tensors_.has(bare)) source = bare;
    if (!tensors_.has(source)) return miss(source);
    const TensorInfo& tensor = *one(source);
    const bool may_have_tokens = source == "pos_embed";
    std::int64_t skipped = 0, from = 0;  // class and distillation token come first
    if (tensor.shape.size() == 3 && tensor.shape[0] == 1 && tensor.shape[2] == C)
      for (skipped = 0; skipped <= (may_have_tokens ? 2 : 0); ++skipped)
        if ((from = grid_side(tensor.shape[1] - skipped)) > 0) break;
    if (from == 0) {
      refuse_shape(tensor, concat("(1, n * n", may_have_tokens ? " and 0, 1 or 2 tokens" : "", ", ", C, ")"));
      return;
    }
    if (!accepts_type<T>(tensor)) return;
    if (from == to) {
      enter({ImportReport::Outcome::loaded, parameter, {tensor.name}});
      writes_.push_back({tensor.bytes.data(), [this, &tensor, value, first = skipped * C] {
                           file_.read(tensor, first, std::span<T>(value.data(), static_cast<std::size_t>(value.numel())));
                         }});
      return;
    }
    enter({ImportReport::Outcome::interpolated, parameter, {tensor.name}, from, to});
    // Now, not among the writes: it needs memory, and they must not fail.
    std::vector<double> old(static_cast<std::size_t>(from * from * C)), resampled(static_cast<std::size_t>(value.numel()));
    file_.read(tensor, skipped * C, std::span(old));
    resample_grid(old, from, resampled, to, C);
    writes_.push_back({tensor.bytes.data(), [value, resampled = std::move(resampled)] {
                         std::transform(resampled.begin(), resampled.end(), value.data(),
                                        [](double x) { return convert_value<T>(x); });
                       }});
  }

  const WeightsFile& file_;
  const VitTensors& tensors_;
  VitSizes sizes_;  // of the file
  ImportReport report_;
  Problems problems_;
  std::set<std::string> names_, said_;
  std::set<std::string, std::less<>> used_;
  std::vector<Write> writes_;
};

}  // namespace detail

/// Reads the weights of a plain vision transformer (classifier, MAE, DeiT, DINO, under timm's names, whatever of "module.",
/// "encoder.", "backbone.", "model." is put before them) into the parameters "backbone.*" of `model`; all others stay as
/// they are. Queries, keys and values stored apart ("attn.q", "attn.q_proj") are put together. Position embeddings lose the
/// rows of class and distillation token, and are resampled to the model's two grids (resample_grid.hpp). A file of this
/// library gives its own grids and denoising halves too. Heads, decoders and tokens are left unused. The number of heads is
/// in no file of this kind: that it is the model's is for the caller to know (width / 64 in the usual ones), and so are
/// normalisation of images and layer norms' epsilon.
/// Parameters must be in host memory. All is checked before the first value is written: when it fails, the model is as it
/// was. Errors: state_dict (no vision transformer, or one of another width, depth, patch size or kind; tensors missing, or
/// of another shape or type), device, shape (of the model's views).
template <class Model>
ImportReport import_vit(const WeightsFile& file, Model&& model, const ImportVitOptions& options = {}) {
  detail::VitSizes wanted;
  model.visit([&](const std::string& name, auto& parameter) {
    if (parameter.value.device().kind != DeviceKind::cpu)
      fail(ErrorCode::device, "import_vit: parameter ", detail::in_quotes(name), ": expected cpu memory, got ",
           to_string(parameter.value.device()));
    if (!parameter.value.contiguous())
      fail(ErrorCode::shape, "import_vit: parameter ", detail::in_quotes(name), ": expected a contiguous view");
    if (!name.starts_with(detail::kBackbone)) return;
    const std::string_view bare = std::string_view(name).substr(detail::kBackbone.size());
    wanted.count_block(bare);
    if (bare == detail::kPatchWeight && parameter.value.rank() == 4) wanted.set_patch(parameter.value.shape());
  });
  if (wanted.width == 0 || wanted.depth == 0)
    fail(ErrorCode::state_dict, "import_vit: model: expected parameters ", detail::kBackbone, detail::kPatchWeight, " and ",
         detail::kBackbone, "blocks.*, got a model without");
  const detail::VitTensors tensors(file);
  const detail::VitSizes found = detail::sizes_of_file(file, tensors);
  detail::check_sizes(file.path(), wanted, found, options.allow_depth);
  detail::VitImport import(file, tensors, found);
  model.visit([&](const std::string& name, auto& parameter) { import.add(name, parameter.value); });
  return import.run();
}

}  // namespace detrack
