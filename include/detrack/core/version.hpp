// The library's version, in one place; CMakeLists.txt reads it from here.
#pragma once

#define DETRACK_VERSION_MAJOR 0
#define DETRACK_VERSION_MINOR 1
#define DETRACK_VERSION_PATCH 0
