"""DeTrack in PyTorch, as one would write it there for speed: the opponent of the benchmarks. Forward, losses, golden check.

The mathematics is that of include/detrack/model; parameter names are those of the file format.
"""
import json
import math

import torch
import torch.nn.functional as F
from torch import nn

PRESETS = {  # width, heads, refine_layers, search, template, templates, bins_per_unit
    "n128": (192, 3, 3, 128, 64, 2, 400),
    "t256": (192, 3, 3, 256, 128, 3, 400),
    "s256": (384, 6, 6, 256, 128, 3, 400),
    "b256": (768, 12, 6, 256, 128, 3, 400),
    "b384": (768, 12, 6, 384, 192, 3, 600),
}


class Config:
    depth, mlp_ratio, patch, coord_range, trajectory = 12, 4, 16, 2.0, 7
    noise_steps, signal_scale, confidence_window = 1000, 2.0, 2

    def __init__(self, **fields):
        self.__dict__.update(fields)
        self.words = round(self.bins_per_unit * self.coord_range)
        self.coord_min = (1 - self.coord_range) / 2
        self.search_tokens = (self.search_size // self.patch) ** 2
        self.template_tokens = (self.template_size // self.patch) ** 2


def preset(name):
    width, heads, refine_layers, search, template, templates, bins = PRESETS[name]
    return Config(width=width, heads=heads, refine_heads=heads, refine_layers=refine_layers, search_size=search,
                  template_size=template, templates=templates, bins_per_unit=bins)


def norm(width):
    return nn.LayerNorm(width, eps=1e-6)


def heads_of(x, heads):
    """(B, n, C) -> (B, H, n, D)"""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def attend(q, k, v, mask=None):
    """(B, H, n, D) three times -> (B, n, C)"""
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)


class Mlp(nn.Module):
    def __init__(self, width, hidden, activation=F.gelu):
        super().__init__()
        self.fc1, self.fc2, self.activation = nn.Linear(width, hidden), nn.Linear(hidden, width), activation

    def forward(self, x):
        return self.fc2(self.activation(self.fc1(x)))


class SelfAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x, mask=None):
        q, k, v = (heads_of(part, self.heads) for part in self.qkv(x).chunk(3, -1))
        return self.proj(attend(q, k, v, mask)), k, v


class CrossAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.q, self.kv = heads, nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x, memory):
        k, v = (heads_of(part, self.heads) for part in self.kv(memory).chunk(2, -1))
        return self.proj(attend(heads_of(self.q(x), self.heads), k, v))


class Denoise(nn.Module):
    """The box half of a block: 4 tokens on the search keys and values of the image half."""

    def __init__(self, width, heads, ratio):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = norm(width), norm(width)
        self.q, self.proj = nn.Linear(width, width), nn.Linear(width, width)
        self.mlp, self.noise = Mlp(width, ratio * width), Mlp(width, width, F.relu)

    def forward(self, x, k, v):
        x = x + self.proj(attend(heads_of(self.q(self.norm1(x)), self.heads), k, v))
        x = x + self.mlp(self.norm2(x))
        return x - self.noise(x)


class DenoisingBlock(nn.Module):
    def __init__(self, width, heads, ratio, search_tokens):
        super().__init__()
        self.search_tokens = search_tokens
        self.norm1, self.norm2 = norm(width), norm(width)
        self.attn, self.mlp = SelfAttention(width, heads), Mlp(width, ratio * width)
        self.denoise = Denoise(width, heads, ratio)

    def forward(self, image, box):
        attended, k, v = self.attn(self.norm1(image))
        image = image + attended
        image = image + self.mlp(self.norm2(image))
        return image, self.denoise(box, k[:, :, :self.search_tokens], v[:, :, :self.search_tokens])


def patch_rows(images, side):
    """(B, 3, h side, w side) -> (B, h w, 3 side side): the patches as rows of one matrix product, on a GPU faster than the
    convolution."""
    x = images.unflatten(3, (-1, side)).unflatten(2, (-1, side))
    return x.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


class Backbone(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, c.width, c.patch, c.patch)
        self.pos_embed_search = nn.Parameter(torch.empty(1, c.search_tokens, c.width))
        self.pos_embed_template = nn.Parameter(torch.empty(1, c.template_tokens, c.width))
        self.template_embed = nn.Parameter(torch.empty(c.templates, c.width))
        self.blocks = nn.ModuleList(DenoisingBlock(c.width, c.heads, c.mlp_ratio, c.search_tokens) for _ in range(c.depth))
        self.norm = norm(c.width)

    def patches(self, images):
        proj = self.patch_embed.proj
        if not images.is_cuda:
            return proj(images).flatten(2).transpose(1, 2)
        return F.linear(patch_rows(images, proj.kernel_size[0]), proj.weight.flatten(1), proj.bias)

    def forward(self, search, templates, box):
        batch, count = templates.shape[:2]
        looks = self.patches(templates.flatten(0, 1)) + self.pos_embed_template
        looks = looks.unflatten(0, (batch, count)) + self.template_embed[:count, None]
        image = torch.cat([self.patches(search) + self.pos_embed_search, looks.flatten(1, 2)], 1)
        steps = []
        for block in self.blocks:
            image, box = block(image, box)
            steps.append(box)
        return self.norm(image), steps


class RefineLayer(nn.Module):
    def __init__(self, width, heads, ratio):
        super().__init__()
        self.norm1, self.norm2, self.norm3 = norm(width), norm(width), norm(width)
        self.self_attn, self.cross_attn = SelfAttention(width, heads), CrossAttention(width, heads)
        self.mlp = Mlp(width, ratio * width)

    def forward(self, x, image, mask):
        x = x + self.self_attn(self.norm1(x), mask)[0]
        x = x + self.cross_attn(self.norm2(x), image)
        return x + self.mlp(self.norm3(x))


class BoxRefiner(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.time_embed = nn.Parameter(torch.empty(c.trajectory + 1, c.width))
        self.layers = nn.ModuleList(RefineLayer(c.width, c.refine_heads, c.mlp_ratio) for _ in range(c.refine_layers))
        self.norm = norm(c.width)
        step = torch.arange(4 * (c.trajectory + 1)) // 4
        self.register_buffer("mask", step[:, None] >= step[None, :], persistent=False)

    def forward(self, box, trajectory, image):
        times = trajectory.shape[1] + 1
        x = torch.cat([trajectory, box[:, None]], 1) + self.time_embed[-times:, None]
        # Without a trajectory nothing is masked, and attention without a mask may be a faster one.
        x, mask = x.flatten(1, 2), None if times == 1 else self.mask[:4 * times, :4 * times]
        for layer in self.layers:
            x = layer(x, image, mask)
        return self.norm(x[:, -4:])


class IouHead(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm, self.cross_attn = norm(c.width), CrossAttention(c.width, c.refine_heads)
        self.fc1, self.fc2 = nn.Linear(c.width, c.width), nn.Linear(c.width, 1)

    def forward(self, box, image):
        x = box + self.cross_attn(self.norm(box), image)
        return self.fc2(F.gelu(self.fc1(x.mean(1)))).sigmoid().squeeze(-1)


class Words(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.word_embed = nn.Embedding(c.words, c.width)
        self.slot_embed = nn.Parameter(torch.empty(4, c.width))
        self.norm = norm(c.width)


class DeTrack(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.backbone, self.box, self.refine, self.iou = Backbone(config), Words(config), BoxRefiner(config), IouHead(config)
        centres = (torch.arange(config.words, dtype=torch.float64) + 0.5) / config.bins_per_unit + config.coord_min
        self.register_buffer("centres", centres.float(), persistent=False)
        for p in self.parameters():
            if p.ndim > 1:
                nn.init.trunc_normal_(p, std=0.02)

    def words(self, box):
        c = self.config
        return ((box - c.coord_min) * c.bins_per_unit).floor().clamp(0, c.words - 1).long()

    def embed(self, box):
        return self.box.word_embed(self.words(box)) + self.box.slot_embed

    def similarity(self, tokens):
        return F.linear(tokens, self.box.word_embed.weight)

    def tokens(self, search, templates, start_box, trajectory):
        image, steps = self.backbone(search, templates, self.embed(start_box))
        return image, steps, self.refine(steps[-1], self.embed(trajectory), image)

    def forward(self, search, templates, start_box, trajectory):
        """What a tracker needs: logits (B, 4, V), image tokens, expected box, confidence."""
        image, _, refined = self.tokens(search, templates, start_box, trajectory)
        logits = self.similarity(refined).float()
        p = logits.softmax(-1)
        near = (torch.arange(p.shape[-1], device=p.device) - p.argmax(-1, keepdim=True)).abs() <= self.config.confidence_window
        return logits, image, (p * self.centres).sum(-1), (p * near).sum(-1).mean(-1)

    def loss(self, search, templates, start_box, trajectory, truth, eps, t, noised, weights=(2.0, 2.0, 1.0)):
        """Weighted sum of cross-entropy, SIoU and layer-by-layer cross-entropy; then its parts and the outputs."""
        image, steps, refined = self.tokens(search, templates, start_box, trajectory)
        logits = self.similarity(refined)
        step_logits = self.similarity(self.box.norm(torch.stack(steps)))  # (L, B, 4, V)
        ce = F.cross_entropy(logits.flatten(0, 1), self.words(truth).flatten())
        box = (logits.softmax(-1) * self.centres).sum(-1)
        siou = siou_loss(box, truth).mean()
        targets = self.words(step_targets(truth, start_box, eps, t, noised, len(steps), self.config))
        denoise = F.cross_entropy(step_logits.flatten(0, 2), targets.flatten())
        total = weights[0] * ce + weights[1] * siou + weights[2] * denoise
        return total, {"ce": ce, "siou": siou, "denoise": denoise}, logits, step_logits, image


def add_noise(box, eps, t, c):
    """box, eps (..., 4); t (...)"""
    f = lambda u: torch.cos((u + 0.008) / 1.008 * (math.pi / 2)) ** 2
    keep = (f(t / c.noise_steps) / f(torch.zeros_like(t))).clamp(min=1e-9)[..., None]
    z = keep.sqrt() * (2 * box - 1) * c.signal_scale + (1 - keep).sqrt() * eps
    return ((z / c.signal_scale + 1) / 2).clamp(c.coord_min, c.coord_min + c.coord_range)


def step_targets(truth, start, eps, t, noised, depth, c):
    """(L, B, 4): the box that each block is trained towards."""
    remaining = 1 - torch.arange(1, depth + 1, dtype=torch.float64, device=truth.device)[:, None] / depth
    truth, start, eps, t = truth.double(), start.double(), eps.double(), t.double()
    straight = truth + remaining[..., None] * (start - truth)
    return torch.where(noised[:, None] > 0, add_noise(truth, eps, t * remaining, c), straight)


def iou(a, b):
    side = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    area = lambda x: (x[..., 2:] - x[..., :2]).clamp(min=0).prod(-1)
    return side.prod(-1) / (area(a) + area(b) - side.prod(-1) + 1e-7)


def siou_loss(pred, truth):
    """Gevorgyan 2022, theta = 4"""
    tiny = 1e-7
    size_p, size_t = ((x[..., 2:] - x[..., :2]).clamp(min=tiny) for x in (pred, truth))
    d = (truth[..., :2] + truth[..., 2:] - pred[..., :2] - pred[..., 2:]) / 2
    hull = (torch.maximum(pred[..., 2:], truth[..., 2:]) - torch.minimum(pred[..., :2], truth[..., :2])).clamp(min=tiny)
    gamma = 2 - 2 * d.prod(-1, keepdim=True).abs() / (d.square().sum(-1, keepdim=True) + tiny)
    distance = (1 - torch.exp(-gamma * (d / hull).square())).sum(-1)
    shape = ((1 - torch.exp(-(size_p - size_t).abs() / torch.maximum(size_p, size_t))) ** 4).sum(-1)
    return 1 - iou(pred, truth) + (distance + shape) / 2


def read_safetensors(path):
    with open(path, "rb") as f:
        data = bytearray(f.read())
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    metadata, kinds = header.pop("__metadata__"), {"F32": torch.float32, "F64": torch.float64}
    tensors = {}
    for name, info in header.items():
        count = math.prod(info["shape"])
        flat = torch.frombuffer(data, dtype=kinds[info["dtype"]], count=count, offset=end + info["data_offsets"][0]) if count else torch.empty(0)
        tensors[name] = flat.reshape(info["shape"]).clone()
    return tensors, metadata


def parameters_to(model, dtype):
    """Parameters only: the box's expectation is over centres in float32, as detrack's is."""
    for p in model.parameters():
        p.data = p.data.to(dtype)


def golden_errors(path, device="cpu"):
    """Runs the model on a golden file in float32: {tensor: relative error / bound}, at most 1 where the model is the same.
    On a GPU the caller forbids TF32."""
    file, metadata = read_safetensors(path)
    file = {k: v.to(device) for k, v in file.items()}
    config = Config(**{k: v for k, v in json.loads(metadata["detrack.config"]).items() if k != "name"})
    w = json.loads(metadata["detrack.loss_weights"])
    model = DeTrack(config).to(device)
    model.load_state_dict({k.removeprefix("param."): v for k, v in file.items() if k.startswith("param.")})
    given = [file["in." + k] for k in ("search", "templates", "start_box", "trajectory")]
    aims = [file["in." + k] for k in ("gt_box", "eps", "t", "noised")]
    # Words are floors: boxes go in double, as they do in detrack.
    given[2:], aims[0] = [x.double() for x in given[2:]], aims[0].double()
    total, parts, logits, step_logits, image = model.loss(*given, *aims, (w["ce"], w["siou"], w["denoise"]))
    predicted = model.iou(model.embed(file["in.iou_box"].double()), image)
    iou_loss = F.mse_loss(predicted, iou(file["in.iou_box"], file["in.gt_box"]))
    (total + iou_loss).backward()
    with torch.inference_mode():
        _, _, box, confidence = model(*given)
    got = {"out.logits": logits, "out.step_logits": step_logits.transpose(0, 1), "out.image_tokens": image, "out.box": box,
           "out.confidence": confidence, "out.iou": predicted, "out.loss.total": total, "out.loss.iou": iou_loss}
    got |= {f"out.loss.{k}": v for k, v in parts.items()}
    got |= {f"grad.{k}": p.grad for k, p in model.named_parameters()}
    errors = {}
    for name, value in got.items():
        want, gradient = file[name], name.startswith("grad.")
        floor, bound = (1e-6, 2e-4) if gradient else (0.1, 2e-5)
        scale = max(want.norm().item(), floor * math.sqrt(want.numel()))
        errors[name] = (value.detach().double() - want).norm().item() / scale / bound
    return errors
