// A second run of the same shapes allocates nothing; contexts say what they are and refuse what they cannot be.
#include <atomic>
#include <cstdlib>
#include <new>

#include "cpu_support.hpp"

namespace {
std::atomic<long> allocations{0};

void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment < sizeof(void*) ? sizeof(void*) : alignment, size ? size : 1) != 0)
    throw std::bad_alloc();
  return memory;
}
}  // namespace

void* operator new(std::size_t size) {
  return counted(size, alignof(std::max_align_t));
}
void* operator new[](std::size_t size) {
  return counted(size, alignof(std::max_align_t));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

using namespace detrack;
using namespace detrack::cpu_test;

TEST_CASE("cpu: the second run allocates nothing") {
  auto ctx = cpu::make_context<float>({some_threads()});
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
  const long before = allocations;
  step();
  const long after = allocations;
  CHECK(after == before);
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
  if (cpu::kOpenMp)
    CHECK(cpu::make_context<float>({2}).describe().find("2 threads") != std::string::npos);
  else
    CHECK(code_of(2) == ErrorCode::not_available);
}
