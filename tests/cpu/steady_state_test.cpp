// A second run of the same shapes allocates nothing; contexts say what they are and refuse what they cannot be.
#include "detrack/image/image.hpp"
#include "tests/cpu/cpu_support.hpp"
#include "tests/support/count_allocations.hpp"

using namespace detrack;
using namespace detrack::cpu_test;

namespace {

void second_run_allocates_nothing(cpu::Products products) {
  auto ctx = cpu::make_context<float>({.threads = some_threads(), .products = products});
  const std::int64_t R = 96, C = 192;
  auto x = Tensor<float>::zeros({R, C}), w = Tensor<float>::zeros({4 * C, C}), b = Tensor<float>::zeros({4 * C});
  auto y = Tensor<float>::zeros({R, 4 * C}), pre = Tensor<float>::zeros({R, 4 * C}), dx = Tensor<float>::zeros({R, C});
  auto dw = Tensor<float>::zeros({4 * C, C}), db = Tensor<float>::zeros({4 * C}), gamma = Tensor<float>::zeros({C});
  auto lse = Tensor<float>::zeros({1, 3, R}), mean = Tensor<float>::zeros({R}), rstd = Tensor<float>::zeros({R});
  auto dq = Tensor<float>::zeros({R, C}), dk = Tensor<float>::zeros({R, C}), out = Tensor<float>::zeros({R, C});
  auto dgamma = Tensor<float>::zeros({C}), dbeta = Tensor<float>::zeros({C});
  auto few = Tensor<float>::zeros({4, C}), wide = Tensor<float>::zeros({4, 4 * C});
  const auto heads = [&](View<float> t) { return t.reshape({1, R, 3, C / 3}); };
  auto& backend = ctx.backend();  // the kernels alone
  const auto step = [&] {
    backend.run(LinearForward<float>{
        .x = x.view(), .w = w.view(), .b = b.view(), .activation = Activation::gelu, .pre = pre.view(), .y = y.view()});
    backend.run(LinearBackward<float>{
        .dy = y.view(), .x = x.view(), .w = w.view(), .dx = dx.view(), .dw = dw.view(), .db = db.view()});
    backend.run(LinearForward<float>{.x = few.view(), .w = w.view(), .y = wide.view()});
    backend.run(AttentionForward<float>{
        .q = heads(x.view()), .k = heads(x.view()), .v = heads(x.view()), .y = heads(out.view()), .lse = lse.view()});
    backend.run(AttentionBackward<float>{.q = heads(x.view()),
                                         .k = heads(x.view()),
                                         .v = heads(x.view()),
                                         .y = heads(out.view()),
                                         .lse = lse.view(),
                                         .dy = heads(out.view()),
                                         .dq = heads(dq.view()),
                                         .dk = heads(dk.view()),
                                         .dv = heads(dx.view())});
    backend.run(LayerNormForward<float>{.x = x.view(),
                                        .gamma = gamma.view(),
                                        .beta = gamma.view(),
                                        .y = out.view(),
                                        .mean = mean.view(),
                                        .rstd = rstd.view()});
    backend.run(LayerNormBackward<float>{.x = x.view(),
                                         .gamma = gamma.view(),
                                         .mean = mean.view(),
                                         .rstd = rstd.view(),
                                         .dy = out.view(),
                                         .dx = dx.view(),
                                         .dgamma = dgamma.view(),
                                         .dbeta = dbeta.view()});
    backend.run(ActivationForward<float>{.kind = Activation::gelu, .x = pre.view(), .y = y.view()});
    backend.run(SoftmaxForward<float>{.x = x.view(), .y = out.view()});
    backend.run(Add<float>{.a = x.view(), .b = out.view(), .y = dx.view()});
  };
  step();
  CHECK(detrack::test::count_allocations(step) == 0);
}

}  // namespace

TEST_CASE("cpu: the second run allocates nothing") {
  for (const auto products : {cpu::Products::full, cpu::Products::bfloat16, cpu::Products::int8}) {
    CAPTURE(cpu::name_of(products));
    second_run_allocates_nothing(products);
  }
}

TEST_CASE("cpu: crops of another side, place or frame allocate nothing after the first of their size") {
  auto ctx = cpu::make_context<float>({some_threads()});
  const std::vector<std::uint8_t> bytes(4 * 200 * 100);
  auto y = Tensor<float>::zeros({3, 64, 64});
  const auto crop = [&](PixelFormat format, double left, double side) {
    ctx.backend().run(CropNormalise<float>{
        .frame = ImageView::packed(bytes.data(), 200, 100, format).pixels(), .left = left, .side = side, .y = y.view()});
  };
  crop(PixelFormat::rgb, 500, 10);  // sees nothing
  CHECK(detrack::test::count_allocations([&] {
          for (const double side : {0.1, 10.0, 80.0, 100.0, 1e5})
            for (const double left : {-20.0, 0.0, 130.0, 1e9})
              crop(PixelFormat::bgra, left, side), crop(PixelFormat::yuyv, left, side);
        }) == 0);
}

TEST_CASE("cpu: contexts say what they are and refuse what they cannot be") {
  CHECK(cpu::make_context<float>({1}).describe().find("cpu: 1 thread, ") == 0);
  CHECK(cpu::make_context<double>({1}).describe().find("float64") != std::string::npos);
  const auto code_of = [](int threads) {
    try {
      cpu::make_context<float>({threads});
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::io;
  };
  CHECK(code_of(-1) == ErrorCode::argument);
  CHECK(cpu::make_context<float>({2}).describe().find("2 threads") != std::string::npos);
}
