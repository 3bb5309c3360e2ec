// JSON, in and out.
#define DETRACK_TEMPLATE_LINKAGE
#include "detrack/io/json.hpp"
