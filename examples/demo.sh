#!/usr/bin/env bash
# The library's main job, from a bare checkout: builds the examples and runs the whole model forward on a small fixture.
set -euo pipefail
cd "$(dirname "$0")/.."

./cmake/install_packages.sh
cmake --preset release
cmake --build --preset release --parallel "$(nproc)" --target examples/all
build/release/examples/forward tests/data/tiny.safetensors
