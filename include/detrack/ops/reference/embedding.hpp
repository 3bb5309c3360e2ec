// Reference loops: table look-up.
#pragma once

#include "detrack/ops/embedding.hpp"

namespace detrack::reference {

inline std::int64_t checked_row(const char* op, const View<const std::int32_t>& index, std::int64_t r, std::int64_t rows) {
  const std::int64_t row = index(r);
  if (row < 0 || row >= rows)
    fail(ErrorCode::argument, op, ": index: expected values in [0, ", rows, "), got ", row, " at ", r);
  return row;
}

template <class T>
void run(const EmbeddingForward<T>& op) {
  for (std::int64_t r = 0; r < op.index.extent(0); ++r) {
    const std::int64_t row = checked_row(op.kName, op.index, r, op.table.extent(0));
    for (std::int64_t c = 0; c < op.table.extent(1); ++c) op.y(r, c) = op.table(row, c);
  }
}

template <class T>
void run(const EmbeddingBackward<T>& op) {
  for (std::int64_t r = 0; r < op.index.extent(0); ++r) {
    const std::int64_t row = checked_row(op.kName, op.index, r, op.dtable.extent(0));
    for (std::int64_t c = 0; c < op.dtable.extent(1); ++c) op.dtable(row, c) += op.dy(r, c);
  }
}

}  // namespace detrack::reference
