// DETRACK_HOST_DEVICE marks functions that kernels of a CUDA compilation call as well; elsewhere it is nothing.
#pragma once

#ifdef __CUDACC__
#define DETRACK_HOST_DEVICE __host__ __device__
#else
#define DETRACK_HOST_DEVICE
#endif
