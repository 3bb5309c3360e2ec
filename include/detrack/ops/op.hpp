// What every operation shares: the cost of a run, the wording of its checks, and the one entry point `ops::run`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "detrack/core/context.hpp"
#include "detrack/core/dtype.hpp"
#include "detrack/core/view.hpp"

namespace detrack {

// An operation is a plain struct of views and scalars, named in the field's words (LinearForward, LinearBackward). It has
//   kName      for messages and profiles
//   views(f)   calls f(name, view) for every view: View<const X> is read, View<X> is written
//   check()    throws Error(shape | argument) where shapes, strides or scalars do not fit together
//   flops()    floating-point operations of one run (a fused multiply-add counts as two)
// and, where an output may be the very same view as an input, kInPlace, the names of such inputs; where it looks at a part of
// its views only, bytes(), the bytes that it reads and writes.
// Every operation that has an activation as output overwrites it; gradients of parameters (dw, db, dgamma, dtable, ...)
// are added to. Inner strides are 1 unless said otherwise; outer strides are free.

namespace ops {

inline void expect_shape(const char* op, const char* name, const Shape& got, const Shape& expected) {
  if (!(got == expected))
    fail(ErrorCode::shape, op, ": ", name, ": expected ", to_string(expected), ", got ", to_string(got));
}

inline void expect_rank(const char* op, const char* name, const Shape& got, int rank) {
  if (got.rank() != rank) fail(ErrorCode::shape, op, ": ", name, ": expected rank ", rank, ", got ", to_string(got));
}

template <class X>
void expect_unit_stride(const char* op, const char* name, const View<X>& view) {
  if (view.rank() > 0 && view.extent(view.rank() - 1) > 1 && view.stride(view.rank() - 1) != 1)
    fail(ErrorCode::shape, op, ": ", name, ": expected an inner stride of 1, got ", view.stride(view.rank() - 1));
}

template <class X>
void expect_contiguous(const char* op, const char* name, const View<X>& view) {
  if (!view.contiguous())
    fail(ErrorCode::shape, op, ": ", name, ": expected a contiguous view of ", to_string(view.shape()));
}

/// View of the given shape with inner stride 1. An absent view passes if `optional`.
template <class X>
void expect_view(const char* op, const char* name, const View<X>& view, const Shape& shape, bool optional = false) {
  if (!view) {
    if (optional || shape.numel() == 0) return;
    fail(ErrorCode::argument, op, ": ", name, ": expected a view of ", to_string(shape), ", got none");
  }
  expect_shape(op, name, view.shape(), shape);
  expect_unit_stride(op, name, view);
}

/// `expected` is no std::string: checks run before every operation and must not allocate.
inline void expect(bool ok, const char* op, const char* name, const char* expected, double got) {
  if (!ok) fail(ErrorCode::argument, op, ": ", name, ": expected ", expected, ", got ", got);
}

namespace detail {

/// Whether an output of Op may be the very view that it reads as `input`.
template <class Op>
constexpr bool in_place(std::string_view input) {
  if constexpr (requires { Op::kInPlace; })
    for (const std::string_view name : Op::kInPlace)
      if (name == input) return true;
  return false;
}

/// First and one-past-last address a view can reach.
struct Span {
  std::uintptr_t begin = 0, end = 0;
};

template <class X>
Span span_of(const View<X>& view) {
  if (!view || view.numel() == 0) return {};
  std::int64_t last = 0;
  for (int i = 0; i < view.rank(); ++i) last += (view.extent(i) - 1) * view.stride(i);
  const auto begin = reinterpret_cast<std::uintptr_t>(view.data());
  return {begin, begin + (static_cast<std::uintptr_t>(last) + 1) * sizeof(X)};
}

template <class X, class Y>
bool same_layout(const View<X>& a, const View<Y>& b) {
  if (!(a.shape() == b.shape())) return false;
  for (int i = 0; i < a.rank(); ++i)
    if (a.extent(i) > 1 && a.stride(i) != b.stride(i)) return false;
  return true;
}

/// An output may not start where another view starts (unless that is an input it may be, kInPlace), nor, where both are
/// contiguous, overlap it. (Interleaved strided views of one buffer, as the q, k and v of one projection are, overlap in
/// range but not in elements.) Names are compared as texts: one literal may have an address in each of a program's files.
template <class Op, class Out>
void check_alias(const Op& op, std::string_view out_name, const View<Out>& out) {
  const Span a = span_of(out);
  op.views([&]<class X>(const char* name, const View<X>& view) {
    if (name == out_name) return;
    const Span b = span_of(view);
    if (a.begin == a.end || b.begin == b.end) return;
    const bool same = a.begin == b.begin;
    const bool overlap = out.contiguous() && view.contiguous() && a.begin < b.end && b.begin < a.end;
    if (!same && !overlap) return;
    if (same && same_layout(out, view) && in_place<Op>(name)) return;
    fail(ErrorCode::alias, Op::kName, ": ", out_name, ": expected memory of its own, got an overlap with ", name);
  });
}

template <class T, class Op>
void check(const Context<T>& ctx, const Op& op) {
  op.check();
  if (ctx.device().kind == DeviceKind::plan) return;  // a plan reads no memory: any will do, and its addresses tell nothing
  op.views([&]<class X>(const char* name, const View<X>& view) {
    if (!view) return;
    if (!(view.device() == ctx.device()))
      fail(ErrorCode::device, Op::kName, ": ", name, ": expected memory of ", to_string(ctx.device()), ", got ",
           to_string(view.device()));
    if constexpr (!std::is_const_v<X>) check_alias(op, name, view);
  });
}

/// Calls f on every element of a host view.
template <class X, class F>
void for_each_element(const View<X>& view, F&& f) {
  std::int64_t e[kMaxRank], s[kMaxRank];
  for (int i = 0, lead = kMaxRank - view.rank(); i < kMaxRank; ++i) {
    e[i] = i < lead ? 1 : view.extent(i - lead);
    s[i] = i < lead ? 0 : view.stride(i - lead);
  }
  for (std::int64_t a = 0; a < e[0]; ++a)
    for (std::int64_t b = 0; b < e[1]; ++b)
      for (std::int64_t c = 0; c < e[2]; ++c)
        for (std::int64_t d = 0; d < e[3]; ++d)
          for (std::int64_t i = 0; i < e[4]; ++i) f(view.data()[a * s[0] + b * s[1] + c * s[2] + d * s[3] + i * s[4]]);
}

template <class Op>
void check_finite(const Op& op) {
  op.views([&]<class X>(const char* name, const View<X>& view) {
    if constexpr (!std::is_const_v<X> && std::is_floating_point_v<X>) {
      if (!view || view.device().kind != DeviceKind::cpu) return;
      for_each_element(view, [&](X value) {
        if (!(value - value == X{0}))
          fail(ErrorCode::numeric, Op::kName, ": ", name, ": expected finite values, got ", value);
      });
    }
  });
}

}  // namespace detail

/// Bytes an operation reads and writes, each view counted once unless it counts them itself: the floor of its memory traffic.
template <class Op>
double bytes_moved(const Op& op) {
  if constexpr (requires { op.bytes(); }) return op.bytes();
  double bytes = 0;
  op.views([&]<class X>(const char*, const View<X>& view) {
    if (view) bytes += static_cast<double>(view.numel()) * sizeof(X);
  });
  return bytes;
}

/// Checks an operation and runs it on the context's backend.
/// Errors: shape, argument, device, alias; numeric where ctx.checks() is on; what the backend throws.
template <class T, class Op>
void run(Context<T>& ctx, const Op& op) {
  detail::check(ctx, op);
  const ProfileRange range(ctx.profiler(), Op::kName);
  ctx.backend().run(op);
  if (ctx.checks()) detail::check_finite(op);
}

}  // namespace ops
}  // namespace detrack
