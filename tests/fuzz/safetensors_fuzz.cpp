// Fuzzes the safetensors reader: seeded mutations (a program of its own), or as a libFuzzer target.
#include <cstddef>
#include <cstdint>
#include <span>

#include "tests/fuzz/check_file.hpp"
#include "tests/fuzz/mutate.hpp"
#include "tests/fuzz/run_mutations.hpp"
#include "tests/support/craft.hpp"

#ifdef DETRACK_LIBFUZZER

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  detrack::test::check_file(std::as_bytes(std::span(data, size)));  // an exception that escapes is a finding
  return 0;
}

#else

int main(int argc, char** argv) {
  using namespace detrack::test;
  const auto mutate = [](const Bytes& good, std::uint64_t seed, std::uint64_t index) { return Mutator(good, seed)(index); };
  return run_mutations(argc, argv, {good_file()}, mutate, [](const Bytes& bytes) { return check_file(bytes); });
}

#endif
