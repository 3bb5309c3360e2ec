// Layers and the model with its passes.
#include "detrack/ops/plan_backend.hpp"

#undef DETRACK_TEMPLATE_LINKAGE
#define DETRACK_TEMPLATE_LINKAGE
#include "detrack/model/iou_pass.hpp"
#include "detrack/model/training_pass.hpp"
