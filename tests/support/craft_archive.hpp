// Zip archives, pickles and checkpoints put together by hand, good ones and ones that lie.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/io/crc32.hpp"
#include "tests/support/craft.hpp"

namespace detrack::test {

/// `value` in `size` bytes, the lowest first.
inline std::string little(std::uint64_t value, std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

/// A member of an archive; what is left empty is as it should be.
struct CraftedMember {
  std::string name = "", data = "";  ///< data as they lie in the archive
  std::uint16_t method = 0, flags = 0;
  std::string local_name = "";     ///< in the local header, where it differs
  std::int64_t size = -1;          ///< once unpacked
  std::int64_t packed_size = -1;   ///< claimed
  std::int64_t local_offset = -1;  ///< claimed
  std::int64_t crc = -1;
  bool zip64 = false;
};

struct CraftedZip {
  std::string before = "", comment = "";
  std::int64_t count = -1;
  bool zip64 = false;
  std::int64_t directory_shift = 0;
};

inline std::string craft_zip(const std::vector<CraftedMember>& members, const CraftedZip& zip = {}) {
  std::string file = zip.before, directory;
  for (const CraftedMember& member : members) {
    const std::uint64_t at =
        member.local_offset >= 0 ? static_cast<std::uint64_t>(member.local_offset) : file.size() - zip.before.size();
    const auto crc =
        member.crc >= 0 ? static_cast<std::uint32_t>(member.crc) : detail::crc32(std::as_bytes(std::span(member.data)));
    const std::uint64_t size = member.size >= 0 ? static_cast<std::uint64_t>(member.size) : member.data.size();
    const std::uint64_t packed =
        member.packed_size >= 0 ? static_cast<std::uint64_t>(member.packed_size) : member.data.size();
    const std::string& local_name = member.local_name.empty() ? member.name : member.local_name;
    const std::string kind =
        little(20, 2) + little(member.flags, 2) + little(member.method, 2) + little(0, 4) + little(crc, 4);
    const std::string sizes =
        member.zip64 ? little(0xffffffffu, 4) + little(0xffffffffu, 4) : little(packed, 4) + little(size, 4);
    const std::string wide = little(size, 8) + little(packed, 8);
    const std::string local_extra = member.zip64 ? little(1, 2) + little(16, 2) + wide : "";
    const std::string extra =
        member.zip64 ? little(9, 2) + little(1, 2) + "x" + little(1, 2) + little(24, 2) + wide + little(at, 8) : "";
    file += "PK\x03\x04" + kind + sizes + little(local_name.size(), 2) + little(local_extra.size(), 2) + local_name +
            local_extra + member.data;
    directory += "PK\x01\x02" + little(20, 2) + kind + sizes + little(member.name.size(), 2) + little(extra.size(), 2) +
                 little(0, 2) + little(0, 2) + little(0, 2) + little(0, 4) +
                 (member.zip64 ? little(0xffffffffu, 4) : little(at, 4)) + member.name + extra;
  }
  const std::uint64_t count = zip.count >= 0 ? static_cast<std::uint64_t>(zip.count) : members.size();
  const std::uint64_t begin = file.size() - zip.before.size() + static_cast<std::uint64_t>(zip.directory_shift);
  file += directory;
  if (zip.zip64) {
    const std::uint64_t at = file.size();
    file += "PK\x06\x06" + little(44, 8) + little(45, 2) + little(45, 2) + little(0, 8) + little(count, 8) +
            little(count, 8) + little(directory.size(), 8) + little(begin, 8);
    file += "PK\x06\x07" + little(0, 4) + little(at, 8) + little(1, 4);
    return file + "PK\x05\x06" + little(0, 4) + little(0xffff, 2) + little(0xffff, 2) + little(0xffffffffu, 4) +
           little(0xffffffffu, 4) + little(zip.comment.size(), 2) + zip.comment;
  }
  return file + "PK\x05\x06" + little(0, 4) + little(count, 2) + little(count, 2) + little(directory.size(), 4) +
         little(begin, 4) + little(zip.comment.size(), 2) + zip.comment;
}

// Opcodes, by what they push.
inline std::string pickled(std::string_view text) {
  return "X" + little(text.size(), 4) + std::string(text);
}
inline std::string pickled(std::int64_t number) {
  return "\x8a" + little(8, 1) + little(static_cast<std::uint64_t>(number), 8);
}
inline std::string pickled_global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string pickled_tuple(const std::vector<std::string>& items) {
  std::string code = "(";
  for (const std::string& item : items) code += item;
  return code + "t";
}
inline std::string pickled_tuple(const std::vector<std::int64_t>& numbers) {
  std::vector<std::string> items;
  for (const std::int64_t number : numbers) items.push_back(pickled(number));
  return pickled_tuple(items);
}
inline std::string pickled_dictionary(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string code = "}(";
  for (const auto& [key, value] : items) code += pickled(key) + value;
  return code + "u";
}
inline std::string pickle(const std::string& code) {
  return "\x80\x02" + code + ".";
}

struct CraftedTensor {
  std::vector<std::int64_t> shape{2}, strides{1};
  std::int64_t offset = 0, count = 2;
  std::string key = "0", type = "FloatStorage", kind = "storage", view = "", function = "_rebuild_tensor_v2", metadata = "";
};
inline std::string pickled_storage(const CraftedTensor& tensor) {
  std::vector<std::string> parts{pickled(tensor.kind), pickled_global("torch", tensor.type), pickled(tensor.key),
                                 pickled("cpu"), pickled(tensor.count)};
  if (!tensor.view.empty()) parts.push_back(tensor.view);
  return pickled_tuple(parts) + "Q";
}
inline std::string pickled_tensor(const CraftedTensor& tensor = {}) {
  std::vector<std::string> arguments{pickled_storage(tensor),
                                     pickled(tensor.offset),
                                     pickled_tuple(tensor.shape),
                                     pickled_tuple(tensor.strides),
                                     "\x89",
                                     "}"};
  if (!tensor.metadata.empty()) arguments.push_back(tensor.metadata);
  return pickled_global("torch._utils", tensor.function) + pickled_tuple(arguments) + "R";
}

/// An archive as torch.save writes it, whose pickle is the value that `code` makes.
inline Bytes craft_checkpoint(const std::string& code,
                              const std::vector<std::pair<std::string, std::string>>& storages = {{"0",
                                                                                                   std::string(8, '\1')}},
                              const std::vector<CraftedMember>& more = {}) {
  std::vector<CraftedMember> members{{"archive/data.pkl", pickle(code)}};
  for (const auto& [key, data] : storages) members.push_back({"archive/data/" + key, data});
  members.insert(members.end(), more.begin(), more.end());
  return to_bytes(craft_zip(members));
}

/// A stream as torch.save wrote it before version 1.6. `storages` are those with their keys, and their number of elements.
struct CraftedStream {
  std::string code = "";
  std::vector<std::pair<std::string, std::string>> storages{{"0", little(2, 8) + std::string(8, '\1')}};
  std::string magic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", version = "M\xe9\x03", little_endian = "\x88";
};
inline Bytes craft_stream(const CraftedStream& stream) {
  std::string keys = "](", data;
  for (const auto& [key, bytes] : stream.storages) {
    keys += pickled(key);
    data += bytes;
  }
  return to_bytes(pickle(stream.magic) + pickle(stream.version) +
                  pickle(pickled_dictionary({{"little_endian", stream.little_endian}})) + pickle(stream.code) +
                  pickle(keys + "e") + data);
}

/// A .npy file: version 1, the header as it is, then the data.
inline std::string craft_npy(const std::string& header, const std::string& data, int version = 1) {
  return std::string("\x93NUMPY") + little(static_cast<std::uint64_t>(version), 1) + std::string(1, '\0') +
         little(header.size(), version == 1 ? 2 : 4) + header + data;
}

}  // namespace detrack::test
