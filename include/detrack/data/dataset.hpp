// A dataset in memory: its sequences, and what is odd about its files.
#pragma once

#include <algorithm>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detrack/core/error.hpp"
#include "detrack/data/sequence.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack {

/// How a dataset's files lie.
enum class Layout {
  plain,        ///< <sequence>/groundtruth.txt, pictures in <sequence>/img or in <sequence>
  otb,          ///< <sequence>/groundtruth_rect*.txt, <sequence>/img
  got10k,       ///< list.txt, <sequence>/groundtruth.txt, *.label and pictures
  lasot,        ///< [<class>/]<sequence>/groundtruth.txt, full_occlusion.txt, out_of_view.txt, img
  trackingnet,  ///< TEST or TRAIN_<n>: anno/<sequence>.txt, frames/<sequence>
  uav123,       ///< anno/UAV123/<sequence>.txt, data_seq/UAV123/<folder>; UAV20L and UAV123_10fps likewise
  davis         ///< JPEGImages/480p/<sequence>, Annotations/480p/<sequence> with masks
};

inline constexpr Layout kLayouts[] = {Layout::plain,       Layout::otb,    Layout::got10k, Layout::lasot,
                                      Layout::trackingnet, Layout::uav123, Layout::davis};

constexpr std::string_view to_string(Layout layout) {
  switch (layout) {
    case Layout::plain: return "plain";
    case Layout::otb: return "otb";
    case Layout::got10k: return "got10k";
    case Layout::lasot: return "lasot";
    case Layout::trackingnet: return "trackingnet";
    case Layout::uav123: return "uav123";
    case Layout::davis: return "davis";
  }
  return "unknown";
}

/// Errors: argument.
inline Layout parse_layout(std::string_view name) {
  for (const Layout layout : kLayouts)
    if (name == to_string(layout)) return layout;
  fail(ErrorCode::argument, "layout: expected plain, otb, got10k, lasot, trackingnet, uav123 or davis, got ",
       detail::in_quotes(name));
}

struct Dataset {
  std::filesystem::path root;
  Layout layout = Layout::plain;
  std::vector<Sequence> sequences;
  std::vector<std::string> warnings;  ///< each names its file

  /// The sequence of that name or other name, or nullptr.
  const Sequence* find(std::string_view name) const {
    const auto at = std::find_if(sequences.begin(), sequences.end(), [&](const Sequence& s) {
      return s.name == name || std::find(s.other_names.begin(), s.other_names.end(), name) != s.other_names.end();
    });
    return at == sequences.end() ? nullptr : &*at;
  }
};

/// Keeps the named sequences, each once, in the order of `names`. Errors: argument (there is none of that name).
inline void keep_sequences(Dataset& dataset, std::span<const std::string> names) {
  std::vector<Sequence> kept;
  for (const std::string& name : names) {
    const Sequence* sequence = dataset.find(name);
    if (!sequence)
      fail(ErrorCode::argument, dataset.root.string(), ": expected a sequence ", detail::in_quotes(name), " among ",
           dataset.sequences.size(), ", got none");
    // One may be named twice, by another of its names, too.
    if (std::none_of(kept.begin(), kept.end(), [&](const Sequence& s) { return s.name == sequence->name; }))
      kept.push_back(*sequence);
  }
  dataset.sequences = std::move(kept);
}

}  // namespace detrack
