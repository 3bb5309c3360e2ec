// The names that vision transformers' tensors have in other people's files.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace detrack::detail {

/// Without what wrappers around the transformer put before its names: "module.encoder.norm.bias" is "norm.bias".
inline std::string_view bare_vit_name(std::string_view name) {
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view wrapper : {"module.", "encoder.", "backbone.", "model."})
      if (name.starts_with(wrapper)) {
        name.remove_prefix(wrapper.size());
        again = true;
      }
  }
  return name;
}

/// A name within a block.
struct VitBlockName {
  std::int64_t block = 0;
  std::string_view part;
};

inline constexpr std::string_view kVitBlocks = "blocks.";

/// "blocks.7.attn.qkv.bias" is "attn.qkv.bias" of block 7; nothing if the bare name is no such name.
inline std::optional<VitBlockName> vit_block_name(std::string_view bare) {
  if (!bare.starts_with(kVitBlocks)) return {};
  bare.remove_prefix(kVitBlocks.size());
  const std::size_t dot = bare.find('.');
  if (dot == std::string_view::npos || dot == 0 || dot > 6 || (bare[0] == '0' && dot > 1)) return {};
  std::uint32_t block = 0;
  const auto [end, error] = std::from_chars(bare.data(), bare.data() + dot, block);
  if (error != std::errc{} || end != bare.data() + dot) return {};
  return VitBlockName{block, bare.substr(dot + 1)};
}

/// What every block of a plain vision transformer has, under the name that the model has it under.
inline bool is_vit_block_part(std::string_view part) {
  constexpr std::array<std::string_view, 6> layers{"norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"};
  return std::any_of(layers.begin(), layers.end(), [&](std::string_view layer) {
    return part.starts_with(layer) && (part.substr(layer.size()) == ".weight" || part.substr(layer.size()) == ".bias");
  });
}

/// The two ways to name queries, keys and values that are stored apart.
inline constexpr std::array<std::array<std::string_view, 3>, 2> kApart{
    {{"attn.q.", "attn.k.", "attn.v."}, {"attn.q_proj.", "attn.k_proj.", "attn.v_proj."}}};

/// Whether a name within a block is one of queries, keys or values stored apart.
inline bool is_apart(std::string_view part) {
  for (const auto& names : kApart)
    for (const std::string_view name : names)
      if (part.starts_with(name) && (part.substr(name.size()) == "weight" || part.substr(name.size()) == "bias"))
        return true;
  return false;
}

}  // namespace detrack::detail
