// Matrix products of the CUDA backend: cuBLASLt's and our own against the reference, the epilogues, the sums of columns, and
// what is kept of cuBLASLt's choices.
#include "tests/ops/cases/linear.hpp"

#include <vector>

#include "cuda/add.cuh"
#include "cuda/normed_linear.cuh"
#include "cuda/similarity.cuh"
#include "tests/cuda/machine.hpp"
#include "tests/ops/cases/normed_linear.hpp"
#include "tests/ops/cases/similarity.hpp"
#include "tests/ops/check_op.hpp"
#include "tests/support/error_of.hpp"

using namespace detrack;

namespace {

/// A sum of bfloat16 that is rounded the other way is off by one unit in the last place, at most 1/128 of the largest.
constexpr double kLinearFloat = 2e-5, kLinearBfloat16 = 0x1p-7;

/// All cases on both scalars, packed and strided, whatever turn the threads of a block take.
template <class Cases>
void products_match(const Cases& cases) {
  test::MachineScope machine;
  for (const auto order : test::kOrders) {
    machine->order = order;
    auto narrow = cuda::make_context<bfloat16>(0);
    auto wide = cuda::make_context<float>(0);
    for (const test::Layout layout : {test::kPacked, test::kStrided})
      for (const auto& c : cases) {
        test::require(test::matches_reference(c, wide, kLinearFloat, layout));
        test::require(test::matches_reference(c, narrow, kLinearBfloat16, layout));
      }
  }
}

/// A forward without the chain behind it: with the activation's argument wanted or not, whatever the activation.
struct LinearEpilogue {
  test::LinearCase linear;
  bool pre = false;

  std::string name() const { return linear.name() + (pre ? " pre" : ""); }
  template <class T>
  auto forward(test::Memory<T>& m) const {
    return linear.forward(m, pre);
  }
};

/// The gradient of a bias alone.
struct RowSums {
  std::int64_t R = 1, O = 1;

  std::string name() const { return detrack::detail::concat("sums of ", R, " rows of ", O); }
  template <class T>
  auto forward(test::Memory<T>& m) const {
    return LinearBackward<T>{.dy = m.in("dy", {R, O}), .alpha = -0.5, .db = m.sum("db", {O})};
  }
};

/// A matrix of small numbers on the device.
template <class T>
class DeviceMatrix {
 public:
  DeviceMatrix(std::int64_t rows, std::int64_t columns)
      : memory_({rows, columns}, std::make_shared<cuda::DeviceAllocator>(0)) {
    std::vector<T> values(static_cast<std::size_t>(memory_.numel()));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = T(static_cast<float>(static_cast<int>(i * 7 % 11) - 5) / 4);
    cudaMemcpyAsync(memory_.data(), values.data(), values.size() * sizeof(T), cudaMemcpyDefault);
  }
  View<T> view() { return memory_.view(); }
  std::vector<float> values() const {
    std::vector<T> copy(static_cast<std::size_t>(memory_.numel()));
    cudaMemcpyAsync(copy.data(), memory_.data(), copy.size() * sizeof(T), cudaMemcpyDefault);
    std::vector<float> all;
    for (const T x : copy) all.push_back(static_cast<float>(x));
    return all;
  }

 private:
  Tensor<T> memory_;
};

/// One forward, with everything it needs.
template <class T>
struct LinearSample {
  DeviceMatrix<T> x, w, y;
  LinearSample(std::int64_t R, std::int64_t I, std::int64_t O) : x(R, I), w(O, I), y(R, O) {}
  LinearForward<T> op() { return {.x = x.view(), .w = w.view(), .y = y.view()}; }
};

/// What a case, which must match the reference, adds to a counter of the emulated machine.
template <class Case, class T>
long rise_of(const long& counter, const Case& c, Context<T>& ctx, double bound, test::Layout layout = test::kPacked) {
  const long before = counter;
  test::require(test::matches_reference(c, ctx, bound, layout));
  return counter - before;
}

}  // namespace

TEST_CASE("cuda linear: against the reference") {
  products_match(test::linear_cases());
  products_match(test::similarity_cases());
}

TEST_CASE("cuda linear: shapes that cuBLASLt takes, with every epilogue") {
  std::vector<LinearEpilogue> forwards;
  for (const Activation activation : {Activation::identity, Activation::relu, Activation::gelu, Activation::sigmoid})
    for (const bool bias : {false, true})
      for (const bool residual : {false, true})
        for (const bool pre : {false, true})
          for (const double alpha : {1.0, -1.0, 0.5})
            forwards.push_back(
                {{.R = 16, .I = 32, .O = 24, .bias = bias, .residual = residual, .alpha = alpha, .activation = activation},
                 pre});
  forwards.push_back({{.R = 16, .I = 32, .O = 24, .residual = true, .in_place = true}});
  forwards.push_back({{.R = 16, .I = 32, .O = 24, .residual = true, .alpha = -1, .in_place = true}});
  forwards.push_back(
      {{.R = 16, .I = 32, .O = 24, .residual = true, .activation = Activation::gelu, .in_place = true}, true});
  forwards.push_back({{.R = 9, .I = 192, .O = 40, .residual = true}});  // the inner dimension is split
  const std::vector<test::LinearCase> chains = {
      {.R = 16, .I = 32, .O = 24, .residual = true, .alpha = -1, .activation = Activation::relu},
      {.R = 16, .I = 32, .O = 24, .residual = true, .in_place = true},
      {.R = 72, .I = 136, .O = 64, .activation = Activation::gelu}};
  test::MachineScope machine;
  for (const auto order : {test::Order::forward, test::Order::shuffled}) {
    machine->order = order;
    auto narrow = cuda::make_context<bfloat16>(0);
    auto wide = cuda::make_context<float>(0);
    const long& products = emulator::blas_machine().products;
    const auto takes = [&](const auto& c, long count) {
      CHECK(rise_of(products, c, wide, kLinearFloat) == count);
      CHECK(rise_of(products, c, narrow, kLinearBfloat16) == count);
    };
    for (const auto& c : forwards) takes(c, 1);
    for (const auto& c : chains) takes(c, 3);
    takes(test::SimilarityCase{.R = 16, .C = 32, .V = 72}, 3);
    takes(test::LinearCase{.R = 1, .I = 32, .O = 24, .residual = true}, 2);  // the gradients: the forward has few rows
    takes(test::SimilarityCase{.R = 4, .C = 32, .V = 72}, 2);
  }
}

TEST_CASE("cuda linear: few rows") {
  constexpr test::Layout kAligned{8, 8};
  const std::vector<LinearEpilogue> more_or_fewer = {
      {{.R = 1, .I = 192, .O = 24, .bias = false}},
      {{.R = 2, .I = 8, .O = 1, .residual = true, .alpha = -1}},
      {{.R = 3, .I = 136, .O = 7, .activation = Activation::relu}, true},
      {{.R = 4, .I = 192, .O = 33, .residual = true, .in_place = true}},
      {{.R = 4, .I = 1288, .O = 16, .residual = true, .activation = Activation::gelu},
       true},  // more than is asked for ahead
      {{.R = 5, .I = 200, .O = 2, .activation = Activation::gelu}},
      {{.R = 6, .I = 264, .O = 15, .bias = false, .residual = true, .alpha = 0.5, .activation = Activation::sigmoid}, true},
      {{.R = 7, .I = 16, .O = 17, .residual = true, .alpha = -1, .in_place = true}},
      {{.R = 8, .I = 2048, .O = 9, .alpha = 2, .activation = Activation::relu}}};
  test::MachineScope machine;
  for (const auto order : test::kOrders) {
    machine->order = order;
    auto narrow = cuda::make_context<bfloat16>(0);
    auto wide = cuda::make_context<float>(0);
    const long& products = emulator::blas_machine().products;
    for (const test::Layout layout : {test::kPacked, kAligned})
      for (const auto& c : more_or_fewer) {
        CHECK(rise_of(products, c, wide, kLinearFloat, layout) == 0);
        CHECK(rise_of(products, c, narrow, kLinearBfloat16, layout) == 0);
      }
    const auto is_others = [&](const test::LinearCase& linear) {
      CHECK(rise_of(products, LinearEpilogue{linear}, wide, kLinearFloat) == 1);
    };
    is_others({.R = cuda::kSkinnyRows + 1, .I = 32, .O = 24});
    is_others({.R = 4, .I = 33, .O = 24});    // rows of other alignments
    is_others({.R = 4, .I = 2056, .O = 24});  // too long
  }
}

TEST_CASE("cuda linear: few rows through a layer norm take one kernel") {
  constexpr test::Layout kAligned{8, 8};
  const std::vector<test::NormedLinearCase> cases = {
      {.R = 1, .I = 8, .O = 3},
      {.R = 3, .I = 192, .O = 24, .statistics = true, .activation = Activation::gelu},
      {.R = 4, .I = 1288, .O = 17, .pre = true, .activation = Activation::relu},
      {.R = 5, .I = 264, .O = 9, .statistics = true, .pre = true},
      {.R = 8, .I = 64, .O = 40}};
  test::MachineScope machine;
  for (const auto order : test::kOrders) {
    machine->order = order;
    auto narrow = cuda::make_context<bfloat16>(0);
    auto wide = cuda::make_context<float>(0);
    const long& launches = machine->launches;
    for (const test::Layout layout : {test::kPacked, kAligned})
      for (const auto& c : cases) {
        CHECK(rise_of(launches, c, wide, kLinearFloat, layout) == 1);
        CHECK(rise_of(launches, c, narrow, kLinearBfloat16, layout) == 1);
      }
    CHECK(rise_of(launches, test::NormedLinearCase{.R = 4, .I = 7, .O = 3}, narrow, kLinearBfloat16) == 2);
  }
}

TEST_CASE("cuda linear: products of nothing") {
  products_match(std::vector<LinearEpilogue>{{{.R = 3, .I = 0, .O = 5, .residual = true, .alpha = 2}}});
  products_match(std::vector<test::LinearCase>{{.R = 3, .I = 4, .O = 0}});
}

TEST_CASE("cuda linear: which epilogue cuBLASLt gets") {
  cuda::Stream stream(0);
  LinearSample<float> layer(16, 32, 24);
  DeviceMatrix<float> bias(1, 24);
  LinearForward<float> op = layer.op();
  const auto epilogue = [&] {
    cuda::run(stream, op);
    return emulator::blas_machine().epilogue;
  };
  CHECK(epilogue() == CUBLASLT_EPILOGUE_DEFAULT);
  op.activation = Activation::relu;
  CHECK(epilogue() == CUBLASLT_EPILOGUE_RELU);
  op.b = bias.view().select(0, 0);
  CHECK(epilogue() == CUBLASLT_EPILOGUE_RELU_BIAS);
  op.alpha = 2;
  CHECK(epilogue() == CUBLASLT_EPILOGUE_RELU_BIAS);
  op.activation = Activation::gelu;  // not cuBLASLt's, which is another function
  CHECK(epilogue() == CUBLASLT_EPILOGUE_BIAS);
  CHECK(emulator::blas_machine().schemes == CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
}

TEST_CASE("cuda linear: sums of many rows") {
  products_match(std::vector<RowSums>{{128, 16}, {129, 80}, {3000, 40}, {3000, 37}});
  auto ctx = cuda::make_context<float>(0);
  test::require(test::matches_reference(RowSums{20000, 8}, ctx, kLinearFloat));  // sums of sums of sums
}

TEST_CASE("cuda linear: a shape is planned once") {
  cuda::Stream stream(0);
  LinearSample<bfloat16> aligned(16, 128, 24), odd(5, 7, 3);
  const auto run_both = [&] {
    cuda::run(stream, aligned.op());
    cuda::run(stream, odd.op());
  };
  long before = emulator::blas_machine().heuristics;
  run_both();
  CHECK(emulator::blas_machine().heuristics == before + 2);
  const std::vector<float> first = aligned.y.values();
  before = emulator::blas_machine().heuristics;
  const long products = emulator::blas_machine().products, allocations = emulator::machine().allocations;
  run_both();
  CHECK(emulator::blas_machine().heuristics == before);
  CHECK(emulator::blas_machine().products == products + 1);  // the library has nothing for odd rows of bfloat16
  CHECK(emulator::machine().allocations == allocations);
  CHECK(aligned.y.values() == first);

  LinearSample<bfloat16> elsewhere(16, 128, 24);  // other memory, the same shape
  cuda::run(stream, elsewhere.op());
  CHECK(emulator::blas_machine().heuristics == before);
  CHECK(elsewhere.y.values() == first);
}

TEST_CASE("cuda linear: products are captured and replayed") {
  cuda::Stream stream(0);
  LinearSample<bfloat16> layer(16, 128, 24);
  DeviceMatrix<bfloat16> bias(1, 24);
  LinearForward<bfloat16> op = layer.op();
  op.b = bias.view().select(0, 0), op.alpha = 0.5, op.activation = Activation::gelu;
  cuda::run(stream, op);
  const std::vector<float> expected = layer.y.values();
  Fill<bfloat16> clear{.value = 0, .y = layer.y.view()};
  cuda::run(stream, clear);
  REQUIRE(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal) == cudaSuccess);
  cuda::run(stream, op);
  cudaGraph_t graph = nullptr;
  REQUIRE(cudaStreamEndCapture(stream.get(), &graph) == cudaSuccess);
  CHECK(layer.y.values() != expected);
  cudaGraphExec_t exec = nullptr;
  REQUIRE(cudaGraphInstantiate(&exec, graph, 0) == cudaSuccess);
  CHECK(cudaGraphLaunch(exec, stream.get()) == cudaSuccess);
  CHECK(layer.y.values() == expected);
  cudaGraphExecDestroy(exec);
  cudaGraphDestroy(graph);
}

TEST_CASE("cuda linear: the table of algorithms") {
  LinearSample<bfloat16> aligned(16, 128, 24), odd(5, 7, 3);
  cuda::Stream stream(0), again(0);
  cuda::run(stream, aligned.op());
  cuda::run(stream, odd.op());
  const std::string table = stream.blas().export_algorithms();
  CAPTURE(table);
  CHECK(table.find("detrack algorithms 1: cublasLt 130100, sm_90, 4 multiprocessors\n# input output transpose_a ") == 0);
  CHECK(table.find("\n14 14 1 0 24 16 128 128 128 24 24 16 16 16 16 1 0 : 636f6c756d6e73 e e 10 2 0 0 0\n") !=
        std::string::npos);
  CHECK(table.find(" none\n") != std::string::npos);

  again.blas().import_algorithms(table);
  CHECK(again.blas().export_algorithms() == table);
  const long heuristics = emulator::blas_machine().heuristics, products = emulator::blas_machine().products;
  const std::vector<float> first = aligned.y.values();
  cuda::run(again, aligned.op());
  cuda::run(again, odd.op());
  CHECK(emulator::blas_machine().heuristics == heuristics);
  CHECK(emulator::blas_machine().products == products + 1);
  CHECK(aligned.y.values() == first);

  // A table wins over what was chosen, and leaves other shapes alone.
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = table;
    changed.replace(changed.find(from), from.size(), to);
    return changed;
  };
  LinearSample<float> other(9, 8, 8);
  cuda::run(again, other.op());
  again.blas().import_algorithms(with("e e 10 2 ", "e e 10 1 "));
  const std::string mixed = again.blas().export_algorithms();
  CHECK(mixed.find(": 636f6c756d6e73 e e 10 1 0 0 0\n") != std::string::npos);
  CHECK(mixed.find("\n0 0 1 0 8 9 8 ") != std::string::npos);

  const auto refused = [&](ErrorCode code, const std::string& text) {
    const std::string message = test::error_of(code, [&] { again.blas().import_algorithms(text); });
    CHECK(again.blas().export_algorithms() == mixed);
    return message;
  };
  CHECK(refused(ErrorCode::format, "").find("expected 'detrack algorithms 1: ...', got ''") != std::string::npos);
  CHECK(refused(ErrorCode::cublas, with("130100", "120000")).find("got 'detrack algorithms 1: cublasLt 120000, sm_90") !=
        std::string::npos);
  CHECK(refused(ErrorCode::format, with(" e e 10 2 0 0 0", " e e 10 2 0 0")).find("algorithms: line ") == 0);
  CHECK(refused(ErrorCode::format, with(" 0 0 0\n", " 0 0 0 0\n")).find("algorithms: line ") == 0);
  CHECK(refused(ErrorCode::format, with("14 14 1", "14 x 1")).find("algorithms: line ") == 0);
  CHECK(refused(ErrorCode::format, with(" none", " nothing")).find("algorithms: line ") == 0);
  CHECK(refused(ErrorCode::cublas, with("636f6c756d6e73", "636f6c756d6e74")).find("CUBLAS_STATUS_INVALID_VALUE") !=
        std::string::npos);
  CHECK(refused(ErrorCode::cublas, with("e e 10 2 ", "e e 10 1000000 ")).find("bytes of workspace") != std::string::npos);
}

TEST_CASE("cuda linear: errors of cuBLASLt") {
  LinearSample<float> layer(16, 32, 24);
  const auto error = [&](const auto& f) { return test::error_of(ErrorCode::cublas, f); };
  const long handles = emulator::blas_machine().handles;
  {
    cuda::Stream stream(0);
    CHECK(emulator::blas_machine().handles == handles);  // most streams multiply nothing
    emulator::blas_machine().create = CUBLAS_STATUS_NOT_INITIALIZED;
    CHECK(error([&] { cuda::run(stream, layer.op()); }) == "cublas: starting cuBLASLt: CUBLAS_STATUS_NOT_INITIALIZED");
    emulator::blas_machine().create = CUBLAS_STATUS_SUCCESS;
    emulator::blas_machine().heuristic = CUBLAS_STATUS_INTERNAL_ERROR;
    CHECK(error([&] { cuda::run(stream, layer.op()); }) == "cublas: choosing an algorithm: CUBLAS_STATUS_INTERNAL_ERROR");
    emulator::blas_machine().heuristic = CUBLAS_STATUS_SUCCESS;
    cuda::run(stream, layer.op());  // asks again
    CHECK(emulator::blas_machine().handles == handles + 1);
    emulator::blas_machine().matmul = CUBLAS_STATUS_EXECUTION_FAILED;
    CHECK(error([&] { cuda::run(stream, layer.op()); }) == "cublas: multiplying matrices: CUBLAS_STATUS_EXECUTION_FAILED");
    emulator::blas_machine().matmul = CUBLAS_STATUS_SUCCESS;
    cuda::run(stream, layer.op());
  }
  CHECK(emulator::blas_machine().handles == handles);

  cuda::Stream stream(0);
  emulator::machine().free_memory = 1 << 20;  // no room for the workspace
  test::error_of(ErrorCode::out_of_memory, [&] { cuda::run(stream, layer.op()); });
  emulator::machine().free_memory = std::size_t(1) << 40;
  CHECK(emulator::blas_machine().handles == handles);
  REQUIRE(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal) == cudaSuccess);
  test::error_of(ErrorCode::cuda, [&] { cuda::run(stream, layer.op()); });
  cudaGraph_t graph = nullptr;
  cudaStreamEndCapture(stream.get(), &graph);
  cudaGraphDestroy(graph);
}

TEST_CASE("cuda linear: the emulated cuBLASLt refuses what the real one does") {
  cuda::MatmulShape good{.m = 24, .n = 16, .k = 32, .lda = 32, .ldb = 32, .ldc = 24, .ldd = 24};
  good.input = good.output = CUDA_R_16BF, good.transpose_a = 1;
  good.align_a = good.align_b = good.align_c = good.align_d = 16;
  cuda::Stream stream(0);
  const auto changed = [&](const auto& change) {
    cuda::MatmulShape shape = good;
    change(shape);
    return shape;
  };
  const auto invalid = [&](const auto& change) {
    const std::string message = test::error_of(ErrorCode::cublas, [&] { stream.blas().plan(changed(change)); });
    CHECK(message == "cublas: choosing an algorithm: CUBLAS_STATUS_INVALID_VALUE");
  };
  const auto unsupported = [&](const auto& change) { CHECK(stream.blas().plan(changed(change)) == nullptr); };
  CHECK(stream.blas().plan(good) != nullptr);
  invalid([](auto& s) { s.lda = 31; });
  invalid([](auto& s) { s.ldd = 16; });
  invalid([](auto& s) { s.k = 0; });
  unsupported([](auto& s) { s.lda = 33; });
  unsupported([](auto& s) { s.align_b = 8; });
  unsupported([](auto& s) { s.input = CUDA_R_32F; });
  unsupported([](auto& s) { s.epilogue = CUBLASLT_EPILOGUE_GELU; });

  DeviceMatrix<bfloat16> a(24, 32), b(16, 32), d(16, 24);
  const auto refuses = [&](const cuda::MatmulShape& shape, const cuda::MatmulMatrices& on) {
    const std::string message =
        test::error_of(ErrorCode::cublas, [&] { stream.blas().run(stream.get(), *stream.blas().plan(shape), 1, on); });
    CHECK(message == "cublas: multiplying matrices: CUBLAS_STATUS_INVALID_VALUE");
  };
  const cuda::MatmulMatrices on{.a = a.view().data(), .b = b.view().data(), .c = d.view().data(), .d = d.view().data()};
  stream.blas().run(stream.get(), *stream.blas().plan(good), 1, on);
  cuda::MatmulMatrices shifted = on;
  shifted.a = a.view().data() + 1;
  refuses(good, shifted);
  const cuda::MatmulShape biased = changed([](auto& s) { s.epilogue = CUBLASLT_EPILOGUE_BIAS; });
  cuda::MatmulMatrices bias = on;
  bias.bias = a.view().data() + 4;
  refuses(biased, bias);
  refuses(changed([](auto& s) { s.ldc = 32; }), on);  // C is D, and yet laid out otherwise
}
