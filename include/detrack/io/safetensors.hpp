// safetensors, reading and writing.
#pragma once

#include "detrack/io/safetensors_file.hpp"    // IWYU pragma: export
#include "detrack/io/safetensors_writer.hpp"  // IWYU pragma: export
