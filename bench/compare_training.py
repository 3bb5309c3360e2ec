#!/usr/bin/env python3
"""Times whole training steps of stage pairs in the train program and in PyTorch, in turns.

A step is forward, losses, backward, clipping, AdamW and the averaged weights. The train program besides draws, cuts out and
augments its samples (its pictures are in memory after the first look at each); PyTorch is given the same batch for ever.
"""
import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
STEPS = 12  # of a turn of the train program; the first ones meet the pictures for the first time
WARM = 4


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", default="n128", help="preset without 'detrack-' (default n128)")
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--threads", type=int, default=0, help="of both; 0: all of the machine's (default)")
    p.add_argument("--rounds", type=int, default=3, help="turns of each (default 3)")
    p.add_argument("--variants", default="eager,compile", help="of PyTorch")
    p.add_argument("--train", type=pathlib.Path, default=ROOT / "build/release/examples/train", help="the program")
    a = p.parse_args()
    if not a.train.exists():
        sys.exit(f"{a.train} is missing: cmake --preset release && cmake --build --preset release")
    a.threads = a.threads or len(os.sched_getaffinity(0))
    return a


def make_pictures(folder):
    """Pictures of noise, each with one box."""
    rng = random.Random(1)
    table = ["image\tx\ty\tw\th\tclass"]
    for i in range(32):
        (folder / f"{i}.ppm").write_bytes(b"P6 320 240 255\n" + rng.randbytes(3 * 320 * 240))
        table.append(f"{i}.ppm\t{rng.randint(20, 150)}\t{rng.randint(20, 100)}\t{rng.randint(40, 120)}\t{rng.randint(40, 120)}\tnoise")
    (folder / "boxes.tsv").write_text("\n".join(table) + "\n")


def turn_of_detrack(a, data, run):
    """Samples a second of each step after the first ones, and the share of time that they wait for data."""
    command = [a.train, "--config", ROOT / "examples/train/small.json", "--model", f"detrack-{a.model}", "--threads", a.threads,
               "--quiet", "--out", run, "--data", f"videos={data}", "--data", f"boxed={data}", "--data", f"unlabelled={data}",
               "--set", f"steps={STEPS}", "--set", f"batch={a.batch}", "--set", "log_every=1"]
    subprocess.run([str(c) for c in command], check=True, capture_output=True)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()][WARM:]
    return [line["samples_per_second"] for line in lines], statistics.mean(line["data_wait"] for line in lines)


def step_of_pytorch(a, variant):
    import torch

    import pytorch_model as detrack

    torch.manual_seed(1)
    torch.set_num_threads(a.threads)
    c, B = detrack.preset(a.model), a.batch
    model, mean = detrack.DeTrack(c), detrack.DeTrack(c)
    trained = [p for name, p in model.named_parameters() if not name.startswith("iou.")]
    averaged = [p.detach() for name, p in mean.named_parameters() if not name.startswith("iou.")]
    optimizer = torch.optim.AdamW([{"params": [p for p in trained if p.ndim > 1]},
                                   {"params": [p for p in trained if p.ndim == 1], "weight_decay": 0.0}],
                                  lr=5e-4, weight_decay=0.02, fused=True)
    boxes = lambda *shape: torch.tensor([0.3, 0.3, 0.6, 0.7]) + 0.05 * (2 * torch.rand(*shape, 4) - 1)
    given = (torch.randn(B, 3, c.search_size, c.search_size), torch.randn(B, c.templates, 3, c.template_size, c.template_size),
             boxes(B), boxes(B, 0), boxes(B), torch.randn(B, 4), torch.full((B,), 300.0), torch.ones(B))
    loss = torch.compile(model.loss, dynamic=False) if variant == "compile" else model.loss

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss(*given)[0].backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        torch._foreach_lerp_(averaged, [p.detach() for p in trained], 0.001)

    return step


def turn_of_pytorch(a, step):
    rates = []
    for _ in range(STEPS - WARM):
        begin = time.perf_counter()
        step()
        rates.append(a.batch / (time.perf_counter() - begin))
    return rates


def main():
    a = arguments()
    sys.path.insert(0, str(HERE))
    steps = {variant: step_of_pytorch(a, variant) for variant in a.variants.split(",")}
    for step in steps.values():
        for _ in range(3):  # compiles
            step()
    rates, waits = {}, []
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder) / "data"
        data.mkdir()
        make_pictures(data)
        for turn in range(a.rounds):
            own, wait = turn_of_detrack(a, data, pathlib.Path(folder) / f"run{turn}")
            rates.setdefault("detrack", []).append(own)
            waits.append(wait)
            for variant, step in steps.items():
                rates.setdefault(variant, []).append(turn_of_pytorch(a, step))
    print(f"detrack-{a.model}, batches of {a.batch}, {a.threads} threads, load {os.getloadavg()[0]:.1f}; samples a second:")
    median = {name: statistics.median(statistics.median(turn) for turn in turns) for name, turns in rates.items()}
    best = {name: max(max(turn) for turn in turns) for name, turns in rates.items()}
    for name in rates:
        print(f"{name:10} median {median[name]:6.1f}, best {best[name]:6.1f}")
    peer, peer_best = (max(v for k, v in values.items() if k != "detrack") for values in (median, best))
    print(f"detrack / best PyTorch: {median['detrack'] / peer:.2f} by medians, {best['detrack'] / peer_best:.2f} by best steps; "
          f"waiting for data: {100 * statistics.mean(waits):.1f} % of the time")


if __name__ == "__main__":
    main()
