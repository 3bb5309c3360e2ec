// Comparing weights files with what must be in them.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "detrack/io/open_weights.hpp"
#include "detrack/io/safetensors_file.hpp"
#include "tests/support/craft_archive.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/temporary_folder.hpp"

namespace detrack::test {

/// A file that tests/data/make_weights.py wrote.
inline std::filesystem::path weights_fixture(const std::string& name) {
  return std::filesystem::path(DETRACK_SOURCE_DIR) / "tests/data/weights" / name;
}

/// Elements of a tensor as they are stored, read `piece` elements at a time.
inline std::vector<std::byte> stored_elements(const WeightsFile& file, const TensorInfo& info, std::size_t piece) {
  const std::size_t size = size_of(info.dtype);
  std::vector<std::byte> all(static_cast<std::size_t>(info.numel()) * size);
  TensorCursor cursor = file.cursor(info);
  for (std::size_t at = 0; at < all.size(); at += piece * size)
    cursor.next_bytes(std::span(all).subspan(at, std::min(piece * size, all.size() - at)));
  return all;
}

/// Names, types, shapes and every bit; pieces of several sizes and from several places on.
inline void check_same_weights(const WeightsFile& got, const std::string& expected_name) {
  const auto expected = SafetensorsFile::open(weights_fixture(expected_name));
  REQUIRE(got.tensors().size() == expected.tensors().size());
  for (const TensorInfo& wanted : expected.tensors()) {
    CAPTURE(wanted.name);
    const TensorInfo* info = got.find(wanted.name);
    REQUIRE(info != nullptr);
    CHECK(to_string(info->dtype) == to_string(wanted.dtype));
    CHECK(to_string(info->shape) == to_string(wanted.shape));
    const std::vector<std::byte> bits(wanted.bytes.begin(), wanted.bytes.end());
    for (const std::size_t piece : {std::size_t{1}, std::size_t{3}, std::size_t{1000000}})
      CHECK(stored_elements(got, *info, piece) == bits);
    const std::int64_t half = info->numel() / 2;
    std::vector<std::byte> end(static_cast<std::size_t>(info->numel() - half) * size_of(info->dtype));
    got.cursor(*info, half).next_bytes(end);
    CHECK(std::equal(end.begin(), end.end(), bits.end() - static_cast<std::ptrdiff_t>(end.size())));
  }
}

/// The message with which `bytes` are refused as a format error; fails the test if they are not.
inline std::string weights_refusal(const Bytes& bytes, const WeightsOptions& options = {}) {
  return error_of(ErrorCode::format, [&] { parse_weights(bytes, "x.pth", options); });
}

inline void check_weights_refused(const Bytes& bytes, const std::string& because) {
  const std::string message = weights_refusal(bytes);
  CAPTURE(message);
  CAPTURE(because);
  CHECK(message.starts_with("x.pth: "));
  CHECK(message.find(because) != std::string::npos);
  CHECK(message.size() < 800);
}

}  // namespace detrack::test
