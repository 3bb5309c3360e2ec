// A token mask as the look-ups that a masked autoencoder makes with it, in the memory of the device that runs them.
#pragma once

#include <vector>

#include "detrack/model/host_transfer.hpp"
#include "detrack/model/token_mask.hpp"

namespace detrack {

struct MaskIndices {
  std::int64_t batch = 0;              ///< B
  View<const std::int32_t> places{};   ///< (B Nv): places of the visible tokens in their sample, in [0, N)
  View<const std::int32_t> visible{};  ///< (B Nv): the same among the tokens of all samples, in [0, B N)
  View<const std::int32_t> masked{};   ///< (B Nm): the masked ones among the tokens of all samples
  View<const std::int32_t> sources{};  ///< (B N): each token among the visible ones; B Nv where it is masked
};

/// Keeps its buffers, so that a second mask of the same size allocates nothing.
template <class T>
class MaskUpload {
 public:
  /// Into the context's arena. Errors: argument, where `mask` is no partition of B samples of N tokens.
  MaskIndices run(Context<T>& ctx, const TokenMask& mask, std::int64_t B, std::int64_t N) {
    find_sources(mask, B, N);
    const auto Nv = mask.visible.size() / static_cast<std::size_t>(B), Nm = mask.masked.size() / static_cast<std::size_t>(B);
    const auto upload = [&](std::size_t count, auto&& f) {
      return transfer_.template upload<std::int32_t>(ctx, {static_cast<std::int64_t>(count)}, f);
    };
    const auto row = [&](std::size_t b, std::int32_t place) {
      return static_cast<std::int32_t>(b) * static_cast<std::int32_t>(N) + place;
    };
    return {.batch = B,
            .places = upload(mask.visible.size(), [&](std::size_t i) { return mask.visible[i]; }),
            .visible = upload(mask.visible.size(), [&](std::size_t i) { return row(i / Nv, mask.visible[i]); }),
            .masked = upload(mask.masked.size(), [&](std::size_t i) { return row(i / Nm, mask.masked[i]); }),
            .sources = upload(sources_.size(), [&](std::size_t i) { return sources_[i]; })};
  }

 private:
  void find_sources(const TokenMask& mask, std::int64_t B, std::int64_t N) {
    const auto batch = static_cast<std::size_t>(B), all = static_cast<std::size_t>(B * N);
    const std::size_t visible = mask.visible.size(), masked = mask.masked.size();
    if (mask.batch != B || mask.tokens != N)
      fail(ErrorCode::argument, "TokenMask: expected ", B, " samples of ", N, " tokens, got ", mask.batch, " of ",
           mask.tokens);
    if (visible == 0 || masked == 0 || visible % batch != 0 || visible + masked != all)
      fail(ErrorCode::argument, "TokenMask: expected as many visible and masked tokens in each of ", B, " samples, ", all,
           " in all, got ", visible, " and ", masked);
    sources_.assign(all, kNone);
    const auto take = [&](const std::vector<std::int32_t>& places, auto&& source) {
      for (std::size_t i = 0; i < places.size(); ++i) {
        const std::size_t b = i / (places.size() / batch);
        if (places[i] < 0 || places[i] >= N)
          fail(ErrorCode::argument, "TokenMask: expected places in [0, ", N, "), got ", places[i]);
        std::int32_t& at = sources_[b * static_cast<std::size_t>(N) + static_cast<std::size_t>(places[i])];
        if (at != kNone) fail(ErrorCode::argument, "TokenMask: expected each token once, got ", places[i], " twice");
        at = source(i);
      }
    };
    take(mask.visible, [](std::size_t i) { return static_cast<std::int32_t>(i); });
    take(mask.masked, [&](std::size_t) { return static_cast<std::int32_t>(visible); });
  }

  static constexpr std::int32_t kNone = -1;
  std::vector<std::int32_t> sources_;
  HostTransfer<T> transfer_;
};

}  // namespace detrack
