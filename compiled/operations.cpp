// The checks of the operations, their loops and their counts.
#define DETRACK_TEMPLATE_LINKAGE
#include "detrack/ops/plan_backend.hpp"
#include "detrack/ops/reference_backend.hpp"
