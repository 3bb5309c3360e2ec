// The whole library without CUDA and without the opt-in headers (image/stb.hpp).
#pragma once

#include "detrack/core/version.hpp"
#include "detrack/cpu/backend.hpp"
#include "detrack/data/open_dataset.hpp"
#include "detrack/eval/evaluate.hpp"
#include "detrack/eval/result_files.hpp"
#include "detrack/eval/summary.hpp"
#include "detrack/image/crop.hpp"
#include "detrack/image/frame_source.hpp"
#include "detrack/image/natural_order.hpp"
#include "detrack/model/detrack.hpp"
#include "detrack/model/initialise.hpp"
#include "detrack/model/plan.hpp"
#include "detrack/model/training_pass.hpp"
#include "detrack/model/weights_file.hpp"
#include "detrack/ops/plan_backend.hpp"
#include "detrack/ops/reference_backend.hpp"
