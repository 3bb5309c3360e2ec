// The smallest program of a user: one linear layer. It also checks that linking detrack changed no compiler flag.
#include <cstdio>
#include <detrack/detrack.hpp>

#if defined(__x86_64__) && defined(__SSE3__)
#error "detrack must not choose the instruction set of its users"
#endif

int main() {
  using namespace detrack;
  auto ctx = reference_context<float>();

  float x_data[] = {1, 2};
  float w_data[] = {3, 4, 5, 6, 7, 8};
  float b_data[] = {0.5f, 0, -0.5f};
  auto y = Tensor<float>::zeros({1, 3});
  const View<float> x(x_data, {1, 2}), w(w_data, {3, 2}), b(b_data, {3});
  ops::run(ctx, LinearForward<float>{.x = x, .w = w, .b = b, .y = y.view()});

  std::printf("%s: %g %g %g\n", ctx.describe().c_str(), y.view()(0, 0), y.view()(0, 1), y.view()(0, 2));
  return y.view()(0, 0) == 11.5f && y.view()(0, 1) == 17 && y.view()(0, 2) == 22.5f ? 0 : 1;
}
