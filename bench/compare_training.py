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
import signal
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
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit status: 0; 1 if something is wrong or missing, or detrack failed; 2 if arguments cannot be used or there is "
        "no GPU.\nWhat PyTorch cannot do on a GPU is told in the table.")
    p.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="of both; see README.md (default cpu)")
    p.add_argument("--model", help="presets without 'detrack-', with commas between (default n128, with cuda t256,s256)")
    p.add_argument("--batch", help="sizes, with commas between (default 16, with cuda 64,128)")
    p.add_argument("--threads", type=int, default=0, help="of both; 0: all of the machine's (default)")
    p.add_argument("--rounds", type=int, default=3, help="turns of each (default 3)")
    p.add_argument("--variants", help="of PyTorch: eager, compile (default: both); with cuda eager, eager_cudnn, compile, graph "
                   "(default: all); see README.md")
    p.add_argument("--train", type=pathlib.Path, help="the program (default build/release/examples/train, with cuda build/cuda/...)")
    gpu = p.add_argument_group("with --device cuda")
    gpu.add_argument("--steps", type=int, default=120, help="of the train program; a third of them warms up (default 120)")
    gpu.add_argument("--metrics", type=pathlib.Path, metavar="FILE", help="take detrack's figures from a run's metrics.jsonl")
    gpu.add_argument("--only-pytorch", action="store_true", help="no figures of detrack")
    gpu.add_argument("--time-limit", type=float, metavar="SECONDS", help="stop cleanly then; what is not measured is told")
    gpu.add_argument("--golden", type=pathlib.Path, default=ROOT / "tests/data/tiny.safetensors", help="what PyTorch's model must reproduce")
    gpu.add_argument("--out", type=pathlib.Path, default=HERE / "results", help="folder of the result files")
    gpu.add_argument("--no-save", action="store_true", help="print only")
    gpu.add_argument("--rehearse", action="store_true", help="PyTorch on the CPU, once each: tests this program, times nothing")
    a = p.parse_args()
    cuda = a.device == "cuda"
    preset = "cuda" if cuda else "release"
    a.train = a.train or ROOT / "build" / preset / "examples/train"
    if not a.train.exists() and not (cuda and (a.metrics or a.only_pytorch)):
        sys.exit(f"{a.train} is missing: cmake --preset {preset} && cmake --build --preset {preset}")
    a.models = (a.model or ("t256,s256" if cuda else "n128")).split(",")
    a.batches = [int(b) for b in (a.batch or ("64,128" if cuda else "16")).split(",")]
    known = ("eager", "eager_cudnn", "compile", "graph") if cuda else ("eager", "compile")
    a.variants = a.variants.split(",") if a.variants else known
    if unknown := set(a.variants) - set(known):
        p.error(f"--variants: expected some of {', '.join(known)}, got {', '.join(unknown)}")
    if not cuda and len(a.models) * len(a.batches) > 1 or a.metrics and len(a.models) * len(a.batches) > 1:
        p.error("one --model and one --batch on the CPU, and with --metrics")
    a.model, a.batch = a.models[0], a.batches[0]
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


def turn_of_detrack(a, data, run, steps=STEPS, every=1, more=(), limit=None):
    """Samples a second of every `every` steps after the first ones, and the share of time that they wait for data."""
    command = [a.train, "--config", ROOT / "examples/train/small.json", "--model", f"detrack-{a.model}", "--threads", a.threads,
               "--quiet", "--out", run, "--data", f"videos={data}", "--data", f"boxed={data}", "--data", f"unlabelled={data}",
               "--set", f"steps={steps}", "--set", f"batch={a.batch}", "--set", f"log_every={every}", *more]
    subprocess.run([str(c) for c in command], check=True, capture_output=True, timeout=limit)
    return rates_of(run / "metrics.jsonl")


def rates_of(metrics):
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    lines = [line for line in lines if "samples_per_second" in line][WARM:]
    if not lines:
        raise ValueError(f"{metrics.name}: expected more than {WARM} lines with samples_per_second")
    return [line["samples_per_second"] for line in lines], statistics.mean(line["data_wait"] for line in lines)


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
    if a.device == "cuda":
        import cuda_training

        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no process of ours is left behind
        sys.exit(cuda_training.Comparison(a, ROOT, turn_of_detrack, rates_of, make_pictures).run())
    import torch

    import pytorch_training

    torch.set_num_threads(a.threads)
    steps = {variant: pytorch_training.step_of(a.model, a.batch, compiled=variant == "compile") for variant in a.variants}
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
