// The CPU backend.
#include "detrack/ops/reference_backend.hpp"

#undef DETRACK_TEMPLATE_LINKAGE
#define DETRACK_TEMPLATE_LINKAGE
#include "detrack/cpu/backend.hpp"
