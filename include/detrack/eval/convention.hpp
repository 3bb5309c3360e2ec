// Which benchmark's rules a score follows, and whose reading of them.
#pragma once

#include <string_view>

#include "detrack/core/error.hpp"
#include "detrack/io/quoted.hpp"

namespace detrack {

enum class Protocol { otb, got10k, lasot, trackingnet };

/// The programs that publish numbers for these benchmarks differ in details; each is reproduced exactly.
enum class Convention {
  toolkit,     ///< got-10k/toolkit; for trackingnet TrackingNet-devkit
  pytracking,  ///< visionml/pytracking
  ostrack      ///< pytracking as OSTrack, STARK and their descendants changed it: truth is valid where w, h > 0
};

constexpr std::string_view to_string(Protocol protocol) {
  switch (protocol) {
    case Protocol::otb: return "otb";
    case Protocol::got10k: return "got10k";
    case Protocol::lasot: return "lasot";
    case Protocol::trackingnet: return "trackingnet";
  }
  return "unknown";
}

constexpr std::string_view to_string(Convention convention) {
  switch (convention) {
    case Convention::toolkit: return "toolkit";
    case Convention::pytracking: return "pytracking";
    case Convention::ostrack: return "ostrack";
  }
  return "unknown";
}

/// Errors: argument.
inline Protocol parse_protocol(std::string_view name) {
  for (const Protocol p : {Protocol::otb, Protocol::got10k, Protocol::lasot, Protocol::trackingnet})
    if (name == to_string(p)) return p;
  fail(ErrorCode::argument, "protocol: expected otb, got10k, lasot or trackingnet, got ", detail::in_quotes(name));
}

/// Errors: argument.
inline Convention parse_convention(std::string_view name) {
  for (const Convention c : {Convention::toolkit, Convention::pytracking, Convention::ostrack})
    if (name == to_string(c)) return c;
  fail(ErrorCode::argument, "convention: expected toolkit, pytracking or ostrack, got ", detail::in_quotes(name));
}

/// The one by which numbers of that benchmark are usually published.
constexpr Convention usual_convention(Protocol protocol) {
  return protocol == Protocol::lasot ? Convention::pytracking : Convention::toolkit;
}

}  // namespace detrack
