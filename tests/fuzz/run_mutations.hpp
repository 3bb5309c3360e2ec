// The main program of a fuzzer: seeded mutations of good files, or these files themselves as libFuzzer's first corpus.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/craft.hpp"

namespace detrack::test {

/// <program> [count] [seed], or <program> --seed-corpus FOLDER: writes the undamaged files for libFuzzer.
/// `mutate(good, seed, index)` damages a good file, `check(bytes)` says whether the file was read (or refused as it should
/// be), and throws what it finds wrong.
template <class Mutate, class Check>
int run_mutations(int argc, char** argv, const std::vector<Bytes>& good, Mutate mutate, Check check) {
  if (argc == 3 && std::string_view(argv[1]) == "--seed-corpus") {
    for (std::size_t i = 0; i < good.size(); ++i) {
      std::ofstream out(std::filesystem::path(argv[2]) / ("good-" + std::to_string(i)), std::ios::binary);
      out.write(reinterpret_cast<const char*>(good[i].data()), static_cast<std::streamsize>(good[i].size()));
      if (!out.flush()) return 1;
    }
    return 0;
  }
  const std::uint64_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100000;
  const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  std::uint64_t read = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < count; ++i) {
    try {
      // A block of exactly this size, so that the sanitizer sees a read of one byte too many.
      Bytes bytes = mutate(good[i % good.size()], seed, i);
      bytes.shrink_to_fit();
      read += check(bytes) ? 1 : 0;
    } catch (const std::exception& error) {
      std::printf("mutation %llu of seed %llu: %s\n", static_cast<unsigned long long>(i),
                  static_cast<unsigned long long>(seed), error.what());
      return 1;
    }
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%llu mutations: %llu read, %llu refused, %.0f per second\n", static_cast<unsigned long long>(count),
              static_cast<unsigned long long>(read), static_cast<unsigned long long>(count - read),
              static_cast<double>(count) / seconds);
  return read == 0 || read == count;  // a run that never gets through, or is never refused, tests nothing
}

}  // namespace detrack::test
