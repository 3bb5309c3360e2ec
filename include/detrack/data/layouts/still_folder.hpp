// What the readers of still pictures share: walking folders, asking for files cheaply, counting what is left out.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <vector>

#include "detrack/core/box.hpp"
#include "detrack/core/error.hpp"
#include "detrack/data/layouts/folder.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack::detail {

/// Things left out: how many, and the first of them.
struct LeftOut {
  std::size_t count = 0;
  std::string first;

  void add(std::string_view name) {
    if (count++ == 0) first = in_quotes(name);
  }
  /// "<label>: left out <count> <what>, the first: '<name>'"
  void warn(const std::string& label, const std::string& what, std::vector<std::string>& warnings) const {
    if (count > 0) warnings.push_back(concat(label, ": left out ", count, " ", what, ", the first: ", first));
  }
};

inline constexpr const char* kMissingPictures = "pictures that are not there";
inline constexpr const char* kInvalidBoxes = "boxes without a positive area";

/// Leaves out boxes that are not valid().
inline void keep_valid(std::vector<Box>& boxes, std::string_view name, LeftOut& invalid) {
  std::erase_if(boxes, [&](const Box& box) {
    if (!box.valid()) invalid.add(name);
    return !box.valid();
  });
}

/// Whether a name from an annotation stays within its folder.
inline bool is_inner_path(const std::filesystem::path& path) {
  if (path.empty() || path.is_absolute() || path.native().find('\0') != std::string::npos) return false;
  for (const auto& part : path)
    if (part == "..") return false;
  return true;
}

/// Answers whether files are there from a listing of each folder that it is asked about: a hundred thousand questions cost
/// one look at the disk.
class FileListing {
 public:
  explicit FileListing(std::filesystem::path root) : root_(std::move(root)) {}
  const std::filesystem::path& root() const { return root_; }

  /// Errors: io (a folder that cannot be read).
  bool contains(const std::filesystem::path& relative) {
    const std::string folder = relative.parent_path().string();
    auto at = folders_.find(folder);
    if (at == folders_.end()) at = folders_.emplace(folder, list(root_ / folder)).first;
    return at->second.contains(relative.filename().string());
  }

 private:
  static std::unordered_set<std::string> list(const std::filesystem::path& folder) {
    if (!is_folder(folder)) return {};
    const auto names = names_in(folder, [](const auto& entry) {
      std::error_code vanished;
      return entry.is_regular_file(vanished);
    });
    return {names.begin(), names.end()};
  }

  std::filesystem::path root_;
  std::map<std::string, std::unordered_set<std::string>> folders_;
};

inline constexpr int kMaxFolderDepth = 16;

/// Calls f(relative path) for `root` and all folders below it, in natural order; hidden ones apart, and each once, whatever
/// links there are. Errors: io.
template <class F>
void for_each_folder(const std::filesystem::path& root, std::vector<std::string>& warnings, F&& f) {
  std::set<std::filesystem::path> seen;
  LeftOut too_deep;
  const auto visit = [&](const auto& self, const std::filesystem::path& relative, int depth) -> void {
    std::error_code reason;
    const auto full = std::filesystem::canonical(root / relative, reason);
    if (reason) fail(ErrorCode::io, (root / relative).string(), ": cannot read the folder: ", reason.message());
    if (!seen.insert(full).second) return;
    if (depth > kMaxFolderDepth) return too_deep.add(relative.string());
    f(relative);
    for (const std::string& name : folders_in(root / relative)) self(self, relative / name, depth + 1);
  };
  visit(visit, {}, 0);
  too_deep.warn(root.string(), concat("folders more than ", kMaxFolderDepth, " deep"), warnings);
}

}  // namespace detrack::detail
