"""The rows of bench_ops and bench_model as PyTorch computes them: each row's name makes a function to time."""
import contextlib
import re
import tempfile

import torch
import torch.nn.functional as F
from torch import nn

import pytorch_model as detrack

VARIANTS = {
    "eager": "operators one by one, in inference_mode where nothing is differentiated",
    "compile": "torch.compile",
    "autotune": "torch.compile with constant weights and every matrix product's implementation chosen by measurement",
    "onednn": "eager with the weights packed for oneDNN: on some processors several times as fast as the default, MKL",
    "aot": "AOTInductor with constant weights: what PyTorch deploys to programs without Python",
}


def variants_of(row, wanted):
    """Those that can differ: attention, layer norm and GELU are one operator each; weights are packed for inference only."""
    inference = "backward" not in row
    if re.match("(mlp|block|forward)(_|/)", row):
        fit = set(VARIANTS) if inference else {"eager", "compile"}
    else:
        fit = {"eager", "onednn"} if row.startswith("linear_forward") else {"eager"}
    return [v for v in wanted if v in fit]


def uniform(*shape):
    return torch.rand(*shape) * 2 - 1


class PackedLinear(nn.Module):
    def __init__(self, linear, rows):
        super().__init__()
        self.weight, self.bias = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), rows), linear.bias

    def forward(self, x):
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")


def packed(module, rows):
    """`rows`: about how many each layer will be given."""
    if isinstance(module, nn.Linear):
        return PackedLinear(module, rows)
    for name, child in module.named_children():
        setattr(module, name, packed(child, rows))
    return module


def deployed(module, inputs):
    with tempfile.TemporaryDirectory() as folder:
        package = torch._inductor.aoti_compile_and_package(
            torch.export.export(module, inputs), package_path=f"{folder}/row.pt2", inductor_configs={"freezing": True})
        return torch._inductor.aoti_load_package(package)


def prepared(module, inputs, variant):
    """What to call with `inputs`."""
    if variant == "onednn":
        return packed(module, inputs[0].shape[-2])
    if variant == "aot":
        return deployed(module, inputs)
    options = {"freezing": True, "max_autotune": True} if variant == "autotune" else None
    return module if variant == "eager" else torch.compile(module, dynamic=False, options=options)


def gradient_of(y, dy, inputs):
    """Times the backward alone: the graph is kept."""
    return lambda: torch.autograd.grad(y, inputs, dy, retain_graph=True)


def has_products(row):
    return not re.match("crop|layer_norm|gelu", row)


class Rows:
    """make(row, variant) -> function of nothing, to be called inside `mode(row)`. With bfloat16 products a forward has its
    weights and activations in bfloat16, which is the fastest way there; what is differentiated has float32 parameters and autocast."""

    def __init__(self, bfloat16=False):
        self.bfloat16, self.dtype = bfloat16, torch.float32

    def uniform(self, *shape):
        return uniform(*shape).to(self.dtype)

    def cast(self, module):
        detrack.parameters_to(module, self.dtype)
        return module

    @staticmethod
    def forget():
        """Drops what was compiled: past a few models of one class the compiler would give up and run eagerly."""
        torch._dynamo.reset()

    def mode(self, row):
        if "backward" not in row:
            return torch.inference_mode()
        return torch.autocast("cpu", dtype=torch.bfloat16) if self.bfloat16 else contextlib.nullcontext()

    def make(self, row, variant):
        torch.manual_seed(1)
        kind, name, *rest = row.split("/")
        direction = kind.rsplit("_", 1)[-1]
        name, _, batch = name.partition("x")
        config = detrack.preset(name)
        tokens = config.search_tokens + config.templates * config.template_tokens
        self.dtype = torch.bfloat16 if self.bfloat16 and "backward" not in kind else torch.float32
        with torch.set_grad_enabled("backward" in kind), self.mode(row) if "backward" in kind else contextlib.nullcontext():
            if kind in ("forward", "forward_backward"):
                return self.model(config, kind, int(batch or 1), variant)
            if kind.startswith(("mlp", "block")):
                return self.module(config, kind, tokens, variant)
            if kind.startswith("linear"):
                return self.linear(config, tokens, direction, rest[0], variant)
            return getattr(self, kind.removesuffix("_" + direction))(config, tokens, direction)

    @staticmethod
    def attend(q, k, v, inputs, direction):
        if direction == "forward":
            return lambda: detrack.attend(q(), k(), v())
        y = detrack.attend(q(), k(), v())
        return gradient_of(y, uniform(*y.shape).to(y.dtype), inputs)

    def attention(self, c, tokens, direction):
        qkv = self.uniform(1, tokens, 3 * c.width).requires_grad_(direction == "backward")
        part = lambda i: lambda: detrack.heads_of(qkv.chunk(3, -1)[i], c.heads)
        return self.attend(part(0), part(1), part(2), qkv, direction)

    def denoising_attention(self, c, tokens, direction):
        box = self.uniform(1, 4, c.width).requires_grad_(direction == "backward")
        qkv = self.uniform(1, tokens, 3 * c.width)
        k, v = (x.requires_grad_(direction == "backward") for x in qkv[:, :c.search_tokens].chunk(3, -1)[1:])
        return self.attend(*(lambda x=x: detrack.heads_of(x, c.heads) for x in (box, k, v)), (box, k, v), direction)

    def layer_norm(self, c, tokens, direction):
        x, gamma, beta = (uniform(*s).requires_grad_(direction == "backward") for s in ((tokens, c.width), (c.width,), (c.width,)))
        run = lambda: F.layer_norm(x, (c.width,), gamma, beta, 1e-6)
        return run if direction == "forward" else gradient_of(run(), uniform(tokens, c.width), (x, gamma, beta))

    def gelu(self, c, tokens, direction):
        shape = (tokens, c.mlp_ratio * c.width)
        x = uniform(*shape).requires_grad_(direction == "backward")
        return (lambda: F.gelu(x)) if direction == "forward" else gradient_of(F.gelu(x), uniform(*shape), x)

    def linear(self, c, tokens, direction, layer, variant):
        width, hidden = c.width, c.mlp_ratio * c.width
        inputs, outputs = {"qkv": (width, 3 * width), "proj": (width, width), "fc1": (width, hidden), "fc2": (hidden, width),
                           "q": (width, width)}[layer.removeprefix("box_")]
        rows = 4 if layer.startswith("box_") else tokens
        layer, x = self.cast(nn.Linear(inputs, outputs)), self.uniform(rows, inputs)
        if direction == "forward":
            run = prepared(layer, (x,), variant)
            return lambda: run(x)
        y = layer(x.requires_grad_())
        return gradient_of(y, uniform(rows, outputs).to(y.dtype), (x, layer.weight, layer.bias))

    def module(self, c, kind, tokens, variant):
        block = self.cast(detrack.DenoisingBlock(c.width, c.heads, c.mlp_ratio, c.search_tokens))
        inputs = [self.uniform(1, tokens, c.width), self.uniform(1, 4, c.width)]
        module = block.mlp if kind.startswith("mlp") else block
        inputs = inputs[:1] if module is block.mlp else inputs
        run = prepared(module, tuple(inputs), variant)
        if "backward" not in kind:
            return lambda: run(*inputs)
        cotangents = [uniform(*x.shape) for x in inputs]
        for x in inputs:
            x.requires_grad_()

        def step():
            module.zero_grad(set_to_none=True)
            for x in inputs:
                x.grad = None
            y = run(*inputs)
            y = y if isinstance(y, tuple) else (y,)
            torch.autograd.backward(y, [dy.to(part.dtype) for dy, part in zip(cotangents, y)])

        return step

    def model(self, c, kind, batch, variant):
        model = self.cast(detrack.DeTrack(c))
        boxes = lambda *shape: torch.tensor([0.3, 0.3, 0.6, 0.7]) + 0.05 * uniform(*shape, 4)
        given = (self.uniform(batch, 3, c.search_size, c.search_size),
                 self.uniform(batch, c.templates, 3, c.template_size, c.template_size), boxes(batch), boxes(batch, c.trajectory))
        if kind == "forward":
            run = prepared(model.eval(), given, variant)
            return lambda: run(*given)
        aims = (boxes(batch), uniform(batch, 4), torch.full((batch,), 300.0), torch.ones(batch))
        loss = prepared(model.loss, given, variant)

        def step():
            model.zero_grad(set_to_none=True)
            loss(*given, *aims)[0].backward()

        return step
