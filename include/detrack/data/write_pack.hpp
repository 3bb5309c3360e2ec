// Writing a pack of data: the pictures of a source in shards, and their index.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/data/layouts/folder.hpp"
#include "detrack/data/pack_index.hpp"
#include "detrack/data/picture_names.hpp"
#include "detrack/data/sequence.hpp"
#include "detrack/data/still_images.hpp"
#include "detrack/io/atomic_file.hpp"
#include "detrack/io/crc32.hpp"
#include "detrack/io/make_folder.hpp"
#include "detrack/io/mapped_file.hpp"
#include "detrack/io/safetensors_writer.hpp"

namespace detrack {

/// What goes into a pack. All pictures lie below `root`.
struct PackSource {
  std::filesystem::path root;
  std::string subset{};
  std::vector<Sequence> sequences{};
  std::vector<StillImage> images{};  ///< without a box: any part may be a target
};

struct PackOptions {
  /// Most bytes of a shard, header included; a picture that is larger has a shard of its own.
  std::uint64_t shard_bytes = std::uint64_t{24} << 20;
  /// The bytes of a picture's file; not set: it is read from the disk. Throws where there is none.
  std::function<std::vector<std::byte>(const std::filesystem::path&)> read = {};
  /// Told after each picture how many of how many are packed. False stops: the folder is then no pack.
  std::function<bool(std::size_t done, std::size_t all)> progress = {};
};

namespace detail {

/// Collects pictures and writes a shard whenever the next one would not fit.
class ShardWriter {
 public:
  ShardWriter(std::filesystem::path folder, std::uint64_t most_bytes, std::vector<PackShard>& shards)
      : folder_(std::move(folder)), most_bytes_(most_bytes), shards_(shards) {}

  /// Errors: io.
  void add(std::vector<std::byte> picture) {
    if (!pictures_.empty() && bytes_ + picture.size() + kEntryBytes > most_bytes_) flush();
    bytes_ += picture.size() + kEntryBytes;
    pictures_.push_back(std::move(picture));
  }

  /// Errors: io.
  void flush() {
    if (pictures_.empty()) return;
    std::vector<SafetensorsEntry> entries;
    for (std::size_t i = 0; i < pictures_.size(); ++i)
      entries.emplace_back(
          picture_tensor_name(first_ + i), std::vector{static_cast<std::int64_t>(pictures_[i].size())}, DType::u8,
          [from = pictures_[i].data()](std::int64_t first, std::int64_t count, void* to) {
            std::memcpy(to, from + first, static_cast<std::size_t>(count));
          },
          DType::u8);
    const auto path = folder_ / shard_name(shards_.size());
    save_safetensors(path, std::move(entries), {{std::string(kPackFormat), std::to_string(kPackVersion)}});
    const MappedFile written(path);
    shards_.push_back({written.bytes().size(), crc32(written.bytes()), pictures_.size()});
    first_ += pictures_.size();
    pictures_.clear();
    bytes_ = kFixedBytes;
  }

 private:
  // The most that a tensor and the rest of a file add to a header.
  static constexpr std::uint64_t kEntryBytes = 128, kFixedBytes = 128;

  std::filesystem::path folder_;
  std::uint64_t most_bytes_, bytes_ = kFixedBytes;
  std::vector<PackShard>& shards_;
  std::vector<std::vector<std::byte>> pictures_;
  std::size_t first_ = 0;
};

/// Makes the folder, and empties it of what an unfinished pack has left. Errors: argument (it holds a pack, or something
/// else); io.
inline void prepare_pack_folder(const std::filesystem::path& folder) {
  make_folder(folder);
  if (std::filesystem::exists(folder / kPackIndex))
    fail(ErrorCode::argument, folder.string(), ": holds a pack already; remove it, or choose another folder");
  std::error_code reason;
  std::vector<std::filesystem::path> left;
  const std::filesystem::directory_iterator end;
  for (std::filesystem::directory_iterator entry(folder, reason); !reason && entry != end; entry.increment(reason)) {
    const std::string name = entry->path().filename().string();
    const bool shard = name.starts_with("pack-") && name.find(".safetensors") != std::string::npos;
    const bool ours = (shard || name.starts_with(std::string(kPackIndex) + ".tmp-")) && is_file(entry->path());
    if (!ours)
      fail(ErrorCode::argument, folder.string(), ": expected an empty folder for a pack, got one with ", in_quotes(name));
    left.push_back(entry->path());
  }
  for (const auto& path : left)
    if (!reason) std::filesystem::remove(path, reason);
  if (reason) fail(ErrorCode::io, folder.string(), ": cannot empty the folder: ", reason.message());
}

inline std::vector<std::byte> whole_file(const std::filesystem::path& path) {
  const MappedFile file(path);
  return {file.bytes().begin(), file.bytes().end()};
}

}  // namespace detail

/// Writes `source` into `folder`, which must not exist, be empty, or hold an unfinished pack. Each picture is stored once,
/// in the order in which the source names them; the bytes of the files depend on the source alone. The index comes last, so
/// an interrupted run leaves no pack. Memory: that of a shard and of the index. Nothing where progress() stopped it. Errors:
/// argument (what is in the folder, pictures outside of root, names that are not UTF-8); io (a picture that cannot be
/// opened, a full disk), naming the file.
inline std::optional<PackIndex> write_pack(PackSource source, const std::filesystem::path& folder,
                                           const PackOptions& options = {}) {
  PackIndex index;
  index.subset = std::move(source.subset);
  index.sequences = std::move(source.sequences);
  index.images = std::move(source.images);
  std::vector<const std::filesystem::path*> files;
  const auto add = [&](const std::filesystem::path& file) {
    auto name = name_below(source.root, file);
    if (!name) fail(ErrorCode::argument, "pack: ", file.string(), ": expected a picture below ", source.root.string());
    if (index.pictures.add(*std::move(name)).second) files.push_back(&file);
  };
  for (const Sequence& sequence : index.sequences) std::for_each(sequence.frames.begin(), sequence.frames.end(), add);
  for (const StillImage& image : index.images) add(image.file);
  const auto number_of = [&](const std::filesystem::path& file) {
    return index.pictures.find(*name_below(source.root, file)).value();
  };
  pack_index_text(index, number_of);  // names that cannot be written are found before anything is

  detail::prepare_pack_folder(folder);
  detail::ShardWriter shards(folder, options.shard_bytes, index.shards);
  for (std::size_t i = 0; i < files.size(); ++i) {
    shards.add(options.read ? options.read(*files[i]) : detail::whole_file(*files[i]));
    if (options.progress && !options.progress(i + 1, files.size())) return {};
  }
  shards.flush();
  const std::string text = pack_index_text(index, number_of);
  if (text.size() > kMaxPackIndexBytes)
    fail(ErrorCode::argument, "pack: ", folder.string(), ": expected an index of at most ", kMaxPackIndexBytes,
         " bytes, got ", text.size());
  write_atomically(folder / kPackIndex, text);
  return index;
}

}  // namespace detrack
