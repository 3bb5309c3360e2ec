// The one exception type of the library and the helpers that word its messages.
#pragma once

#include <initializer_list>
#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace detrack {

/// What kind of thing went wrong. Codes are stable: programs may switch on them.
enum class ErrorCode {
  shape,          ///< a view's shape or strides do not fit the operation
  device,         ///< views of different devices, or a host access to device memory
  alias,          ///< an output overlaps another argument where that is not allowed
  argument,       ///< a scalar argument out of its range
  io,             ///< a file cannot be opened, read or written
  format,         ///< a file's contents are not what the format allows
  config,         ///< a configuration field is absent, unknown or inconsistent
  state_dict,     ///< a tensor is missing, unexpected, or of the wrong shape or type
  out_of_memory,  ///< an arena or a device has too little room
  not_available,  ///< the build or the machine lacks what was asked for
  numeric,        ///< a non-finite value where checks are on
  corruption,     ///< something wrote outside its memory (found by the arena's guards)
  cuda,           ///< a CUDA call or kernel failed
  cublas          ///< a cuBLAS call failed
};

constexpr std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::shape: return "shape";
    case ErrorCode::device: return "device";
    case ErrorCode::alias: return "alias";
    case ErrorCode::argument: return "argument";
    case ErrorCode::io: return "io";
    case ErrorCode::format: return "format";
    case ErrorCode::config: return "config";
    case ErrorCode::state_dict: return "state_dict";
    case ErrorCode::out_of_memory: return "out_of_memory";
    case ErrorCode::not_available: return "not_available";
    case ErrorCode::numeric: return "numeric";
    case ErrorCode::corruption: return "corruption";
    case ErrorCode::cuda: return "cuda";
    case ErrorCode::cublas: return "cublas";
  }
  return "unknown";
}

/// Everything the library throws (std::bad_alloc apart). what() reads
/// "operation: argument: expected ..., got ...".
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

namespace detail {

/// A part of a message and how it is written: with it one function puts all messages together. One for each list of types
/// would be a tenth of what the compiler makes of this library.
class Part {
 public:
  template <class T>
  Part(const T& value)
      : value_(&value), write_([](std::ostream& out, const void* part) { out << *static_cast<const T*>(part); }) {}
  Part(const char* text)
      : value_(text), write_([](std::ostream& out, const void* part) { out << static_cast<const char*>(part); }) {}
  void write(std::ostream& out) const { write_(out, value_); }

 private:
  const void* value_;
  void (*write_)(std::ostream& out, const void* value);
};

inline std::string concat_parts(std::initializer_list<Part> parts) {
  std::ostringstream out;
  out.imbue(std::locale::classic());  // a program's own locale must not put separators into extents
  for (const Part& part : parts) part.write(out);
  return out.str();
}

template <class... Parts>
std::string concat(const Parts&... parts) {
  return concat_parts({parts...});
}

}  // namespace detail

/// Throws Error(code) with the concatenated parts as its message.
template <class... Parts>
[[noreturn]] void fail(ErrorCode code, const Parts&... parts) {
  throw Error(code, detail::concat(parts...));
}

}  // namespace detrack
