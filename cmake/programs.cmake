# Our own programs (tests, benchmarks, examples): their flags, and the function that adds one.
if(NOT TARGET detrack::video)
  message(FATAL_ERROR "detrack's own programs need detrack::video: ${detrack_no_video}")
endif()

add_library(detrack_build_flags INTERFACE)
target_link_libraries(detrack_build_flags INTERFACE detrack::video)
target_link_options(detrack_build_flags INTERFACE -Wl,--as-needed)  # who uses no video does not load FFmpeg
target_compile_options(detrack_build_flags INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
# g++ 12 takes std::string's own copies for overlapping ones (GCC bug 105651, fixed in 13).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(detrack_build_flags INTERFACE -Wno-restrict)
endif()
# clang counts sign conversions to -Wconversion, g++ does not.
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(detrack_build_flags INTERFACE -Wno-sign-conversion)
endif()
# What has long loops is compiled/ with all of -O3; pictures are decoded as fast with -O2, which takes a sixth less to compile.
set(detrack_program_options $<$<CONFIG:Release>:-O2>)
if(DETRACK_ARCH)
  target_compile_options(detrack_build_flags INTERFACE -march=${DETRACK_ARCH})
endif()

# detrack_add_program(<name> <source>...) builds <name> in the build folder's image of the current folder.
# The target's own name carries the folder, so that tests/train and examples/train can both exist.
function(detrack_add_program name)
  cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME folder)
  set(target detrack_${folder}_${name})
  add_executable(${target} ${ARGN})
  target_link_libraries(${target} PRIVATE detrack_build_flags)
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name} CXX_EXTENSIONS OFF)
endfunction()

# Every .cpp of the current folder whose name matches is a program.
function(detrack_add_programs_matching pattern)
  file(GLOB sources CONFIGURE_DEPENDS ${pattern})
  foreach(source IN LISTS sources)
    cmake_path(GET source STEM name)
    detrack_add_program(${name} ${source})
  endforeach()
endfunction()
