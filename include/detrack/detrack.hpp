// The whole library without CUDA and without the opt-in headers (image/stb.hpp).
#pragma once

#include "detrack/core/rng.hpp"
#include "detrack/core/tensor.hpp"
#include "detrack/core/version.hpp"
#include "detrack/ops/noise.hpp"
#include "detrack/ops/plan_backend.hpp"
#include "detrack/ops/reference_backend.hpp"
