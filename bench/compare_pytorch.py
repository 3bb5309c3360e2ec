#!/usr/bin/env python3
"""Times detrack and PyTorch on the same work, in turns, and writes a table of the ratios."""
import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import signal
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

import cuda_rows  # noqa: E402: beside this file


def arguments():
    p = argparse.ArgumentParser(
        description=__doc__, epilog="Exit status: 0; 1 if something is wrong, missing or could not be timed of detrack; 2 if "
        "arguments cannot be used or there is no GPU. What PyTorch cannot do on a GPU is told in the table.")
    p.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="cuda: bench_cuda's rows; see README.md (default cpu)")
    p.add_argument("--threads", type=int, default=0, help="of both; 0: all of the machine's (default)")
    p.add_argument("--products", default="full", choices=("full", "bfloat16"), help="of both, on a CPU: full is float32 (default); "
                   "bfloat16 takes the rows that have products")
    p.add_argument("--rounds", type=int, default=5, help="turns that each contestant gets at a row (default 5)")
    p.add_argument("--rows", default="", help="only the rows in which this regular expression is found")
    p.add_argument("--variants", help="of PyTorch: eager, compile, autotune, onednn, aot (default: all but autotune); with cuda "
                   "flash, cudnn, eager, eager_cudnn, compile, autotune (default: all); see README.md")
    p.add_argument("--min-time", type=float, default=0.2, help="seconds that a turn lasts at least (default 0.2)")
    p.add_argument("--bench-dir", type=pathlib.Path, help="where bench_ops and bench_model, or bench_cuda, are (default "
                   "build/release/bench, with cuda build/cuda/bench)")
    p.add_argument("--golden", type=pathlib.Path, default=ROOT / "tests/data/tiny.safetensors", help="what PyTorch's model must reproduce")
    p.add_argument("--out", type=pathlib.Path, default=HERE / "results", help="folder of the result files")
    p.add_argument("--no-save", action="store_true", help="print only")
    gpu = p.add_argument_group("with --device cuda")
    gpu.add_argument("--quick", action="store_true", help="only the rows that tell most, which is meant to take 3 minutes")
    gpu.add_argument("--time-limit", type=float, metavar="SECONDS", help="stop cleanly then; what is not measured is told")
    gpu.add_argument("--check", action="store_true", help="let bench_cuda compare its operations with the CPU first: minutes")
    gpu.add_argument("--detrack", type=pathlib.Path, metavar="FILE", help="take detrack's figures from what bench_cuda --json wrote")
    gpu.add_argument("--only-pytorch", action="store_true", help="no figures of detrack")
    gpu.add_argument("--compile-jobs", type=int, default=5, help="models that are compiled at once, before they are timed (default 5)")
    gpu.add_argument("--rehearse", action="store_true", help="PyTorch on the CPU, once each: tests this program, times nothing")
    a = p.parse_args()
    cuda = a.device == "cuda"
    a.bench_dir = a.bench_dir or ROOT / "build" / ("cuda" if cuda else "release") / "bench"
    preset = "cuda" if cuda else "release"
    for program in ("bench_cuda",) if cuda else ("bench_ops", "bench_model"):
        if not (a.bench_dir / program).exists() and not a.only_pytorch and not a.detrack:
            sys.exit(f"{a.bench_dir / program} is missing: cmake --preset {preset} && cmake --build --preset {preset}")
    if a.detrack and not a.detrack.exists():
        sys.exit(f"--detrack: {a.detrack} is missing")
    if not a.golden.exists():
        sys.exit(f"{a.golden} is missing: --golden names a golden file (tests/data has some)")
    a.threads = a.threads or len(os.sched_getaffinity(0))
    if not a.variants:
        a.variants = ",".join(cuda_rows.VARIANTS) if cuda else "eager,compile,onednn,aot"
    a.variants = a.variants.split(",")
    return a


def main_on_gpu(a):
    """Exit status."""
    import cuda_comparison

    if unknown := set(a.variants) - set(cuda_rows.VARIANTS):
        sys.exit(f"--variants: expected some of {', '.join(cuda_rows.VARIANTS)}, got {', '.join(unknown)}")
    comparison = cuda_comparison.Comparison(a, ROOT)
    if not comparison.rows:
        sys.exit(f"--rows {a.rows}: no such row")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no process of ours is left behind
    return comparison.run()


class Detrack:
    """The two programs, one row at a time."""

    def __init__(self, folder, threads, products, min_time):
        self.folder, self.flags, self.context = folder, [f"--threads={threads}", f"--products={products}"], {}
        self.timing = [f"--benchmark_min_time={min_time}", "--benchmark_format=json"]
        self.program = {}
        for name in ("bench_ops", "bench_model"):
            for line in self.run(name, "--benchmark_list_tests").splitlines():
                row = line.removesuffix("/manual_time")
                if not re.match("fma_peak|bfloat16_peak|read_bandwidth|copy_bandwidth", row):
                    self.program[row] = name

    def run(self, name, *flags):
        return subprocess.run([self.folder / name, *self.flags, *flags], check=True, capture_output=True, text=True).stdout

    def time(self, row):
        """Median and least seconds of one turn, with the program's counters."""
        out = json.loads(self.run(self.program[row], f"--benchmark_filter=^{row}/manual_time$", *self.timing))
        self.context = out["context"]
        result = out["benchmarks"][0]
        if result.get("error_occurred"):
            sys.exit(f"{row}: {result['error_message']}")
        return result["median_s"], result["min_s"], result


def time_calls(function, min_time):
    """Median and least seconds of a call; one call more warms up."""
    function()
    times, begin = [], time.perf_counter()
    while len(times) < 2 or time.perf_counter() - begin < min_time:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times), min(times)


def measure(row, contestant, rows, a):
    """Everyone takes a turn, `rounds` times: a disturbance of the machine meets all. Times in seconds, over the rounds the
    median of medians and the least of all."""
    from pytorch_rows import variants_of

    rows.forget()
    turns = {}
    functions = {variant: rows.make(row, variant) for variant in variants_of(row, a.variants)}
    with rows.mode(row):
        for function in functions.values():
            for _ in range(3):  # compiles; a compiled training step compiles twice
                function()
        for _ in range(a.rounds):
            turns.setdefault("detrack", []).append(contestant.time(row))
            for variant, function in functions.items():
                turns.setdefault(variant, []).append(time_calls(function, a.min_time))
    result = {"row": row, "median": {k: statistics.median(t[0] for t in v) for k, v in turns.items()},
              "least": {k: min(t[1] for t in v) for k, v in turns.items()}}
    result["peak_percent"] = statistics.median(t[2]["%peak"] for t in turns["detrack"])
    result["gflops"] = statistics.median(t[2]["GFLOP/s"] for t in turns["detrack"])
    for kind in ("median", "least"):
        best = min(t for k, t in result[kind].items() if k != "detrack")
        result["ratio_of_" + kind] = best / result[kind]["detrack"]
    return result


HEADER = ["row", "detrack ms", "GFLOP/s", "% of peak", "{} ms", "best PyTorch / detrack", "the same of the least times"]


def cells(result, variants):
    ms = lambda x: "" if x is None else f"{1e3 * x:.0f}" if x >= 0.1 else f"{1e3 * x:.3g}"
    return [result["row"], ms(result["median"]["detrack"]), f"{result['gflops']:.0f}", f"{result['peak_percent']:.0f}",
            *(ms(result["median"].get(v)) for v in variants), f"{result['ratio_of_median']:.2f}", f"{result['ratio_of_least']:.2f}"]


def header(variants):
    return [x for h in HEADER for x in ([h.format(v) for v in variants] if "{}" in h else [h])]


def line_of(row):
    return "| " + " | ".join(row) + " |"


def cpu_name():
    try:
        return next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def cache_value(folder, name):
    cache = folder.parent / "CMakeCache.txt"
    found = re.search(rf"^{name}:\w+=(.*)$", cache.read_text(), re.M) if cache.exists() else None
    return found[1] if found else ""


def about(a, contestant, load, torch):
    c = contestant.context
    flags = " ".join(filter(None, (cache_value(a.bench_dir, n) for n in ("CMAKE_CXX_FLAGS", "CMAKE_CXX_FLAGS_RELEASE"))))
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    return {"date": datetime.date.today().isoformat(), "cpu": cpu_name(), "cores": os.cpu_count(), "threads": a.threads,
            "load average before": round(load, 2), "detrack": f"{commit}; {c['detrack']}", "compiler": c["compiler"],
            "flags": f"{flags} -march={cache_value(a.bench_dir, 'DETRACK_ARCH')}",
            "peak of products": f"{c['peak']} ({c['peak_one_thread']} on one thread)",
            "memory": f"reads {c['read_bandwidth']}, copies {c['copy_bandwidth']}",
            "PyTorch": f"{torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, variants {', '.join(a.variants)}",
            "rounds": f"{a.rounds} of at least {a.min_time} s"}


def save(folder, facts, results, variants):
    folder.mkdir(parents=True, exist_ok=True)
    cpu = re.sub("[^a-z0-9]+", "-", facts["cpu"].lower()).strip("-")
    stem = folder / f"{facts['date']}-{cpu}-cpu{'-bfloat16' if 'bfloat16' in facts['detrack'] else ''}"
    stem.with_suffix(".json").write_text(json.dumps({"about": facts, "rows": results}, indent=1) + "\n")
    text = ["# detrack against PyTorch on a CPU", "", "Medians in milliseconds; a ratio above 1: detrack is faster. How: ../README.md.", ""]
    text += [f"- {k}: {v}" for k, v in facts.items()]
    head = header(variants)
    text += ["", line_of(head), line_of(["---"] + ["---:"] * (len(head) - 1))]
    text += [line_of(cells(r, variants)) for r in results]
    stem.with_suffix(".md").write_text("\n".join(text) + "\n")
    return f"{stem.name}.json and {stem.name}.md"


def main():
    a = arguments()
    if a.device == "cuda":
        sys.exit(main_on_gpu(a))
    try:
        import torch
    except ImportError:
        sys.exit(f"PyTorch is missing for {sys.executable}: run this with a Python that has it (pip install torch)")
    import pytorch_model
    import pytorch_rows

    if unknown := set(a.variants) - set(pytorch_rows.VARIANTS):
        sys.exit(f"--variants: expected some of {', '.join(pytorch_rows.VARIANTS)}, got {', '.join(unknown)}")
    load = os.getloadavg()[0]
    if load > 0.3:
        print(f"warning: load average {load:.1f}: something else runs on this machine, the times will be wrong", file=sys.stderr)
    torch.set_num_threads(a.threads)
    errors = pytorch_model.golden_errors(a.golden)
    worst = max(errors, key=errors.get)
    if not all(e <= 1 for e in errors.values()):
        sys.exit(f"PyTorch's model is not the golden file's: {worst} is {errors[worst]:.2g} times beyond its bound")
    print(f"PyTorch's model is the golden file's: {len(errors)} tensors, the worst at {errors[worst]:.2f} of its bound")

    bfloat16 = a.products == "bfloat16"
    contestant = Detrack(a.bench_dir, a.threads, a.products, a.min_time)
    rows, results = pytorch_rows.Rows(bfloat16), []
    print(line_of(header(a.variants)))
    for row in contestant.program:
        if re.search(a.rows, row) and (not bfloat16 or pytorch_rows.has_products(row)):
            results.append(measure(row, contestant, rows, a))
            print(line_of(cells(results[-1], a.variants)), flush=True)
            if not a.no_save:  # after every row: an interrupted run leaves what it has measured
                wrote = save(a.out, about(a, contestant, load, torch), results, a.variants)
    if not results:
        sys.exit(f"--rows {a.rows}: no such row")
    if not a.no_save:
        print(f"wrote {wrote}")


if __name__ == "__main__":
    main()
