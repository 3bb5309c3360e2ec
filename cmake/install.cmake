# What `cmake --install` writes: the headers and what find_package(detrack) reads.
include(CMakePackageConfigHelpers)

set(config_dir ${CMAKE_INSTALL_DATADIR}/cmake/detrack)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
set(cuda_dir ${CMAKE_INSTALL_DATADIR}/detrack/cuda)  # compiled by whoever asks for the component cuda
install(DIRECTORY ${PROJECT_SOURCE_DIR}/cuda/ DESTINATION ${cuda_dir} FILES_MATCHING PATTERN "*.cuh" PATTERN "*.cu")
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/detrack)
install(TARGETS detrack EXPORT detrack_targets)
install(EXPORT detrack_targets NAMESPACE detrack:: FILE detrackTargets.cmake DESTINATION ${config_dir})

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/detrackConfig.cmake.in ${PROJECT_BINARY_DIR}/detrackConfig.cmake
                              INSTALL_DESTINATION ${config_dir} PATH_VARS cuda_dir)
# Before 1.0 a minor version may change the interface. Headers serve every architecture.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/detrackConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/detrackConfig.cmake ${PROJECT_BINARY_DIR}/detrackConfigVersion.cmake
              ${CMAKE_CURRENT_LIST_DIR}/ffmpeg.cmake ${CMAKE_CURRENT_LIST_DIR}/cuda.cmake
        DESTINATION ${config_dir})
