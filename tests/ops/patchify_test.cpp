// Cutting images into patches.
#include "tests/ops/cases/patchify.hpp"

#include "tests/ops/check_op.hpp"

using namespace detrack;
using namespace detrack::test;

TEST_CASE("patchify") {
  check_op(patchify_cases());
}

TEST_CASE("patchify: channels, then rows, then columns within a patch; patches row by row") {
  auto ctx = reference_context<double>();
  double image[16], columns[16];
  for (int i = 0; i < 16; ++i) image[i] = i;
  ops::run(ctx, PatchifyForward<double>{
                    .image = View<const double>(image, {1, 2, 2, 4}), .patch = 2, .columns = View<double>(columns, {2, 8})});
  require(
      compare(to_array(View<double>(columns, {16})), {{16}, {0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15}}, {}));
}

TEST_CASE("patchify: sides must be divisible by the patch, and the patch positive") {
  auto ctx = reference_context<double>();
  auto image = Tensor<double>::zeros({1, 1, 4, 4}), columns = Tensor<double>::zeros({4, 4});
  const auto with_patch = [&](std::int64_t P) {
    ops::run(ctx, PatchifyForward<double>{.image = image.view(), .patch = P, .columns = columns.view()});
  };
  with_patch(2);
  require(throws(ErrorCode::shape, "patchify_forward: image: ", [&] { with_patch(3); }));
  require(throws(ErrorCode::argument, "patchify_forward: patch: ", [&] { with_patch(0); }));
}
