// Attention: which of its kernels runs. Tensor cores for bfloat16 with heads of 32 or 64, a path for few queries, one for
// all else.
#pragma once

#include "cuda/attention_few.cuh"
#include "cuda/attention_mma.cuh"
#include "cuda/attention_mma_backward.cuh"
#include "cuda/attention_simt.cuh"

namespace detrack::cuda {

namespace attention {

/// Whether rows may be moved 16 bytes at a time.
template <class T, class... X>
bool packed(const View<X>&... views) {
  return (packable<kPack<T>>(views) && ...);
}

/// Errors: not_available.
inline void check_head(std::int64_t D) {
  if (D > kMaxHead)
    fail(ErrorCode::not_available, "cuda: attention: expected a head dimension of at most ", kMaxHead, ", got ", D);
}

/// The few-query kernel reads all keys once for every four queries. A tile of the tensor cores wastes most of itself on 16
/// queries but reads the keys once, which is better when there are enough of its blocks to fill the GPU.
template <class T>
bool few_queries(const Stream& stream, const AttentionForward<T>& op) {
  const std::int64_t Nq = op.q.extent(1), pairs = op.q.extent(0) * op.q.extent(2);
  if (sizeof(T) == 2 && Nq > 4 && pairs >= stream.multiprocessors()) return false;
  return Nq <= 16;
}

}  // namespace attention

/// Errors: not_available, for heads of more than 128 elements.
template <class T>
void run(Stream& stream, const AttentionForward<T>& op) {
  using namespace attention;
  const std::int64_t D = op.q.extent(3);
  check_head(D);
  if ((D == 32 || D == 64) && packed<T>(op.q, op.k, op.v, op.y)) {
    if (few_queries(stream, op)) return D == 32 ? run_few<32>(stream, op) : run_few<64>(stream, op);
    if constexpr (sizeof(T) == 2) return D == 32 ? run_mma<32>(stream, op) : run_mma<64>(stream, op);
  }
  run_simt_any_head(stream, op);
}

/// Errors: not_available, for heads of more than 128 elements.
template <class T>
void run(Stream& stream, const AttentionBackward<T>& op) {
  using namespace attention;
  const std::int64_t D = op.q.extent(3);
  check_head(D);
  if constexpr (sizeof(T) == 2)
    if ((D == 32 || D == 64) && packed<T>(op.q, op.k, op.v, op.dy, op.dq, op.dk, op.dv))
      return D == 32 ? run_mma<32>(stream, op) : run_mma<64>(stream, op);
  run_simt_any_head(stream, op);
}

}  // namespace detrack::cuda
