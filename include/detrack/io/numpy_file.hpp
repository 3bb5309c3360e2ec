// Arrays of NumPy: one of them (.npy), or an archive of them (.npz, packed or not).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/io/crc32.hpp"
#include "detrack/io/inflate.hpp"
#include "detrack/io/npy_header.hpp"
#include "detrack/io/weights_file.hpp"
#include "detrack/io/zip_archive.hpp"

namespace detrack::detail {

/// An array's tensor, whose elements are `data`: plain or, in Fortran's order, with strides that grow from the left.
inline TensorInfo array_tensor(std::string name, const NpyHeader& header, std::span<const std::byte> data) {
  TensorInfo tensor{std::move(name), header.dtype, header.shape, data, {}, {}};
  if (!header.fortran_order) return tensor;
  const std::vector<std::int64_t> backwards(header.shape.rbegin(), header.shape.rend());
  auto strides = row_major(backwards);
  std::reverse(strides.begin(), strides.end());
  if (!is_row_major(header.shape, strides)) tensor.strides = std::move(strides);
  return tensor;
}

/// All of a .npy file but its name. Errors: format.
inline TensorInfo read_array(const std::string& where, std::string name, std::span<const std::byte> bytes) {
  const NpyHeader header = NpyHeaderReader(where, bytes).read();
  const auto data = bytes.subspan(header.size);
  if (data.size() != header.data_size)
    fail(ErrorCode::format, where, ": expected ", header.data_size, " bytes for ", to_string(header.dtype), " ",
         to_string(header.shape), ", got ", data.size());
  return array_tensor(std::move(name), header, data);
}

/// The same of a deflated member, which is inflated once here to see that size and checksum are right: reading it later
/// cannot fail, and a model that is loaded from it is never left half written. Errors: format.
inline TensorInfo read_deflated_array(const std::string& where, std::string name, const ZipMember& member) {
  Inflater inflater(where, member.bytes);
  std::array<std::byte, 16384> piece;
  static_assert(sizeof piece >= NpyHeaderReader::kMaxNpyHeader);
  const auto begin = std::span(piece).first(inflater.read(piece));
  const NpyHeader header = NpyHeaderReader(where, begin).read();
  const std::uint64_t expected = header.size + header.data_size;
  if (member.size != expected)
    fail(ErrorCode::format, where, ": expected ", expected, " bytes for ", to_string(header.dtype), " ",
         to_string(header.shape), ", got ", member.size);
  std::uint64_t size = begin.size();
  std::uint32_t crc = crc32(begin);
  while (size <= expected) {
    const std::size_t count = inflater.read(piece);
    if (count == 0) break;
    size += count;
    crc = crc32(std::span(piece).first(count), crc);
  }
  if (size != expected)
    fail(ErrorCode::format, where, ": expected ", expected, " inflated bytes, got ", size > expected ? "more" : "fewer");
  if (crc != member.crc) fail(ErrorCode::format, where, ": expected data with the archive's checksum, got damaged ones");
  TensorInfo tensor = array_tensor(std::move(name), header, member.bytes);
  if (!tensor.strides.empty())
    fail(ErrorCode::format, where,
         ": expected elements in C order in a compressed archive, got Fortran's (save without compression)");
  tensor.inflated_lead = header.size;
  return tensor;
}

/// Errors: format.
inline WeightsContents npz_contents(const std::string& path, const std::vector<ZipMember>& members) {
  constexpr std::string_view end = ".npy";
  WeightsContents contents;
  contents.format = WeightsFormat::npz;
  contents.tensors.reserve(members.size());
  for (const ZipMember& member : members) {
    const std::string where = path + ": member " + in_quotes(member.name);
    if (!member.name.ends_with(end)) fail(ErrorCode::format, where, ": expected arrays (.npy) alone, got another file");
    const std::string name = member.name.substr(0, member.name.size() - end.size());
    contents.tensors.push_back(member.deflated ? read_deflated_array(where, name, member)
                                               : read_array(where, name, member.bytes));
  }
  return contents;
}

/// The array is named as its file is, without what follows the last dot. Errors: format.
inline WeightsContents npy_contents(const std::string& path, std::span<const std::byte> file) {
  WeightsContents contents;
  contents.format = WeightsFormat::npy;
  contents.tensors.push_back(read_array(path, std::filesystem::path(path).stem().string(), file));
  return contents;
}

}  // namespace detrack::detail
