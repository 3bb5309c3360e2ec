"""A training step of stage pairs in PyTorch: forward, losses, backward, clipping, AdamW and the averaged weights.

On a GPU parameters are float32 and products bfloat16, by autocast.
"""
import contextlib

import torch

import pytorch_model as detrack


def step_of(preset, batch, device="cpu", compiled=False):
    """A function of nothing that takes one step, on the same random batch for ever."""
    torch.manual_seed(1)
    c, cuda = detrack.preset(preset), device == "cuda"
    model, mean = detrack.DeTrack(c).to(device), detrack.DeTrack(c).to(device)
    trained = [p for name, p in model.named_parameters() if not name.startswith("iou.")]
    averaged = [p.detach() for name, p in mean.named_parameters() if not name.startswith("iou.")]
    optimizer = torch.optim.AdamW([{"params": [p for p in trained if p.ndim > 1]},
                                   {"params": [p for p in trained if p.ndim == 1], "weight_decay": 0.0}],
                                  lr=5e-4, weight_decay=0.02, fused=True, capturable=cuda)
    pixels = lambda *shape: torch.randn(*shape, device=device, dtype=torch.bfloat16 if cuda else torch.float32)
    boxes = lambda *shape: (torch.tensor([0.3, 0.3, 0.6, 0.7]) + 0.05 * (2 * torch.rand(*shape, 4) - 1)).to(device)
    given = (pixels(batch, 3, c.search_size, c.search_size), pixels(batch, c.templates, 3, c.template_size, c.template_size),
             boxes(batch), boxes(batch, 0), boxes(batch), torch.randn(batch, 4, device=device),
             torch.full((batch,), 300.0, device=device), torch.ones(batch, device=device))
    loss = torch.compile(model.loss, dynamic=False) if compiled else model.loss

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cuda", dtype=torch.bfloat16) if cuda else contextlib.nullcontext():
            total = loss(*given)[0]
        total.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        torch._foreach_lerp_(averaged, [p.detach() for p in trained], 0.001)

    return step
