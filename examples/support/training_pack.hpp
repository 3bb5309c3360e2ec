// Writes the data of a training configuration as packs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "detrack/data/write_pack.hpp"
#include "examples/support/program.hpp"
#include "examples/support/progress.hpp"
#include "examples/support/train_config.hpp"
#include "examples/support/training_sources.hpp"

namespace detrack::program {

/// A pack in `folder` where there is one source, otherwise one in folder/<name> for each. `shard_mb`: MiB, the most of a
/// shard. Returns an exit status. Errors: argument; io; format.
inline int pack_data(const TrainConfig& config, const std::filesystem::path& folder, std::int64_t shard_mb, bool quiet) {
  if (config.data.empty()) fail(ErrorCode::argument, "data: expected at least one source, got none");
  std::vector<std::filesystem::path> folders;
  for (const DataEntry& entry : config.data) {
    if (entry.name.empty() || entry.name.starts_with('.') || entry.name.find('/') != std::string::npos)
      fail(ErrorCode::argument, "--pack: ", entry.name, ": expected a name of data that can name a folder");
    folders.push_back(config.data.size() == 1 ? folder : folder / entry.name);
    if (is_pack(folders.back()))  // before the others are packed
      fail(ErrorCode::argument, "--pack: ", folders.back().string(), " holds a pack already");
  }
  Progress progress(quiet);
  for (std::size_t i = 0; i < folders.size(); ++i) {
    const DataEntry& entry = config.data[i];
    std::vector<Pack> packs;
    TrainingSource source = open_source(entry, packs);
    PackOptions options{.shard_bytes = static_cast<std::uint64_t>(shard_mb) << 20};
    if (!packs.empty())
      options.read = [&](const std::filesystem::path& path) {
        const auto bytes = packs[0].find(path).value();
        return std::vector<std::byte>(bytes.begin(), bytes.end());
      };
    options.progress = [&](std::size_t done, std::size_t all) {
      if (progress.due())
        progress.show(entry.name + ": " + std::to_string(done) + " of " + std::to_string(all) + " pictures");
      return !interrupted();
    };
    const auto index = write_pack({.root = entry.path,
                                   .subset = packs.empty() ? entry.subset : packs[0].index().subset,
                                   .sequences = std::move(source.sequences),
                                   .images = std::move(source.images)},
                                  folders[i], options);
    progress.end();
    if (!index) {
      std::fprintf(stderr, "stopped: %s is no pack yet; the same command begins it anew\n", folders[i].c_str());
      return kInterrupted;
    }
    std::uint64_t bytes = 0;
    for (const PackShard& shard : index->shards) bytes += shard.bytes;
    std::printf("%s: %zu shard%s, %.1f MiB: %zu videos, %zu images, %zu pictures in all\n", folders[i].c_str(),
                index->shards.size(), index->shards.size() == 1 ? "" : "s", static_cast<double>(bytes) / (1 << 20),
                index->sequences.size(), index->images.size(), index->pictures.size());
    std::fflush(stdout);
  }
  return kOk;
}

}  // namespace detrack::program
