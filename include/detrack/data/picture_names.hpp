// The names of the pictures of a data set, each with a running number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/data/layouts/still_folder.hpp"

namespace detrack {

/// What `picture` is called seen from the folder `root`, whose path it must begin with and must not leave; otherwise
/// nothing.
inline std::optional<std::string> name_below(const std::filesystem::path& root, const std::filesystem::path& picture) {
  const std::string start = (root / "").native();
  if (!picture.native().starts_with(start)) return {};
  std::string name = picture.native().substr(start.size());
  if (!detail::is_inner_path(name)) return {};
  return name;
}

/// Names to numbers from 0 on and back. The map is ordered, so no choice of names makes it slow.
class PictureNames {
 public:
  PictureNames() = default;
  PictureNames(PictureNames&&) = default;
  PictureNames& operator=(PictureNames&&) = default;

  /// The number of `name`, and whether it is new.
  std::pair<std::size_t, bool> add(std::string name) {
    const auto [at, is_new] = numbers_.try_emplace(std::move(name), names_.size());
    if (is_new) names_.push_back(&at->first);
    return {at->second, is_new};
  }

  std::optional<std::size_t> find(std::string_view name) const {
    const auto at = numbers_.find(name);
    if (at == numbers_.end()) return {};
    return at->second;
  }

  std::size_t size() const { return names_.size(); }
  const std::string& operator[](std::size_t number) const { return *names_[number]; }

 private:
  std::map<std::string, std::size_t, std::less<>> numbers_;
  std::vector<const std::string*> names_;  // the map's keys stay where they are, also when it is moved
};

}  // namespace detrack
