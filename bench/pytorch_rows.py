"""The rows of bench_ops and bench_model as PyTorch computes them: each row's name makes a function to time."""
import contextlib
import re

import torch
import torch.nn.functional as F

import pytorch_model as detrack

COMPILED = {  # variant: options of torch.compile; None: eager
    "eager": None,
    "compile": {},
    # Weights become constants that oneDNN packs once: what PyTorch recommends for inference on a CPU.
    "freeze": {"freezing": True},
    "autotune": {"freezing": True, "max_autotune": True},
}
# What compiling cannot make faster than the one operator that it is stays eager.
COMPOSITE = re.compile("(mlp|block|forward)(_|/)")


def variants_of(row, wanted):
    """eager always; compile for what is more than one operator; freezing for inference."""
    inference = "backward" not in row
    return [v for v in wanted if v == "eager" or (COMPOSITE.match(row) and (v == "compile" or inference))]


def uniform(*shape):
    return torch.rand(*shape) * 2 - 1


def compiled(function, variant):
    options = COMPILED[variant]
    return function if options is None else torch.compile(function, dynamic=False, options=options)


def gradient_of(y, dy, inputs):
    """Times the backward alone: the graph is kept."""
    return lambda: torch.autograd.grad(y, inputs, dy, retain_graph=True)


class Rows:
    """make(row, variant) -> function of nothing; run it inside `mode(row)`."""

    @staticmethod
    def mode(row):
        # The compiler's freezing wants no_grad; eager code gains from inference_mode.
        return contextlib.nullcontext() if "backward" in row else torch.inference_mode()

    def make(self, row, variant):
        torch._dynamo.reset()
        torch.manual_seed(1)
        kind, name, *rest = row.split("/")
        direction = kind.rsplit("_", 1)[-1]
        name, _, batch = name.partition("x")
        config = detrack.preset(name)
        tokens = config.search_tokens + config.templates * config.template_tokens
        if kind in ("forward", "forward_backward"):
            return self.model(config, kind, int(batch or 1), variant)
        if kind.startswith(("mlp", "block")):
            return self.module(config, kind, tokens, variant)
        if kind.startswith("linear"):
            return self.linear(config, tokens, direction, rest[0])
        with torch.inference_mode(direction == "forward"):
            return getattr(self, kind.removesuffix("_" + direction))(config, tokens, direction)

    @staticmethod
    def attend(q, k, v, inputs, direction):
        if direction == "forward":
            return lambda: detrack.attend(q(), k(), v())
        y = detrack.attend(q(), k(), v())
        return gradient_of(y, uniform(*y.shape), inputs)

    def attention(self, c, tokens, direction):
        qkv = uniform(1, tokens, 3 * c.width).requires_grad_(direction == "backward")
        part = lambda i: lambda: detrack.heads_of(qkv.chunk(3, -1)[i], c.heads)
        return self.attend(part(0), part(1), part(2), qkv, direction)

    def denoising_attention(self, c, tokens, direction):
        box = uniform(1, 4, c.width).requires_grad_(direction == "backward")
        qkv = uniform(1, tokens, 3 * c.width)
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

    def linear(self, c, tokens, direction, layer):
        width, hidden = c.width, c.mlp_ratio * c.width
        inputs, outputs = {"qkv": (width, 3 * width), "proj": (width, width), "fc1": (width, hidden), "fc2": (hidden, width),
                           "q": (width, width)}[layer.removeprefix("box_")]
        rows = 4 if layer.startswith("box_") else tokens
        train = direction == "backward"
        with torch.inference_mode(not train):
            x, w, b = (uniform(*s).requires_grad_(train) for s in ((rows, inputs), (outputs, inputs), (outputs,)))
            return gradient_of(F.linear(x, w, b), uniform(rows, outputs), (x, w, b)) if train else lambda: F.linear(x, w, b)

    def module(self, c, kind, tokens, variant):
        block = detrack.DenoisingBlock(c.width, c.heads, c.mlp_ratio, c.search_tokens)
        inputs = [uniform(1, tokens, c.width), uniform(1, 4, c.width)]
        module = block.mlp if kind.startswith("mlp") else block
        inputs = inputs[:1] if module is block.mlp else inputs
        run = compiled(module, variant)
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
            torch.autograd.backward(y, cotangents if len(inputs) > 1 else cotangents[0])

        return step

    def model(self, c, kind, batch, variant):
        model = detrack.DeTrack(c)
        boxes = lambda *shape: torch.tensor([0.3, 0.3, 0.6, 0.7]) + 0.05 * uniform(*shape, 4)
        given = (uniform(batch, 3, c.search_size, c.search_size),
                 uniform(batch, c.templates, 3, c.template_size, c.template_size), boxes(batch), boxes(batch, c.trajectory))
        if kind == "forward":
            run = compiled(model.eval(), variant)
            return lambda: run(*given)
        aims = (boxes(batch), uniform(batch, 4), torch.full((batch,), 300.0), torch.ones(batch))
        loss = compiled(model.loss, variant)

        def step():
            model.zero_grad(set_to_none=True)
            loss(*given, *aims)[0].backward()

        return step
