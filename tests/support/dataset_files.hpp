// Datasets that a test writes into a folder of its own.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "detrack/data/dataset.hpp"
#include "tests/support/temporary_folder.hpp"

namespace detrack::test {

/// A dataset that a test writes; pictures are empty files: nothing may open them.
class Files {
 public:
  std::filesystem::path root() const { return folder_.path(); }
  const Files& text(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root() / path).parent_path());
    std::ofstream(root() / path) << text;
    return *this;
  }
  /// `count` boxes; the first is x0,10,20,30, each next one a pixel further right.
  const Files& boxes(const std::string& path, int count, int x0 = 1, char separator = ',') const {
    std::string lines;
    for (int i = 0; i < count; ++i) {
      lines += std::to_string(x0 + i);
      for (const char* number : {"10", "20", "30"}) lines += separator + std::string(number);
      lines += '\n';
    }
    return text(path, lines);
  }
  const Files& flags(const std::string& path, int count, const std::string& value = "0",
                     const char* separator = "\n") const {
    std::string all;
    for (int i = 0; i < count; ++i) all += (i ? separator : "") + value;
    return text(path, all);
  }
  const Files& pictures(const std::string& folder, int first, int last, int digits = 4) const {
    std::filesystem::create_directories(root() / folder);
    for (int i = first; i <= last; ++i) {
      const std::string number = std::to_string(i);
      const std::string zeros(static_cast<std::size_t>(std::max(0, digits - static_cast<int>(number.size()))), '0');
      std::ofstream(root() / folder / (zeros + number + ".jpg"));
    }
    return *this;
  }

 private:
  test::TemporaryFolder folder_;
};

inline std::vector<std::string> names(const Dataset& dataset) {
  std::vector<std::string> all;
  for (const Sequence& s : dataset.sequences) all.push_back(s.name);
  return all;
}

}  // namespace detrack::test
