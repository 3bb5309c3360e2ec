#!/usr/bin/env bash
# The library's main job, from a bare checkout: builds the programs and follows a pedestrian in a real surveillance clip.
set -euo pipefail
cd "$(dirname "$0")/.."

./cmake/install_packages.sh

# The clip comes with Debian's documentation of OpenCV; only the clip is taken out of the package.
clip=usr/share/doc/opencv-doc/examples/data/vtest.avi
video=/$clip
if [ ! -f "$video" ]; then
  video=demo/vtest.avi
  if [ ! -f "$video" ]; then
    echo "Fetching the clip (Debian package opencv-doc)"
    mkdir -p demo
    folder=$(mktemp -d demo/package.XXXXXX)
    trap 'rm -rf "$folder"' EXIT
    (cd "$folder" && apt-get download -q opencv-doc)
    dpkg-deb --fsys-tarfile "$folder"/opencv-doc_*.deb | tar -x -C "$folder" "./$clip"
    mv "$folder/$clip" "$video"
  fi
fi

cmake --preset release
cmake --build --preset release --parallel "$(nproc)" --target examples/all

mkdir -p demo
# A man with a sheet of paper walks past others and twice behind a lamp post, until he leaves the picture (frame 403); then he
# is lost.
build/release/examples/track --weights examples/weights/detrack-*.safetensors --video "$video" --start 240 \
  --frames-count 176 --box 662,270,48,108 \
  --out demo/boxes.txt --render demo/track.mp4 --contact-sheet demo/contact-sheet.png
echo
echo "Boxes, one line x,y,w,h for each frame: demo/boxes.txt"
echo "The clip with the boxes drawn:          demo/track.mp4"
echo "Frames from the whole run:              demo/contact-sheet.png"
