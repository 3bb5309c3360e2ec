// Reference loops: intersection over union and the SIoU loss, with their gradients.
#pragma once

#include <array>
#include <cmath>

#include "detrack/core/host_device.hpp"
#include "detrack/ops/box_overlap.hpp"

namespace detrack::reference {

template <class S>
using Box = std::array<S, 4>;  // x1, y1, x2, y2; axis i (0: x, 1: y) runs from [i] to [i + 2]

template <class S, class X>
DETRACK_HOST_DEVICE Box<S> box_at(const View<X>& boxes, std::int64_t r) {
  return {S(boxes(r, 0)), S(boxes(r, 1)), S(boxes(r, 2)), S(boxes(r, 3))};
}

template <class S>
DETRACK_HOST_DEVICE S larger(S a, S b) {
  return a > b ? a : b;
}
template <class S>
DETRACK_HOST_DEVICE S smaller(S a, S b) {
  return a < b ? a : b;
}

// Subgradients, the same as automatic differentiation takes them:

/// d max(a, b) / d a, and d min(b, a) / d b: a tie is shared.
template <class S>
DETRACK_HOST_DEVICE S share_of_larger(S a, S b) {
  return a > b ? S(1) : a < b ? S(0) : S(0.5);
}
/// d max(x, floor) / d x for a constant floor: x passes where it is the floor.
template <class S>
DETRACK_HOST_DEVICE S passes(S x, S floor) {
  return x >= floor ? S(1) : S(0);
}
/// d |x| / d x
template <class S>
DETRACK_HOST_DEVICE S sign(S x) {
  return x > S(0) ? S(1) : x < S(0) ? S(-1) : S(0);
}

/// Sides of the intersection and areas: shared by iou and its gradient.
template <class S>
struct Overlap {
  std::array<S, 2> raw_common, raw_side;  ///< of the intersection and of a; negative where boxes are apart or inverted
  std::array<S, 2> common, side;          ///< the same, at least 0
  S inter, join;

  DETRACK_HOST_DEVICE Overlap(const Box<S>& a, const Box<S>& b) {
    std::array<S, 2> b_side;
    for (std::size_t i = 0; i < 2; ++i) {
      raw_common[i] = smaller(a[i + 2], b[i + 2]) - larger(a[i], b[i]);
      raw_side[i] = a[i + 2] - a[i];
      common[i] = larger(raw_common[i], S(0));
      side[i] = larger(raw_side[i], S(0));
      b_side[i] = larger(b[i + 2] - b[i], S(0));
    }
    inter = common[0] * common[1];
    join = side[0] * side[1] + b_side[0] * b_side[1] - inter + S(1e-7);
  }
  DETRACK_HOST_DEVICE S iou() const { return inter / join; }
};

/// da += dy d iou / d a
template <class S>
DETRACK_HOST_DEVICE void add_iou_gradient(const Box<S>& a, const Box<S>& b, S dy, Box<S>& da) {
  const Overlap<S> o(a, b);
  const S darea = -dy * o.inter / (o.join * o.join);
  const S dinter = dy / o.join - darea;  // inter is in the numerator, and with a minus in the join
  for (std::size_t i = 0; i < 2; ++i) {
    const S dcommon = dinter * o.common[1 - i] * passes(o.raw_common[i], S(0));
    const S dside = darea * o.side[1 - i] * passes(o.raw_side[i], S(0));
    da[i + 2] += dcommon * share_of_larger(b[i + 2], a[i + 2]) + dside;
    da[i] -= dcommon * share_of_larger(a[i], b[i]) + dside;
  }
}

/// The terms of the SIoU loss, each with what its gradient needs.
template <class S>
struct Siou {
  static constexpr double kSmallest = 1e-7;
  std::array<S, 2> raw_side, side, truth_side;  ///< of a and b
  std::array<S, 2> offset;                      ///< from centre to centre
  std::array<S, 2> raw_hull, hull;              ///< sides of the box around both
  S square, angle;                              ///< |offset|^2, and sin(2 alpha): 0 along an axis, 1 on a diagonal
  std::array<S, 2> rho, omega;                  ///< offset and change of side, relative
  S loss;

  DETRACK_HOST_DEVICE Siou(const Box<S>& a, const Box<S>& b) {
    using std::abs, std::exp;
    const S smallest = S(kSmallest);
    for (std::size_t i = 0; i < 2; ++i) {
      raw_side[i] = a[i + 2] - a[i];
      side[i] = larger(raw_side[i], smallest);
      truth_side[i] = larger(b[i + 2] - b[i], smallest);
      offset[i] = (b[i] + b[i + 2] - a[i] - a[i + 2]) * S(0.5);
      raw_hull[i] = larger(a[i + 2], b[i + 2]) - smaller(a[i], b[i]);
      hull[i] = larger(raw_hull[i], smallest);
      rho[i] = (offset[i] / hull[i]) * (offset[i] / hull[i]);
      omega[i] = abs(side[i] - truth_side[i]) / larger(side[i], truth_side[i]);
    }
    square = offset[0] * offset[0] + offset[1] * offset[1] + smallest;
    angle = S(2) * abs(offset[0] * offset[1]) / square;
    S distance(0), shape(0);
    for (std::size_t i = 0; i < 2; ++i) {
      const S unlike = S(1) - exp(-omega[i]);
      distance += S(1) - exp(-(S(2) - angle) * rho[i]);
      shape += unlike * unlike * unlike * unlike;  // theta = 4
    }
    loss = S(1) - Overlap<S>(a, b).iou() + (distance + shape) * S(0.5);
  }
};

/// da += dy d siou / d a
template <class S>
DETRACK_HOST_DEVICE void add_siou_gradient(const Box<S>& a, const Box<S>& b, S dy, Box<S>& da) {
  using std::abs, std::exp;
  const Siou<S> f(a, b);
  add_iou_gradient(a, b, -dy, da);

  const S dterm = dy * S(0.5), gamma = S(2) - f.angle;  // of distance and of shape
  S dangle(0);
  std::array<S, 2> doffset;
  for (std::size_t i = 0; i < 2; ++i) {
    // distance: 1 - exp(-gamma rho), rho = (offset / hull)^2
    const S decay = exp(-gamma * f.rho[i]);
    dangle -= dterm * decay * f.rho[i];
    const S drho = dterm * decay * gamma;
    doffset[i] = drho * S(2) * f.offset[i] / (f.hull[i] * f.hull[i]);
    const S dhull = -drho * S(2) * f.rho[i] / f.hull[i] * passes(f.raw_hull[i], S(Siou<S>::kSmallest));
    da[i + 2] += dhull * share_of_larger(a[i + 2], b[i + 2]);
    da[i] -= dhull * share_of_larger(b[i], a[i]);

    // shape: (1 - exp(-omega))^4, omega = |side - truth side| / larger side
    const S alike = exp(-f.omega[i]), unlike = S(1) - alike;
    const S domega = dterm * S(4) * unlike * unlike * unlike * alike;
    const S change = f.side[i] - f.truth_side[i], longest = larger(f.side[i], f.truth_side[i]);
    const S dside = domega * (sign(change) - f.omega[i] * share_of_larger(f.side[i], f.truth_side[i])) / longest *
                    passes(f.raw_side[i], S(Siou<S>::kSmallest));
    da[i + 2] += dside;
    da[i] -= dside;
  }
  // angle: 2 |ox oy| / (ox^2 + oy^2), ox and oy the offsets
  const S dproduct = dangle * S(2) * sign(f.offset[0] * f.offset[1]) / f.square;
  const S dsquare = -dangle * f.angle / f.square;
  for (std::size_t i = 0; i < 2; ++i) {
    doffset[i] += dproduct * f.offset[1 - i] + dsquare * S(2) * f.offset[i];
    da[i + 2] -= doffset[i] * S(0.5);
    da[i] -= doffset[i] * S(0.5);
  }
}

template <class T>
void run(const IouForward<T>& op) {
  using S = stat_t<T>;
  for (std::int64_t r = 0; r < op.a.extent(0); ++r) op.y(r) = Overlap<S>(box_at<S>(op.a, r), box_at<S>(op.b, r)).iou();
}

template <class T>
void run(const IouBackward<T>& op) {
  using S = stat_t<T>;
  for (std::int64_t r = 0; r < op.a.extent(0); ++r) {
    Box<S> da{S(0), S(0), S(0), S(0)};
    add_iou_gradient(box_at<S>(op.a, r), box_at<S>(op.b, r), op.dy(r), da);
    for (std::size_t i = 0; i < 4; ++i) op.da(r, i) = da[i];
  }
}

template <class T>
void run(const SiouForward<T>& op) {
  using S = stat_t<T>;
  for (std::int64_t r = 0; r < op.a.extent(0); ++r) op.y(r) = Siou<S>(box_at<S>(op.a, r), box_at<S>(op.b, r)).loss;
}

template <class T>
void run(const SiouBackward<T>& op) {
  using S = stat_t<T>;
  for (std::int64_t r = 0; r < op.a.extent(0); ++r) {
    Box<S> da{S(0), S(0), S(0), S(0)};
    add_siou_gradient(box_at<S>(op.a, r), box_at<S>(op.b, r), op.dy(r), da);
    for (std::size_t i = 0; i < 4; ++i) op.da(r, i) = da[i];
  }
}

}  // namespace detrack::reference
