// Fuzzes the safetensors reader: seeded mutations (a program of its own), or as a libFuzzer target.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <span>
#include <string_view>
#include <vector>

#include "tests/fuzz/check_file.hpp"
#include "tests/fuzz/mutate.hpp"
#include "tests/support/craft.hpp"

#ifdef DETRACK_LIBFUZZER

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  detrack::test::check_file(std::as_bytes(std::span(data, size)));  // an exception that escapes is a finding
  return 0;
}

#else

// safetensors_fuzz [count] [seed], or safetensors_fuzz --seed-corpus FILE: writes the undamaged file for libFuzzer.
int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--seed-corpus") {
    std::ofstream out(argv[2], std::ios::binary);
    const detrack::test::Bytes good = detrack::test::good_file();
    out.write(reinterpret_cast<const char*>(good.data()), static_cast<std::streamsize>(good.size()));
    return out ? 0 : 1;
  }
  const std::uint64_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100000;
  const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  const detrack::test::Mutator mutator(detrack::test::good_file(), seed);
  std::uint64_t parsed = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < count; ++i) {
    try {
      // A block of exactly this size, so that the sanitizer sees a read of one byte too many.
      detrack::test::Bytes bytes = mutator(i);
      bytes.shrink_to_fit();
      parsed += detrack::test::check_file(bytes) ? 1 : 0;
    } catch (const std::exception& error) {
      std::printf("mutation %llu of seed %llu: %s\n", static_cast<unsigned long long>(i),
                  static_cast<unsigned long long>(seed), error.what());
      return 1;
    }
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%llu mutations: %llu parsed, %llu refused, %.0f per second\n", static_cast<unsigned long long>(count),
              static_cast<unsigned long long>(parsed), static_cast<unsigned long long>(count - parsed),
              static_cast<double>(count) / seconds);
  return parsed == 0 || parsed == count;  // a run that never gets through, or is never refused, tests nothing
}

#endif
