#!/usr/bin/env python3
"""Writes tests/data/weights/: checkpoints by PyTorch and archives by NumPy, and what must be read from them.

usage: tests/data/make_weights.py [FOLDER]        (default: weights/ beside this script)
       tests/data/make_weights.py --old FOLDER    only what an old version of PyTorch can write

Needs PyTorch (the committed files: 2.15.0, and 1.0.1 under Python 3.6 and 1.7.1 under Python 3.8 for --old) and NumPy (2.4.6).
What must be read lies beside in safetensors files that this script writes byte by byte: <name>.expected, tensors contiguous.
"""

import argparse
import collections
import ctypes
import json
import pathlib
import struct
import sys
import warnings

import torch

OLD = tuple(int(n) for n in torch.__version__.split("+")[0].split(".")[:2]) < (2, 0)
NAMES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.int64: "I64", torch.int32: "I32",
         torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8"}
for name, attribute in (("BF16", "bfloat16"), ("BOOL", "bool"), ("U64", "uint64"), ("U32", "uint32"), ("U16", "uint16")):
    if hasattr(torch, attribute):
        NAMES[getattr(torch, attribute)] = name


# A module that a checkpoint may hold whole. Without a class statement streams find no source to store with it.
Whole = type("Whole", (torch.nn.Linear,), {"__module__": __name__})


def elements(tensor):
    """The bytes of a tensor's elements in row-major order."""
    flat = tensor.detach().clone().contiguous()
    return ctypes.string_at(flat.data_ptr(), flat.numel() * flat.element_size()) if flat.numel() else b""


def write_expected(path, tensors, metadata=None):
    """`tensors` as a safetensors file, wider types first, as detrack writes them."""
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name in names:
        piece = elements(tensors[name])
        header[name] = {"dtype": NAMES[tensors[name].dtype], "shape": list(tensors[name].shape),
                        "data_offsets": [len(data), len(data) + len(piece)]}
        data += piece
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def every_type():
    """Every type of element, with the values at its edges."""
    tiny, huge = 2.0 ** -1074, 1.7976931348623157e308
    tensors = collections.OrderedDict()
    tensors["double"] = torch.tensor([[0.0, -0.0, 1 / 3], [tiny, huge, float("-inf")]], dtype=torch.float64)
    tensors["float"] = torch.tensor([1.5, -2.25, 3e38, 1e-45, float("nan"), float("inf")], dtype=torch.float32)
    tensors["half"] = torch.tensor([1.0, -65504.0, 6e-8, float("nan")], dtype=torch.float32).half()
    tensors["long"] = torch.tensor([-2 ** 63, -1, 0, 2 ** 63 - 1], dtype=torch.int64)
    tensors["int"] = torch.tensor([-2 ** 31, 7, 2 ** 31 - 1], dtype=torch.int32)
    tensors["short"] = torch.tensor([-2 ** 15, 2 ** 15 - 1], dtype=torch.int16)
    tensors["char"] = torch.tensor([-128, 127, 1], dtype=torch.int8)
    tensors["byte"] = torch.tensor([[0, 128], [200, 255]], dtype=torch.uint8)
    if hasattr(torch, "bfloat16"):
        tensors["brain"] = torch.tensor([1.0, 3.140625, -1e38, float("nan")], dtype=torch.float32).to(torch.bfloat16)
    if hasattr(torch, "bool") and not (OLD and torch.__version__.startswith("1.0")):
        tensors["bool"] = torch.tensor([True, False, True])
    return tensors


def every_view():
    """Windows onto storages: whole, parts, transposed, repeated, shared by several."""
    generator = torch.Generator()
    generator.manual_seed(6)
    base = torch.randn(6, 8, generator=generator)
    deep = torch.randn(2, 3, 2, 4, generator=generator)
    tensors = collections.OrderedDict()
    tensors["base"] = base
    tensors["same"] = base
    tensors["transposed"] = base.t()
    tensors["rows"] = base[2:5]
    tensors["columns"] = base[:, 3:6]
    tensors["every_other"] = base[::2, 1::3]
    tensors["row"] = base[4]
    tensors["column"] = base[:, 7]
    tensors["element"] = base[5, 6]
    tensors["permuted"] = deep.permute(3, 1, 0, 2)
    tensors["permuted_part"] = deep.permute(2, 0, 3, 1)[1:, :, 1:3]
    tensors["repeated"] = base[0, :5].unsqueeze(0).expand(7, 5)
    tensors["scalar"] = torch.tensor(2.5)
    tensors["empty"] = torch.zeros(0, 4)
    tensors["empty_rows"] = torch.zeros(3, 0, 2)
    tensors["parameter"] = torch.nn.Parameter(torch.randn(3, 2, generator=generator))
    return tensors


def write_old(folder):
    """What today's PyTorch cannot write any more: storages' classes, a stream by default, archives without a byte order."""
    tensors = every_type()
    tensors.update(every_view())
    name = "torch-" + torch.__version__.split("+")[0]
    torch.save(tensors, str(folder / (name + ".pth")))
    write_expected(folder / (name + ".expected"), tensors)


def write_checkpoints(folder):
    types, views = every_type(), every_view()
    wide = collections.OrderedDict((name, torch.arange(250, 253).to(getattr(torch, name))) for name in ("uint16", "uint32", "uint64"))
    everything = collections.OrderedDict(**types, **views, **wide)
    torch.save(everything, folder / "zip.pth")
    torch.save(everything, folder / "protocol-4.pth", pickle_protocol=4)
    write_expected(folder / "zip.expected", everything)
    stream = collections.OrderedDict(**types, **views)
    torch.save(stream, folder / "stream.pth", _use_new_zipfile_serialization=False)
    write_expected(folder / "stream.expected", stream)

    small = collections.OrderedDict(weight=torch.arange(6.0).reshape(2, 3), bias=torch.tensor([0.5, -0.5]))
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.arange(parameter.numel()).reshape(parameter.shape) / 4)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    run = {"epoch": 3, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "model_ema": small, "rate": 1e-3,
           "args": argparse.Namespace(name="run", sizes=[1, 2], inner=argparse.Namespace(deep=True)), "seed": 2 ** 70,
           "kinds": {torch.float32, "a"}, "shape": torch.Size([1, 2]), "device": torch.device("cpu"), "done": False,
           "path": pathlib.PurePosixPath("a/b"), "rng": b"\x00\xff", "none": None, "counts": collections.Counter("abca"),
           "by_default": collections.defaultdict(list, x=[1])}
    try:
        import numpy
        run["best"] = numpy.float64(0.75)
        run["curve"] = numpy.arange(3)
    except ImportError:
        sys.exit("NumPy is needed")
    torch.save(run, folder / "run.pth")
    torch.save(run, folder / "run-stream.pth", _use_new_zipfile_serialization=False)
    write_expected(folder / "run.expected", model.state_dict())
    write_expected(folder / "run-ema.expected", small)
    torch.save({"state_dict": collections.OrderedDict(("module." + k, v) for k, v in small.items())}, folder / "state-dict.pth")
    torch.save({"net": small, "note": "x"}, folder / "net.pth")
    torch.save({"student": small, "teacher": {"backbone": small}}, folder / "two.pth")
    torch.save([torch.ones(2), (torch.zeros(1), {"x": torch.ones(1), 5: torch.full((2,), 5.0)})], folder / "list.pth")
    torch.save(torch.arange(4.0), folder / "only.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a stream cannot hold this class's source
        torch.save(Whole(2, 1), folder / "module.pth")
        torch.save(Whole(2, 1), folder / "module-stream.pth", _use_new_zipfile_serialization=False)
    torch.save({"x": torch.tensor([1 + 2j])}, folder / "complex.pth")


def write_arrays(folder):
    import numpy
    generator = numpy.random.default_rng(6)
    arrays = {
        "double": numpy.array([[0.0, -0.0, 1 / 3], [5e-324, 1.7976931348623157e308, -numpy.inf]]),
        "float": generator.standard_normal((3, 4)).astype(numpy.float32),
        "half": numpy.array([1.0, -65504.0, 6e-8, numpy.nan], numpy.float16),
        "scalar": numpy.float32(2.5),
        "empty": numpy.zeros((0, 3), numpy.float32),
        "bool": numpy.array([[True, False]]),
        "block/kernel": generator.standard_normal((2, 3, 4)).astype(numpy.float32),
        "zeros": numpy.zeros((50, 40), numpy.float32),
    }
    for bits in (8, 16, 32, 64):
        for kind in (f"int{bits}", f"uint{bits}"):
            info = numpy.iinfo(kind)
            arrays[kind] = numpy.array([info.min, 1, info.max], kind)
    expected = {name: torch.from_numpy(numpy.array(array)) for name, array in arrays.items()}
    numpy.savez_compressed(folder / "packed.npz", **arrays)
    write_expected(folder / "packed.expected", expected)
    arrays["fortran"] = numpy.asfortranarray(generator.standard_normal((3, 2, 4)))
    expected["fortran"] = torch.from_numpy(numpy.ascontiguousarray(arrays["fortran"]))
    numpy.savez(folder / "arrays.npz", **arrays)
    write_expected(folder / "arrays.expected", expected)
    numpy.save(folder / "array.npy", arrays["fortran"])
    numpy.save(folder / "big-endian.npy", numpy.arange(3, dtype=">f4"))
    numpy.save(folder / "objects.npy", numpy.array([{}, None], dtype=object))
    numpy.save(folder / "records.npy", numpy.zeros(2, [("a", "<f4"), ("b", "<i4")]))


def vision_transformer(generator, width, depth, ratio, patch, channels=3, side=4, tokens=1, scale=0.2):
    """Random weights under timm's names."""
    def draw(*shape):
        return scale * torch.randn(*shape, generator=generator)

    weights = collections.OrderedDict()
    weights["cls_token"] = draw(1, 1, width)
    weights["pos_embed"] = draw(1, side * side + tokens, width)
    weights["patch_embed.proj.weight"] = draw(width, channels, patch, patch)
    weights["patch_embed.proj.bias"] = draw(width)
    for block in range(depth):
        name = f"blocks.{block}."
        for norm in ("norm1", "norm2"):
            weights[name + norm + ".weight"] = 1 + draw(width)
            weights[name + norm + ".bias"] = draw(width)
        for layer, rows, columns in (("attn.qkv", 3 * width, width), ("attn.proj", width, width),
                                     ("mlp.fc1", ratio * width, width), ("mlp.fc2", width, ratio * width)):
            weights[name + layer + ".weight"] = draw(rows, columns)
            weights[name + layer + ".bias"] = draw(rows)
    weights["norm.weight"] = 1 + draw(width)
    weights["norm.bias"] = draw(width)
    weights["head.weight"] = draw(3, width)
    weights["head.bias"] = draw(3)
    return weights


def image_path(weights, image, heads, tokens=1):
    """Normed tokens of the transformer without its class token, of pre-norm blocks, in float64."""
    weights = {name: value.double() for name, value in weights.items()}
    functional = torch.nn.functional
    patch = weights["patch_embed.proj.weight"].shape[-1]
    x = functional.conv2d(image.double(), weights["patch_embed.proj.weight"], weights["patch_embed.proj.bias"], stride=patch)
    x = x.flatten(2).transpose(1, 2) + weights["pos_embed"][:, tokens:]
    width = x.shape[-1]

    def norm(x, name):
        return functional.layer_norm(x, (width,), weights[name + ".weight"], weights[name + ".bias"], 1e-6)

    def linear(x, name):
        return functional.linear(x, weights[name + ".weight"], weights[name + ".bias"])

    block = 0
    while f"blocks.{block}.norm1.weight" in weights:
        name = f"blocks.{block}."
        q, k, v = (part.reshape(1, -1, heads, width // heads).transpose(1, 2)
                   for part in linear(norm(x, name + "norm1"), name + "attn.qkv").split(width, -1))
        attended = torch.softmax(q @ k.transpose(-1, -2) / (width // heads) ** 0.5, -1) @ v
        x = x + linear(attended.transpose(1, 2).reshape(x.shape), name + "attn.proj")
        x = x + linear(functional.gelu(linear(norm(x, name + "norm2"), name + "mlp.fc1")), name + "mlp.fc2")
        block += 1
    return norm(x, "norm")


def write_transformer(folder):
    generator = torch.Generator()
    generator.manual_seed(16)
    weights = vision_transformer(generator, width=16, depth=2, ratio=2, patch=4)
    image = torch.randn(1, 3, 16, 16, generator=generator)
    torch.save({"model": weights}, folder / "vit.pth")
    write_expected(folder / "vit.golden", {"image": image, "tokens": image_path(weights, image, heads=2)}, {"heads": "2"})


if __name__ == "__main__":
    arguments = [a for a in sys.argv[1:] if a != "--old"]
    target = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).parent / "weights")
    target.mkdir(parents=True, exist_ok=True)
    if OLD or "--old" in sys.argv:
        write_old(target)
    else:
        write_checkpoints(target)
        write_arrays(target)
        write_transformer(target)
