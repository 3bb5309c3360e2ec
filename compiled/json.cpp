// JSON, in and out, as trees and as events.
#define DETRACK_TEMPLATE_LINKAGE
#include "detrack/data/layouts/coco_json.hpp"
#include "detrack/io/json.hpp"
#include "detrack/io/safetensors_header.hpp"
