// Checks of an operation's argument checks: every wrong shape and every overlap is refused, with a message that says where.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/op_check.hpp"

namespace detrack::test {

/// f must throw an Error of this code whose message contains `text`.
template <class F>
Verdict throws(ErrorCode code, const std::string& text, F&& f) {
  try {
    f();
  } catch (const Error& error) {
    if (error.code() != code) return reject("expected a ", to_string(code), " error, got: ", error.what());
    if (std::string(error.what()).find(text) == std::string::npos) return reject("no \"", text, "\" in: ", error.what());
    return {};
  }
  return reject("expected a ", to_string(code), " error, got none");
}

namespace detail {

/// Calls f(name, view) with the operation's own views, to be changed.
template <class Op, class F>
void for_each_view(Op& op, F&& f) {
  op.views([&]<class X>(const char* name, const View<X>& view) { f(name, const_cast<View<X>&>(view)); });
}

/// The message is "operation: argument: expected ..., got ...", and the argument is one of the operation's.
template <class Op>
bool names_an_argument(const Op& op, const Error& error) {
  const std::string what = error.what(), prefix = std::string(Op::kName) + ": ";
  if (what.rfind(prefix, 0) != 0 || what.find("expected") == std::string::npos) return false;
  bool named = false;
  op.views([&](const char* name, const auto&) { named |= what.rfind(prefix + name + ": ", 0) == 0; });
  return named || what.rfind(prefix + "group: ", 0) == 0;  // the one scalar that a number of rows can contradict
}

/// Requires an error after `change` has been done to the view called `target`.
template <class Op, class Change>
Verdict refuses(Context<double>& ctx, Op op, const std::string& target, const std::string& what, Change&& change) {
  for_each_view(op, [&](const char* name, auto& view) {
    if (name == target) change(view);
  });
  try {
    ops::detail::check(ctx, op);
  } catch (const Error& error) {
    const bool right_code = error.code() == ErrorCode::shape || error.code() == ErrorCode::argument;
    if (right_code && names_an_argument(op, error)) return {};
    return reject(Op::kName, ": ", target, " ", what, ": unclear error: ", error.what());
  }
  return reject(Op::kName, ": ", target, " ", what, ": not refused");
}

template <class X>
View<X> with_shape(const View<X>& view, int axis, std::int64_t more) {
  Shape shape;
  std::array<std::int64_t, kMaxRank> strides{};
  for (int i = 0; i < view.rank(); ++i) {
    shape.append(view.extent(i) + (i == axis ? more : 0));
    strides[static_cast<std::size_t>(i)] = view.stride(i);
  }
  return {view.data(), shape, strides, view.device()};
}

template <class Op>
Verdict rejects_wrong_shapes(Context<double>& ctx, const Op& op, const std::vector<std::string>& free) {
  const auto is_free = [&](const std::string& what) {
    const std::string qualified = std::string(Op::kName) + "/" + what;
    return qualified == "add/strides" || std::find(free.begin(), free.end(), what) != free.end() ||
           std::find(free.begin(), free.end(), qualified) != free.end();
  };
  Verdict worst;
  op.views([&]<class X>(const char* name, const View<X>& view) {
    if (!view || !worst) return;
    const auto require = [&](Verdict verdict) {
      if (worst) worst = std::move(verdict);
    };
    for (int axis = 0; axis < view.rank(); ++axis)
      if (!is_free(std::string(name) + "/" + std::to_string(axis)))
        require(refuses(ctx, op, name, "longer", [&](auto& v) { v = with_shape(v, axis, 1); }));
    if (view.rank() < kMaxRank)
      require(refuses(ctx, op, name, "of another rank", [&]<class Y>(View<Y>& v) {
        v = View<Y>(v.data(), [&] {
          Shape shape{1};
          for (int i = 0; i < v.rank(); ++i) shape.append(v.extent(i));
          return shape;
        }());
      }));
    if (view.rank() > 0 && view.extent(view.rank() - 1) > 1 && !is_free("strides"))
      require(refuses(ctx, op, name, "with an inner stride of 2", [&]<class Y>(View<Y>& v) {
        std::array<std::int64_t, kMaxRank> strides{};
        for (int i = 0; i < v.rank(); ++i) strides[static_cast<std::size_t>(i)] = 2 * v.stride(i);
        v = View<Y>(v.data(), v.shape(), strides, v.device());
      }));
    if (!is_free(name)) require(refuses(ctx, op, name, "absent", [](auto& v) { v = {}; }));
  });
  return worst;
}

template <class Op>
Verdict rejects_aliasing(Context<double>& ctx, const Op& op) {
  Verdict worst;
  op.views([&]<class Out>(std::string_view out_name, const View<Out>& out) {
    if constexpr (!std::is_const_v<Out>) {
      op.views([&]<class X>(const char* name, const View<X>& view) {
        if constexpr (std::is_same_v<std::remove_const_t<X>, Out>) {
          if (name == out_name || !view || !out || !worst) return;
          const bool in_place = ops::detail::in_place<Op>(name) && view.shape() == out.shape();
          if (in_place) return;
          Op changed = op;
          for_each_view(changed, [&]<class Y>(std::string_view changed_name, View<Y>& v) {
            if constexpr (std::is_same_v<Y, Out>)
              if (changed_name == out_name) v = View<Y>(const_cast<Y*>(view.data()), v.shape());
          });
          const Verdict verdict = throws(ErrorCode::alias, Op::kName, [&] { ops::detail::check(ctx, changed); });
          if (!verdict) worst = reject(out_name, " over ", name, ": ", verdict.why);
        }
      });
    }
  });
  return worst;
}

/// Applies f(op) to every operation of a case until one verdict is bad.
template <class Case, class F>
Verdict for_each_op(const Case& c, Context<double>& ctx, F&& f) {
  Memory<double> memory(ctx);
  Verdict worst;
  const auto visit = [&](const auto& op) {
    if (worst) worst = f(op);
  };
  const auto visit_all = [&](const auto& ops) {
    run_all(ctx, ops);
    std::apply([&](const auto&... op) { (visit(op), ...); }, as_tuple(ops));
  };
  visit_all(c.forward(memory));
  if constexpr (HasBackward<Case, double>) {
    memory.freeze();
    visit_all(c.backward(memory));
  }
  return worst;
}

}  // namespace detail

/// Every view of every operation of a case, made longer along each axis, of another rank, with an inner stride of 2, or
/// left out, is refused. `free` lists what is allowed: "name/axis" for a
/// free extent, "name" for an optional view, either with "operation/" before it.
template <class Case>
Verdict rejects_wrong_shapes(const Case& c, const std::vector<std::string>& free = {}) {
  auto ctx = reference_context<double>();
  return detail::for_each_op(c, ctx, [&](const auto& op) { return detail::rejects_wrong_shapes(ctx, op, free); });
}

/// No output may share memory with another view, unless the operation works in place.
template <class Case>
Verdict rejects_aliasing(const Case& c) {
  auto ctx = reference_context<double>();
  return detail::for_each_op(c, ctx, [&](const auto& op) { return detail::rejects_aliasing(ctx, op); });
}

}  // namespace detrack::test
