// Tensors: ownership.
#include "detrack/core/tensor.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <type_traits>
#include <utility>

#include "detrack/core/dtype.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;
using test::error_of;

namespace {

/// Host memory that counts what is alive.
class CountingAllocator final : public Allocator {
 public:
  void* allocate(std::size_t bytes) override { return ++alive, host_allocator()->allocate(bytes); }
  void deallocate(void* memory) noexcept override { --alive, host_allocator()->deallocate(memory); }
  Device device() const noexcept override { return {}; }
  int alive = 0;
};

}  // namespace

static_assert(!std::is_copy_constructible_v<Tensor<float>> && !std::is_copy_assignable_v<Tensor<float>>);
static_assert(std::is_nothrow_move_constructible_v<Tensor<float>> && std::is_nothrow_move_assignable_v<Tensor<float>>);

TEST_CASE("tensor: aligned memory of its shape") {
  Tensor<float> tensor = Tensor<float>::zeros({3, 4});
  CHECK(tensor.numel() == 12);
  CHECK(reinterpret_cast<std::uintptr_t>(tensor.data()) % kAlignment == 0);
  for (int i = 0; i < 12; ++i) CHECK(tensor.data()[i] == 0.0f);
  CHECK(tensor.view().at(2, 3) == 0.0f);
  CHECK(std::as_const(tensor).view().shape() == Shape{3, 4});
  CHECK(static_cast<float>(Tensor<bfloat16>::zeros({1}).data()[0]) == 0.0f);
  CHECK(Tensor<float>(Shape{0, 4}));  // no elements, but there
  CHECK(Tensor<float>(Shape{0, 4}).numel() == 0);
  CHECK_FALSE(Tensor<float>());
  CHECK(Tensor<float>().numel() == 0);
}

TEST_CASE("tensor: moves hand memory over once") {
  const auto allocator = std::make_shared<CountingAllocator>();
  {
    Tensor<int> a(Shape{2}, allocator), b(Shape{3}, allocator);
    a.data()[1] = 7;
    CHECK(allocator->alive == 2);
    b = std::move(a);
    CHECK(allocator->alive == 1);
    CHECK(b.shape() == Shape{2});
    CHECK(b.data()[1] == 7);
    CHECK_FALSE(a);  // NOLINT(bugprone-use-after-move): moved-from tensors are empty
    Tensor<int>& same = b;
    b = std::move(same);
    CHECK(b.data()[1] == 7);
    const Tensor<int> c(std::move(b));
    CHECK(c.data()[1] == 7);
    CHECK(allocator->alive == 1);
  }
  CHECK(allocator->alive == 0);
}

TEST_CASE("tensor: clones are separate") {
  Tensor<int> a = Tensor<int>::zeros({2, 2});
  Tensor<int> b = a.clone();
  b.data()[3] = 5;
  CHECK(a.data()[3] == 0);
  CHECK(b.shape() == a.shape());
  CHECK_FALSE(Tensor<int>().clone());
  const Tensor<int> planned(Shape{2}, plan_allocator());
  CHECK(error_of(ErrorCode::device, [&] { planned.clone(); }) == "Tensor::clone: expected cpu memory, got plan");
}

TEST_CASE("tensor: more than the address space is refused, not wrapped") {
  error_of(ErrorCode::out_of_memory, [] { Tensor<double>(Shape{std::int64_t{1} << 61}); });  // 2^64 bytes
}
