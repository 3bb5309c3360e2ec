// The whole library without CUDA and without the opt-in headers (those of image/ that use stb).
#pragma once

#include "detrack/core/version.hpp"
#include "detrack/cpu/backend.hpp"
#include "detrack/image/convert.hpp"
#include "detrack/image/crop.hpp"
#include "detrack/image/draw.hpp"
#include "detrack/image/frame_source.hpp"
#include "detrack/image/image_files.hpp"
#include "detrack/image/prefetch.hpp"
#include "detrack/image/resize.hpp"
#include "detrack/model/detrack.hpp"
#include "detrack/model/initialise.hpp"
#include "detrack/model/plan.hpp"
#include "detrack/model/training_pass.hpp"
#include "detrack/model/weights_file.hpp"
#include "detrack/ops/plan_backend.hpp"
#include "detrack/ops/reference_backend.hpp"
