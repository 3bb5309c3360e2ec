// What both units of the two_units program see: every header, and the functions of the second unit.
#pragma once

#include "everything.hpp"

struct SecondUnit {
  const void* allocator;  ///< address of the one host allocator of the program
  float product;          ///< 2 x 3, computed by a linear layer
};
SecondUnit second_unit();

/// Instantiates the same templates in both units.
inline float multiply(float x, float w) {
  float y = 0;
  auto ctx = detrack::reference_context<float>();
  detrack::ops::run(ctx, detrack::LinearForward<float>{.x = {&x, {1, 1}}, .w = {&w, {1, 1}}, .y = {&y, {1, 1}}});
  return y;
}
