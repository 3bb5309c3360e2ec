// Checkpoints of PyTorch: the zip archives that torch.save writes since version 1.6, and the streams before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/io/torch_objects.hpp"
#include "detrack/io/torch_state_dict.hpp"
#include "detrack/io/weights_file.hpp"
#include "detrack/io/zip_archive.hpp"

namespace detrack::detail {

/// What both kinds of file share: a pickle describes tensors whose elements lie elsewhere in the file.
class TorchFile {
 public:
  TorchFile(const std::string& path, std::span<const std::byte> file, const WeightsOptions& options)
      : path_(path), file_(file), options_(options), heap_(pickle_budget(file.size())) {}

  /// An archive's contents, given its members. Errors: format, state_dict.
  WeightsContents read_zip(const std::vector<ZipMember>& members, const std::string& folder) {
    if (find_member(members, folder + "constants.pkl"))
      fail(ErrorCode::format, path_, ": expected a checkpoint, got a TorchScript program (save its state_dict() instead)");
    if (const ZipMember* order = find_member(members, folder + "byteorder"); order && as_text(order->bytes) != "little")
      fail_order(as_text(order->bytes));
    PickleReader reader(path_ + ": " + escaped(folder, 40) + "data.pkl", stored(members, folder + "data.pkl"), heap_,
                        objects_);
    const PickleValue root = reader.read();
    if (!objects_.parts().empty()) fail(ErrorCode::format, path_, ": expected whole storages, got a part of one");
    std::vector<std::span<const std::byte>> storages;
    for (const TorchStorage& storage : objects_.storages)
      storages.push_back(stored(members, folder + "data/" + std::string(storage.key.substr(0, kMaxKey))));
    return contents(WeightsFormat::pytorch_zip, reader, root, storages);
  }

  /// Pickles of a magic number, a version, the machine, the checkpoint and its storages' keys; then these storages, each a
  /// number of elements and the elements. Errors: format, state_dict.
  WeightsContents read_stream() {
    PickleReader reader(path_, file_, heap_, objects_);
    const PickleValue magic = reader.read();
    if (magic.kind != PickleValue::Kind::big_integer || as_text(reader.big_integer(magic)) != kMagic)
      fail(ErrorCode::format, path_, ": expected a PyTorch checkpoint, got a pickle of something else");
    const std::int64_t version = reader.integer(reader.read(), "the stream's version");
    if (version != kVersion)
      fail(ErrorCode::format, path_, ": expected version ", kVersion, " of the stream, got ", version);
    check_machine(reader, reader.read());
    const PickleValue root = reader.read();
    const PickleValue keys = reader.read();
    return contents(WeightsFormat::pytorch_stream, reader, root, read_storages(reader, keys));
  }

 private:
  using Kind = PickleValue::Kind;
  static constexpr std::string_view kMagic{"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10};
  static constexpr std::int64_t kVersion = 1001;
  static constexpr std::size_t kMaxKey = 1000;

  [[noreturn]] void fail_order(std::string_view got) const {
    fail(ErrorCode::format, path_, ": expected little-endian numbers, got ", in_quotes(got), "-endian ones");
  }

  std::span<const std::byte> stored(const std::vector<ZipMember>& members, const std::string& name) const {
    const ZipMember* member = find_member(members, name);
    if (!member) fail(ErrorCode::format, path_, ": expected a member ", in_quotes(name), ", got none");
    if (member->deflated)
      fail(ErrorCode::format, path_, ": member ", in_quotes(name), ": expected it stored, as PyTorch does, got it deflated");
    return member->bytes;
  }

  void check_machine(const PickleReader& reader, PickleValue machine) const {
    if (machine.kind != Kind::dictionary)
      fail(ErrorCode::format, path_, ": expected a description of the machine, got ", PickleReader::name(machine));
    const PickleItems& items = heap_.items(machine);
    for (std::size_t i = 0; i + 1 < items.size(); i += 2)
      if (items[i].kind == Kind::text && reader.text(items[i]) == "little_endian" &&
          (items[i + 1].kind != Kind::boolean || items[i + 1].at != 1))
        fail_order("big");
  }

  std::vector<std::span<const std::byte>> read_storages(const PickleReader& reader, PickleValue keys) const {
    if (keys.kind != Kind::list)
      fail(ErrorCode::format, path_, ": expected a list of storages' keys, got ", PickleReader::name(keys));
    std::map<std::string_view, std::size_t> roots;
    for (std::size_t i = 0; i < objects_.storages.size(); ++i)
      if (!objects_.parts().contains(i)) roots.emplace(objects_.storages[i].key, i);
    std::vector<std::span<const std::byte>> bytes(objects_.storages.size());
    std::vector<bool> seen(bytes.size());
    std::size_t at = reader.position();
    for (const PickleValue key : heap_.items(keys)) {
      const std::string_view name = reader.text(key, "a storage's key");
      const auto root = roots.find(name);
      if (root == roots.end() || seen[root->second])
        fail(ErrorCode::format, path_, ": storage ", in_quotes(name), ": expected one that the checkpoint uses, once");
      seen[root->second] = true;
      const TorchStorage& storage = objects_.storages[root->second];
      const std::uint64_t size = size_of_storage(storage);
      if (file_.size() - at < sizeof(std::int64_t) || file_.size() - at - sizeof(std::int64_t) < size)
        fail(ErrorCode::format, path_, ": byte ", at, ": storage ", in_quotes(name), ": expected ", size,
             " bytes, got the end of the file");
      if (const auto count = little_endian<std::uint64_t>(file_, at); count != storage.count)
        fail(ErrorCode::format, path_, ": byte ", at, ": storage ", in_quotes(name), ": expected ", storage.count,
             " elements, got ", count);
      bytes[root->second] = file_.subspan(at + sizeof(std::int64_t), static_cast<std::size_t>(size));
      at += sizeof(std::int64_t) + static_cast<std::size_t>(size);
    }
    for (const auto& [name, i] : roots)
      if (!seen[i]) fail(ErrorCode::format, path_, ": storage ", in_quotes(name), ": expected its elements, got none");
    for (const auto& [part, where] : objects_.parts()) {
      const std::size_t size = element_size(objects_.storages[part]);
      bytes[part] = bytes[where.root].subspan(static_cast<std::size_t>(where.first) * size,
                                              static_cast<std::size_t>(objects_.storages[part].count) * size);
    }
    return bytes;
  }

  static std::size_t element_size(const TorchStorage& storage) { return storage.dtype ? size_of(*storage.dtype) : 1; }
  /// Errors: format.
  std::uint64_t size_of_storage(const TorchStorage& storage) const {
    const std::size_t size = element_size(storage);
    if (storage.count > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / size)
      fail(ErrorCode::format, path_, ": storage ", in_quotes(storage.key), ": expected a size in bytes below 2^63, got ",
           storage.count, " elements");
    return storage.count * size;
  }

  WeightsContents contents(WeightsFormat format, const PickleReader& reader, PickleValue root,
                           const std::vector<std::span<const std::byte>>& storages) {
    for (std::size_t i = 0; i < storages.size(); ++i)
      if (const std::uint64_t size = size_of_storage(objects_.storages[i]); storages[i].size() < size)
        fail(ErrorCode::format, path_, ": storage ", in_quotes(objects_.storages[i].key), ": expected ", size,
             " bytes, got ", storages[i].size());
    TorchStateDict found(path_, file_.size(), reader, heap_, std::filesystem::path(path_).stem().string());
    found.find(root, options_);
    WeightsContents result;
    result.format = format;
    result.part = std::move(found.part);
    result.left_out = std::move(found.left_out);
    result.tensors.reserve(found.tensors.size());
    for (auto& [name, value] : found.tensors) {
      const TorchTensor& tensor = objects_.tensor(value);
      result.tensors.push_back(
          {std::move(name), tensor.dtype, tensor.shape, window(tensor, storages[tensor.storage]), {}, {}});
      if (!is_row_major(tensor.shape, tensor.strides)) result.tensors.back().strides = tensor.strides;
    }
    return result;
  }

  /// From the first element to the last; that they lie in the storage is known.
  static std::span<const std::byte> window(const TorchTensor& tensor, std::span<const std::byte> storage) {
    std::uint64_t length = 1;
    for (std::size_t axis = 0; axis < tensor.shape.size(); ++axis) {
      if (tensor.shape[axis] == 0) return {};
      length += static_cast<std::uint64_t>(tensor.shape[axis] - 1) * static_cast<std::uint64_t>(tensor.strides[axis]);
    }
    const std::size_t size = size_of(tensor.dtype);
    return storage.subspan(static_cast<std::size_t>(tensor.offset) * size, static_cast<std::size_t>(length) * size);
  }

  const std::string& path_;
  std::span<const std::byte> file_;
  const WeightsOptions& options_;
  PickleHeap heap_;
  TorchObjects objects_;
};

/// "archive/" if these are the members of a checkpoint, whose pickle is "archive/data.pkl"; nothing if they are not.
inline std::optional<std::string> torch_folder(const std::vector<ZipMember>& members) {
  constexpr std::string_view pickle = "data.pkl";
  for (const ZipMember& member : members) {
    if (!member.name.ends_with(pickle)) continue;
    const std::string folder = member.name.substr(0, member.name.size() - pickle.size());
    if (folder.empty() || folder.find('/') == folder.size() - 1) return folder;
  }
  return {};
}

}  // namespace detrack::detail
