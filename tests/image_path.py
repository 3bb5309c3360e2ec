#!/usr/bin/env python3
"""Compares the image path of imported vision transformers of real sizes with PyTorch: DeiT-Tiny, random ViT-S and ViT-B.

usage: tests/image_path.py PROGRAM [DEIT]    PROGRAM: build/release/tests/image_path; DEIT: DeiT-Tiny's weights as safetensors

Needs PyTorch. What is not there is skipped, and said so. Each transformer sees one picture of 224 pixels, in float64 in
PyTorch and in float in detrack, without class token and templates.
"""

import collections
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

try:
    import torch
except ImportError:
    print("skipped: PyTorch is not installed")
    sys.exit(0)

sys.path.insert(0, str(pathlib.Path(__file__).parent / "data"))
import make_weights  # noqa: E402


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    tensors = collections.OrderedDict()
    for name, info in json.loads(data[8:8 + length]).items():
        if name == "__metadata__":
            continue
        types = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
        begin, end = (8 + length + offset for offset in info["data_offsets"])
        tensors[name] = torch.frombuffer(bytearray(data[begin:end]), dtype=types[info["dtype"]]).reshape(info["shape"])
    return tensors


def compare(program, folder, vit, weights, heads):
    generator = torch.Generator().manual_seed(224)
    image = torch.randn(1, 3, 224, 224, generator=generator)
    golden = folder / "golden"
    make_weights.write_expected(golden, {"image": image, "tokens": make_weights.image_path(weights, image, heads)},
                                {"heads": str(heads)})
    return subprocess.run([program, vit, golden]).returncode


def main(program, deit):
    status = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if deit and deit.exists():
            status |= compare(program, folder, deit, read_safetensors(deit), 3)
        else:
            print(f"skipped: DeiT-Tiny: {deit or 'no file given'} is not there")
        for width, size in ((384, "small"), (768, "base")):
            generator = torch.Generator().manual_seed(width)
            weights = make_weights.vision_transformer(generator, width, 12, 4, 16, side=14, scale=0.02)
            vit = folder / f"random-vit-{size}.pth"
            torch.save({"model": weights}, vit)
            status |= compare(program, folder, vit, weights, width // 64)
            vit.unlink()
    return status


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else None))
