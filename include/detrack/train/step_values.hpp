// What an update of the weights has to tell.
#pragma once

#include <cstdint>
#include <string>

#include "detrack/model/losses.hpp"

namespace detrack {

/// Losses that a stage does not have are 0.
struct StepValues {
  std::int64_t step = 0;  ///< updates so far, this one included
  LossValues loss;        ///< means over the passes; a stage with one loss has it in `total`
  double mean_iou = 0;    ///< of the refined boxes with the truth
  double gradient_norm = 0;
  double lr = 0;
  std::string skipped;  ///< not empty: why nothing was updated, and which samples were to blame
};

}  // namespace detrack
