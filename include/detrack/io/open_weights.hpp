// Weights files of other people: whatever the format, by what is in the file and not by its name.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "detrack/io/guess_content.hpp"
#include "detrack/io/mapped_file.hpp"
#include "detrack/io/numpy_file.hpp"
#include "detrack/io/pytorch_file.hpp"
#include "detrack/io/safetensors_header.hpp"
#include "detrack/io/weights_file.hpp"
#include "detrack/io/zip_archive.hpp"

namespace detrack {

namespace detail {

inline WeightsContents zip_contents(const std::string& path, std::span<const std::byte> file,
                                    const WeightsOptions& options) {
  const auto members = ZipReader(path, file).read();
  if (const auto folder = torch_folder(members)) return TorchFile(path, file, options).read_zip(members, *folder);
  if (!options.part.empty())
    fail(ErrorCode::state_dict, path, ": expected a PyTorch checkpoint with a part ", in_quotes(options.part),
         ", got another archive");
  const bool arrays = std::any_of(members.begin(), members.end(), [](const auto& m) { return m.name.ends_with(".npy"); });
  if (!arrays && !members.empty())
    fail(ErrorCode::format, path,
         ": expected a zip archive of PyTorch (with a data.pkl) or NumPy (.npy), got one that begins with ",
         in_quotes(members.front().name));
  return npz_contents(path, members);
}

/// Errors: format, state_dict.
inline WeightsContents weights_contents(const std::string& path, std::span<const std::byte> file,
                                        const WeightsOptions& options) {
  const std::string_view text = as_text(file);
  const bool json = text.size() > kLengthBytes && text[kLengthBytes] == '{';  // where the header of safetensors is
  // First, as the header's length may look like the beginning of a pickle; the others' beginnings are no length that fits.
  const bool safetensors = json && little_endian<std::uint64_t>(file, 0) <= file.size() - kLengthBytes;
  if (!safetensors && is_zip(text)) return zip_contents(path, file, options);
  if (!safetensors && is_pickle(text)) return TorchFile(path, file, options).read_stream();
  if (!options.part.empty())
    fail(ErrorCode::state_dict, path, ": expected a PyTorch checkpoint with a part ", in_quotes(options.part),
         ", got another file");
  if (!safetensors && text.starts_with(kNpyMagic)) return npy_contents(path, file);
  if (json) return safetensors_contents(path, file);
  const std::string guess = guess_content(file);
  fail(ErrorCode::format, path, ": expected weights (safetensors, PyTorch, NumPy), got ",
       guess.empty() ? "a file that begins with " + in_quotes(text.substr(0, 8)) : guess);
}

}  // namespace detail

/// Maps the file, finds out what it is, and checks all of it that is not the tensors' elements (but inflates compressed
/// arrays once, to check these too). Formats: safetensors, PyTorch's archives and streams, NumPy's npy and npz.
/// Of a checkpoint nothing is executed; what is not tensors and plain values is refused by its name.
/// Memory: less than four times the file's size where it is nothing but names, next to none where it is weights.
/// Errors: io, format; state_dict (no such part), naming the file, and the place in it.
inline WeightsFile open_weights(const std::filesystem::path& path, const WeightsOptions& options = {}) {
  MappedFile mapping(path);
  const auto bytes = mapping.bytes();
  const std::string name = path.string();
  return WeightsFile(name, std::move(mapping), bytes, detail::weights_contents(name, bytes, options));
}

/// The same from memory, which must outlive the result. `label` stands in messages where a path would. Errors: format,
/// state_dict.
inline WeightsFile parse_weights(std::span<const std::byte> bytes, const std::string& label = "memory",
                                 const WeightsOptions& options = {}) {
  return WeightsFile(label, MappedFile(), bytes, detail::weights_contents(label, bytes, options));
}

}  // namespace detrack
