// Reads the elements of a file's tensor front to back, wherever and however they lie.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "detrack/io/convert.hpp"
#include "detrack/io/inflate.hpp"
#include "detrack/io/quoted.hpp"
#include "detrack/io/tensor_info.hpp"

namespace detrack {

/// A place in a tensor, which moves on as elements are read: a tensor read in pieces is inflated once, not once a piece.
/// The tensor and its file must outlive it.
class TensorCursor {
 public:
  /// At element `first` in row-major order. `path` stands in messages. Errors: argument; format (damaged data).
  TensorCursor(const std::string& path, const TensorInfo& info, std::int64_t first = 0) : path_(path), info_(info) {
    check_range(first, 0);
    at_ = first;
    if (info.plain()) return;
    const auto skipped = static_cast<std::size_t>(first);
    if (info.inflated_lead)
      start_inflating(skipped * size_of(info.dtype));
    else
      seek(skipped);
  }

  /// The next out.size() elements; floating types convert (to nearest, ties to even), others must match.
  /// Errors: state_dict (type), argument (beyond the end), format (damaged data).
  template <class T>
  void next(std::span<T> out) {
    if (!detail::is_convertible(info_.dtype, DTypeOf<T>::value))
      fail(ErrorCode::state_dict, path_, ": tensor ", detail::in_quotes(info_.name), ": type: expected ",
           to_string(DTypeOf<T>::value), ", got ", to_string(info_.dtype));
    check_range(at_, out.size());
    const std::size_t size = size_of(info_.dtype);
    if (info_.plain()) {
      detail::convert_elements(info_.dtype, info_.bytes.data() + static_cast<std::size_t>(at_) * size, out.size(),
                               out.data());
      at_ += static_cast<std::int64_t>(out.size());
      return;
    }
    alignas(8) std::array<std::byte, 8192> piece;
    for (std::size_t done = 0; done < out.size();) {
      const std::size_t count = std::min(piece.size() / size, out.size() - done);
      next_bytes(std::span(piece).first(count * size));
      detail::convert_elements(info_.dtype, piece.data(), count, out.data() + done);
      done += count;
    }
  }

  /// The next elements as they are stored: as many as fill `out`. Errors: argument, format (damaged data).
  void next_bytes(std::span<std::byte> out) {
    const std::size_t size = size_of(info_.dtype), count = out.size() / size;
    check_range(at_, count);
    if (count == 0) return;  // memcpy must not see null pointers
    if (info_.plain()) {
      std::memcpy(out.data(), info_.bytes.data() + static_cast<std::size_t>(at_) * size, count * size);
    } else if (inflater_) {
      if (inflater_->read(out.first(count * size)) < count * size) fail_short();
    } else {
      switch (size) {
        case 1: gather<1>(out.data(), count); break;
        case 2: gather<2>(out.data(), count); break;
        case 4: gather<4>(out.data(), count); break;
        default: gather<8>(out.data(), count);
      }
    }
    at_ += static_cast<std::int64_t>(count);
  }

 private:
  void check_range(std::int64_t first, std::size_t count) const {
    if (first < 0 || first > info_.numel() || count > static_cast<std::size_t>(info_.numel() - first))
      fail(ErrorCode::argument, "WeightsFile::read: expected elements within [0, ", info_.numel(), "), got ", count,
           " from ", first, " on");
  }
  [[noreturn]] void fail_short() const {
    fail(ErrorCode::format, path_, ": tensor ", detail::in_quotes(info_.name), ": expected ", info_.numel(),
         " elements, got the end of the deflated data");
  }

  void start_inflating(std::size_t skipped) {
    inflater_ = std::make_unique<detail::Inflater>(path_ + ": tensor " + detail::in_quotes(info_.name), info_.bytes);
    std::array<std::byte, 8192> unwanted;
    for (std::size_t left = *info_.inflated_lead + skipped; left > 0;) {
      const std::size_t count = std::min(left, unwanted.size());
      if (inflater_->read(std::span(unwanted).first(count)) < count) fail_short();
      left -= count;
    }
  }

  /// Finds the indices of element `first` of a strided tensor.
  void seek(std::size_t first) {
    index_.assign(info_.shape.size(), 0);
    offset_ = 0;
    for (std::size_t axis = index_.size(); axis-- > 0;) {
      const auto extent = static_cast<std::size_t>(info_.shape[axis]);
      if (extent == 0) return;  // there are no elements
      index_[axis] = static_cast<std::int64_t>(first % extent);
      offset_ += index_[axis] * info_.strides[axis];
      first /= extent;
    }
  }

  template <std::size_t size>
  void gather(std::byte* to, std::size_t count) {
    const std::size_t last = index_.size() - 1;
    const std::int64_t stride = info_.strides[last];
    while (count > 0) {
      const std::size_t run = std::min(count, static_cast<std::size_t>(info_.shape[last] - index_[last]));
      const std::byte* from = info_.bytes.data() + static_cast<std::size_t>(offset_) * size;
      for (std::size_t i = 0; i < run; ++i, to += size)
        std::memcpy(to, from + i * static_cast<std::size_t>(stride) * size, size);
      count -= run;
      index_[last] += static_cast<std::int64_t>(run);
      offset_ += static_cast<std::int64_t>(run) * stride;
      for (std::size_t axis = last; axis > 0 && index_[axis] == info_.shape[axis]; --axis) {  // carry
        offset_ += info_.strides[axis - 1] - index_[axis] * info_.strides[axis];
        index_[axis] = 0;
        ++index_[axis - 1];
      }
    }
  }

  const std::string& path_;
  const TensorInfo& info_;
  std::int64_t at_ = 0;  ///< number of the next element
  std::unique_ptr<detail::Inflater> inflater_;
  std::vector<std::int64_t> index_;  ///< of the next element, where strided
  std::int64_t offset_ = 0;          ///< of the next element from the first, in elements
};

}  // namespace detrack
