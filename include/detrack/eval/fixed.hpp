// Numbers as text with a fixed count of decimals, the same in every locale.
#pragma once

#include <charconv>
#include <cmath>
#include <string>

namespace detrack::detail {

/// Appends `value` as printf's %.<decimals>f does in the C locale; "nan" and "inf" for what is not finite.
inline void append_fixed(std::string& out, double value, int decimals) {
  char digits[512];  // the largest double has 309 digits before its point
  const auto [end, reason] = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed, decimals);
  static_cast<void>(reason);
  if (std::isnan(value))
    out += "nan";  // never "-nan"
  else
    out.append(digits, end);
}

inline std::string fixed(double value, int decimals) {
  std::string out;
  append_fixed(out, value, decimals);
  return out;
}

}  // namespace detrack::detail
