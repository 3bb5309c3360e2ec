// A pack of data, opened: its sequences and still pictures, and the bytes of every picture.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/data/pack_index.hpp"
#include "detrack/data/sequence.hpp"
#include "detrack/data/still_images.hpp"
#include "detrack/io/crc32.hpp"
#include "detrack/io/mapped_file.hpp"
#include "detrack/io/safetensors_header.hpp"

namespace detrack {

/// Shards are mapped, not read: their pages come and go as pictures are asked for. Reading is const and may happen in
/// several threads. Moves, never copies.
class Pack {
 public:
  /// Reads the index and all shards once, front to back, to check them. What was damaged on its way must stop a training
  /// before it begins: found picture by picture, it would be drawn again and quietly shrink the data. It takes a
  /// core some 4 s a GB (AMD EPYC, Zen 3, shared, g++ 12.2 -O2), and pages that are let go of again.
  /// Errors: io (a shard that is not there, naming it); format (naming the file and what is wrong with it).
  static Pack open(const std::filesystem::path& folder) {
    Pack pack(folder, read_pack_index(folder));
    for (std::size_t i = 0; i < pack.index_.shards.size(); ++i)
      pack.add_shard(folder / detail::shard_name(i), pack.index_.shards[i]);
    return pack;
  }

  const std::filesystem::path& folder() const { return folder_; }
  const PackIndex& index() const { return index_; }
  /// The index's sequences and images, given away: it has none afterwards. With millions of frames a copy is heavy.
  std::vector<Sequence> take_sequences() { return std::exchange(index_.sequences, {}); }
  std::vector<StillImage> take_images() { return std::exchange(index_.images, {}); }

  /// The file's bytes of a frame or image of the index, or nothing where it is none of this pack. They live as long as the
  /// pack.
  std::optional<std::span<const std::byte>> find(const std::filesystem::path& picture) const {
    const std::string& path = picture.native();
    if (!path.starts_with(start_)) return {};
    const auto number = index_.pictures.find(std::string_view(path).substr(start_.size()));
    if (!number) return {};
    return pictures_[*number];
  }

 private:
  Pack(const std::filesystem::path& folder, PackIndex index)
      : folder_(folder), start_((folder / "").native()), index_(std::move(index)) {}

  void add_shard(const std::filesystem::path& path, const PackShard& shard) {
    const MappedFile& file = files_.emplace_back(path);
    const auto bytes = file.bytes();
    if (bytes.size() != shard.bytes)
      fail(ErrorCode::format, path.string(), ": expected ", shard.bytes, " bytes, got ", bytes.size());
    if (const auto crc = detail::crc32(bytes); crc != shard.crc32)
      fail(ErrorCode::format, path.string(), ": checksum: expected ", shard.crc32, ", got ", crc, ": the file is damaged");
    const auto tensors = detail::safetensors_contents(path.string(), bytes).tensors;  // by their names
    if (tensors.size() != shard.pictures)
      fail(ErrorCode::format, path.string(), ": expected ", shard.pictures, " pictures, got ", tensors.size());
    for (const TensorInfo& tensor : tensors) {
      const std::string expected = detail::picture_tensor_name(pictures_.size());
      if (tensor.name != expected || tensor.dtype != DType::u8 || tensor.shape.size() != 1)
        fail(ErrorCode::format, path.string(), ": expected a tensor ", expected, " of type U8 and rank 1, got ",
             detail::in_quotes(tensor.name), " of type ", to_string(tensor.dtype), " and rank ", tensor.shape.size());
      pictures_.push_back(tensor.bytes);
    }
    file.release(bytes);
  }

  std::filesystem::path folder_;
  std::string start_;  ///< of the paths of its pictures
  PackIndex index_;
  std::vector<MappedFile> files_;
  std::vector<std::span<const std::byte>> pictures_;  ///< by number
};

}  // namespace detrack
