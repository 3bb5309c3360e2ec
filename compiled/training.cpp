// Trainers, the masked autoencoder and the tracker's network.
#include "detrack/cpu/backend.hpp"
#include "detrack/io/json.hpp"
#include "detrack/io/safetensors_header.hpp"
#include "detrack/model/iou_pass.hpp"
#include "detrack/model/training_pass.hpp"
#include "detrack/ops/plan_backend.hpp"

#undef DETRACK_TEMPLATE_LINKAGE
#define DETRACK_TEMPLATE_LINKAGE
#include "detrack/track/model_network.hpp"
#include "detrack/train/autoencoder_trainer.hpp"
#include "detrack/train/rollout.hpp"
