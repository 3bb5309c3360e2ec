# detrack::cuda, the CUDA backend: one static library from cuda/detrack_cuda.cu.

# detrack_add_cuda(<folder of cuda/> <reason>): makes the target detrack_cuda for the caller's CUDA architectures, or says in
# <reason> why it cannot. The caller has enabled CUDA; a second call does nothing.
function(detrack_add_cuda folder reason)
  set(${reason} "" PARENT_SCOPE)
  if(TARGET detrack_cuda)
    return()
  endif()
  if(NOT CMAKE_CUDA_COMPILER)
    set(${reason} "CUDA is not an enabled language: project(... LANGUAGES CXX CUDA), or enable_language(CUDA), before"
        PARENT_SCOPE)
    return()
  endif()
  find_package(CUDAToolkit 12 QUIET)
  if(NOT TARGET CUDA::cublasLt)
    set(${reason} "the CUDA toolkit (12 or later, with cuBLAS) was not found" PARENT_SCOPE)
    return()
  endif()
  add_library(detrack_cuda STATIC ${folder}/detrack_cuda.cu)
  set_target_properties(detrack_cuda PROPERTIES POSITION_INDEPENDENT_CODE ON)
  # Debian 12's CMake 3.25 does not know that nvcc speaks C++20.
  target_compile_options(detrack_cuda PRIVATE -std=c++20 --expt-relaxed-constexpr)
  cmake_path(GET folder PARENT_PATH root)
  target_include_directories(detrack_cuda PRIVATE ${root})
  target_link_libraries(detrack_cuda PUBLIC detrack::detrack PRIVATE CUDA::cudart_static CUDA::cublasLt)
endfunction()
