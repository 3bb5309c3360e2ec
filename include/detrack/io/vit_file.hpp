// The vision transformer in a file: its tensors by name, and whether it is of a model's kind and size.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "detrack/io/vit_names.hpp"
#include "detrack/io/weights_file.hpp"

namespace detrack::detail {

inline constexpr std::string_view kPatchWeight = "patch_embed.proj.weight";

/// The file's tensors under their bare names.
class VitTensors {
 public:
  explicit VitTensors(const WeightsFile& file) {
    for (const TensorInfo& tensor : file.tensors()) by_name_[std::string(bare_vit_name(tensor.name))].push_back(&tensor);
  }
  const std::vector<const TensorInfo*>& find(std::string_view bare) const {
    static const std::vector<const TensorInfo*> none;
    const auto at = by_name_.find(bare);
    return at == by_name_.end() ? none : at->second;
  }
  bool has(std::string_view bare) const { return !find(bare).empty(); }

  template <class F>
  void for_each(F&& f) const {
    for (const auto& [bare, tensors] : by_name_) f(std::string_view(bare), *tensors.front());
  }

 private:
  std::map<std::string, std::vector<const TensorInfo*>, std::less<>> by_name_;
};

/// The numbers that a transformer of a file and the one of a model must share, as far as names and shapes tell them.
struct VitSizes {
  std::int64_t width = 0, channels = 0, patch_rows = 0, patch_columns = 0, depth = 0;

  /// `patch` is the shape of the patch embedding's weight, of rank 4.
  template <class Extents>
  void set_patch(const Extents& patch) {
    width = patch[0];
    channels = patch[1];
    patch_rows = patch[2];
    patch_columns = patch[3];
  }
  void count_block(std::string_view bare) {
    if (const auto name = vit_block_name(bare)) depth = std::max(depth, name->block + 1);
  }
};

/// Errors: state_dict, for a file that holds no transformer, or one with parts that the model cannot have: without them the
/// others would compute something else.
inline VitSizes sizes_of_file(const WeightsFile& file, const VitTensors& tensors) {
  VitSizes sizes;
  tensors.for_each([&](std::string_view bare, const TensorInfo&) { sizes.count_block(bare); });
  const auto& patch = tensors.find(kPatchWeight);
  if (patch.empty() || sizes.depth == 0)
    fail(ErrorCode::state_dict, file.path(), ": expected a vision transformer (", kPatchWeight, ", blocks.0.*, ...), got ",
         patch.empty() ? "no such patch embedding" : "no blocks", " among ", file.tensors().size(), " tensors");
  if (patch.front()->shape.size() != 4)
    fail(ErrorCode::state_dict, file.path(), ": ", in_quotes(patch.front()->name),
         ": expected (width, channels, patch size, patch size), got ", to_string(patch.front()->shape));
  sizes.set_patch(patch.front()->shape);
  tensors.for_each([&](std::string_view bare, const TensorInfo& tensor) {
    if (!bare.starts_with(kVitBlocks)) return;
    const auto name = vit_block_name(bare);
    if (!name || !(is_vit_block_part(name->part) || is_apart(name->part) || name->part.starts_with("denoise.")))
      fail(ErrorCode::state_dict, file.path(), ": ", in_quotes(tensor.name),
           ": expected blocks of norm1, attn, norm2 and mlp alone, got a transformer of another kind");
  });
  return sizes;
}

/// Errors: state_dict, with every number that differs.
inline void check_sizes(const std::string& path, const VitSizes& model, const VitSizes& file, bool allow_depth) {
  std::string text;
  const auto expect = [&](const char* name, const std::string& expected, const std::string& got) {
    if (expected != got) text += (text.empty() ? " " : "; ") + concat(name, ": expected ", expected, ", got ", got);
  };
  const auto number = [](std::int64_t x) { return std::to_string(x); };
  const auto patch = [&](const VitSizes& sizes) { return number(sizes.patch_rows) + "x" + number(sizes.patch_columns); };
  expect("width", number(model.width), number(file.width));
  expect("depth", number(model.depth) + " blocks", number(allow_depth ? model.depth : file.depth) + " blocks");
  expect("patch size", patch(model), patch(file));
  expect("image channels", number(model.channels), number(file.channels));
  if (!text.empty()) fail(ErrorCode::state_dict, path, ": the vision transformer does not fit the model:", text);
}

}  // namespace detrack::detail
