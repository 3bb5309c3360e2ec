// Lets a program compile the kernels and the models once, in place of once a file.
#pragma once

// Where DETRACK_COMPILE_ONCE is defined for a whole program, its files leave the templates that DETRACK_INSTANTIATE names to
// one of them, which has
//   #define DETRACK_TEMPLATE_LINKAGE
//   #include <detrack/detrack.hpp>
// A program can spread them over several files by including headers before the first of these lines.
#ifdef DETRACK_COMPILE_ONCE
#ifndef DETRACK_TEMPLATE_LINKAGE
#define DETRACK_TEMPLATE_LINKAGE extern
#endif
#define DETRACK_INSTANTIATE(...) DETRACK_TEMPLATE_LINKAGE template __VA_ARGS__;
#else
#define DETRACK_INSTANTIATE(...)
#endif
