"""Each operation and model of cuda_rows.py as PyTorch computes it: a function to time, on random arguments."""
import contextlib

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

import pytorch_model

BACK_ENDS = {"flash": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION}
CUDNN_FIRST = [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
T = torch.bfloat16


def attention_order(cudnn_first):
    """Which attention a model uses: PyTorch's own choice, or cuDNN's where it can."""
    return sdpa_kernel(CUDNN_FIRST, set_priority=True) if cudnn_first else contextlib.nullcontext()


def uniform(device, *shape, dtype=T):
    return (torch.rand(*shape, device=device) * 2 - 1).to(dtype)


class Operation:
    """`call` runs it once; `bytes` are those of its arguments and results."""

    def __init__(self, call, elements):
        self.call, self.bytes = call, 2 * elements


def attention(row, variant, device):
    B, C, H = row.batch, row.width, row.heads
    denoising = row.kind == "denoising attention"
    keys = row.search_tokens if denoising else row.tokens
    queries = 4 if denoising else row.tokens
    training = row.kind in ("attention, with lse", "attention backward")
    # (B, tokens, H, D) in memory, the order that flash attention works in; cuDNN takes any.
    argument = lambda n: uniform(device, B, n, H, 64).transpose(1, 2).requires_grad_(training)
    q, k, v = argument(queries), argument(keys), argument(keys)
    back_end = BACK_ENDS[variant]

    def forward():
        with sdpa_kernel(back_end), torch.set_grad_enabled(training):
            return F.scaled_dot_product_attention(q, k, v)

    elements = B * C * (2 * queries + 2 * keys)
    if row.kind != "attention backward":
        return Operation(forward, elements)
    y = forward()
    dy = torch.rand_like(y) * 2 - 1
    return Operation(lambda: torch.autograd.grad(y, (q, k, v), dy, retain_graph=True), 2 * elements)


def linear(row, device):
    """The rows of one linear layer."""
    R, C = row.batch * row.tokens, row.width
    a = lambda *shape: uniform(device, *shape)
    if row.kind == "mlp fc1, gelu":
        x, w, b = a(R, C), a(4 * C, C), a(4 * C)
        return Operation(lambda: F.gelu(F.linear(x, w, b)), 5 * R * C + 4 * C * C)
    if row.kind == "mlp fc2, residual":
        x, w, b, residual = a(R, 4 * C), a(C, 4 * C), a(C), a(R, C)
        return Operation(lambda: F.linear(x, w, b).add_(residual), 6 * R * C + 4 * C * C)
    if row.kind == "box q":
        x, w, b = a(4 * row.batch, C), a(C, C), a(C)
        return Operation(lambda: F.linear(x, w, b), 8 * row.batch * C + C * C)
    dy, x, w = a(R, 4 * C), a(R, C), a(4 * C, C)
    return Operation(lambda: (dy @ w, dy.t() @ x, dy.sum(0)), 6 * R * C + 8 * C * C)


def layer_norm(row, device):
    R, C = row.batch * row.tokens, row.width
    x, gamma, beta = uniform(device, R, C), uniform(device, C), uniform(device, C)
    return Operation(lambda: F.layer_norm(x, (C,), gamma, beta, 1e-6), 2 * R * C)


def operation(row, variant, device):
    if "attention" in row.kind:
        return attention(row, variant, device)
    return layer_norm(row, device) if row.kind == "layer norm" else linear(row, device)


def model(row, device):
    """The model in bfloat16, and what it is given. Boxes stay float: words are floors."""
    c = pytorch_model.preset(row.preset.removeprefix("detrack-"))
    net = pytorch_model.DeTrack(c).to(device).eval().requires_grad_(False)
    pytorch_model.parameters_to(net, T)
    middle = lambda *shape: torch.tensor([0.3, 0.3, 0.6, 0.7], device=device) + 0.05 * uniform(device, *shape, 4, dtype=torch.float32)
    given = (uniform(device, row.batch, 3, c.search_size, c.search_size),
             uniform(device, row.batch, c.templates, 3, c.template_size, c.template_size), middle(row.batch),
             middle(row.batch, c.trajectory))
    return net, given


def relative_error(got, want):
    return ((got.float() - want.float()).norm() / want.float().norm()).item()


def forward(row, variant, device):
    """To be called in attention_order(); errors: a compiled model that computes something else."""
    net, given = model(row, device)
    if variant not in ("compile", "autotune"):
        return Operation(lambda: net(*given), 0)
    # Past a few models of one class the compiler would give up and run them eagerly.
    torch._dynamo.reset()
    # Graphs are captured by the timing, as detrack's are, so the compiler's own are not wanted.
    fast = torch.compile(net, dynamic=False, fullgraph=True, mode="max-autotune-no-cudagraphs" if variant == "autotune" else None)
    error = relative_error(fast(*given)[1], net(*given)[1])
    if not error < 5e-2:
        raise RuntimeError(f"wrong: image tokens differ from the eager model's by {error:.2g}")
    return Operation(lambda: fast(*given), 0)
